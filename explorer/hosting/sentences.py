"""Errors of the application become a sentence for the client and a line in the log.

4xx is for requests that no page sends. A fault of the server is 5xx, so that monitoring sees it,
and its reason is in the log.
"""

import errno
import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer.hosting.metrics import ANSWER, UNABLE_TO

LOG = logging.getLogger(__name__)

NOT_TAKEN = "The server could not make sense of this request; reload the page and try again."
NOTHING = "There is nothing here."
UNABLE = "The server cannot do this at present; try again later."
BROKEN = "Something broke on the server; whoever runs it finds the reason in its log."
LACKING = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM),
)
OF_NAMES = (errno.ENAMETOOLONG, errno.EINVAL)
# Of a name where something is read; where something is written, the server's own folder is gone,
# or there is a file in its place.
OF_PLACES = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EEXIST, errno.EISDIR)
READING = ("GET", "HEAD")
REFUSED = "explorer.refused"  # in a request's scope: a list, for the ServiceError of its answer
OURS, AROUND = "explorer.", "explorer.hosting."


class Sentences:
    """ASGI middleware around the application: every error has a sentence, no web socket opens.

    Gradio answers 500 both for values that its components refuse, with a reason in the answer, and
    for unexpected errors, without one; the former become 422. Its exceptions for invalid names
    become 4xx, others 500, or 503 if the server lacks a resource. Faults of the server are told to
    `count`, by kind.
    """

    def __init__(
        self, app: ASGIApp, count: Callable[[Scope, str], None] = lambda scope, kind: None
    ):
        self.app, self._count = app, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope[REFUSED] = []
        answer = _Answer(scope, send, self._count)
        if not scope["path"].isprintable():  # no such route exists, and some routes fail on it
            await answer.respond(404, NOTHING)
            return
        try:
            await self.app(scope, receive, answer.send)
        except Exception as error:
            if not answer.started:
                status, sentence = _status_and_sentence(error, scope)
                level, trace = (logging.ERROR, error) if status >= 500 else (logging.INFO, None)
                LOG.log(level, "%s %s (%s): %r", *_named(scope), error, exc_info=trace)
                await answer.respond(status, sentence)
            elif any(isinstance(each, HTTPException) for each in (error, error.__cause__)):
                await answer.end()  # of an event stream without events; routers wrap it
            elif answer.is_stream:  # its last event has said that it broke
                if not isinstance(error, KeyError):  # of a session that was dropped meanwhile
                    LOG.exception("%s %s (%s) broke off", *_named(scope))
                    self._count(scope, ANSWER)
                await answer.end()
            else:
                raise


class _Answer:
    """The application's answer; a 500 is held back until its reason is known."""

    def __init__(self, scope: Scope, send: Send, count: Callable[[Scope, str], None]):
        self._scope, self._send, self._count = scope, send, count
        self.started = self.is_stream = False  # of events
        self._body: bytearray | None = None  # of a 500

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 500:
            self.started, self._body = True, bytearray()
            return
        body = self._body
        if body is None:
            if message["type"] == "http.response.start":
                kind = Headers(raw=message.get("headers", [])).get("content-type", "")
                self.is_stream = kind.startswith("text/event-stream")
            self.started = True
            await self._send(message)
            return
        body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._exchange(bytes(body))

    async def _exchange(self, body: bytes) -> None:
        if refused := self._scope[REFUSED]:
            await self.respond(refused[-1].status, **refused[-1].to_dict())
        elif _reason(body):
            await self.respond(422, NOT_TAKEN)
        else:
            LOG.error("%s %s (%s) was answered with 500", *_named(self._scope))
            await self.respond(500, BROKEN)

    async def respond(self, status: int, error: str, **more: Any) -> None:
        self.started = True
        if status >= 500:
            self._count(self._scope, UNABLE_TO if status == 503 else ANSWER)
        body = json.dumps({"error": error, "detail": error, **more}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})


def _named(scope: Scope) -> tuple[str, str, str]:
    """A request's method, its path, and the function that answers it; a path may name anything."""
    return scope["method"], scope["path"][:200], getattr(scope.get("endpoint"), "__name__", "none")


def _reason(body: bytes) -> str:
    """Gradio's reason for refusing a request; "" for none."""
    try:
        payload = json.loads(body)
    except ValueError:
        return ""
    reason = payload.get("error") if isinstance(payload, dict) else None
    return reason if isinstance(reason, str) else ""


def _status_and_sentence(error: Exception, scope: Scope) -> tuple[int, str]:
    if isinstance(error, MemoryError):
        return 503, UNABLE
    if isinstance(error, OSError):
        lacking = LACKING if scope["method"] in READING else (*LACKING, *OF_PLACES)
        if error.errno in lacking:
            return 503, UNABLE
    if not _could_be_the_clients(error, scope) or _in_our_code(error):
        return 500, BROKEN
    return (404, NOTHING) if scope["method"] in READING else (422, NOT_TAKEN)


def _could_be_the_clients(error: Exception, scope: Scope) -> bool:
    """Whether the client's request names something, and the error may come from a wrong name."""
    names = scope.get("path_params") or scope.get("query_string")
    if not names and scope["method"] in READING:
        return False
    if isinstance(error, OSError):
        return error.errno in (*OF_NAMES, *OF_PLACES)
    return isinstance(error, (LookupError, ValueError, OverflowError, TypeError))


def _in_our_code(error: Exception) -> bool:
    """Whether the error was raised in our code, inside the middleware around the application."""
    names = (
        frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)
    )
    return any(name.startswith(OURS) and not name.startswith(AROUND) for name in names)
