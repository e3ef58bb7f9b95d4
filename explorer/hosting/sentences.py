"""What the application breaks on is a sentence for the client, and a line for the log.

4xx is for requests that no page sends. A fault of the server is 5xx, so that whoever watches it
sees it, and its reason is in the log.
"""

import errno
import json
import logging
import traceback
from typing import Any

from starlette.exceptions import HTTPException

from explorer.hosting.refusing import Scope

LOG = logging.getLogger(__name__)

NOT_TAKEN = "The server could not make sense of this request; reload the page and try again."
NOTHING = "There is nothing here."
UNABLE = "The server cannot do this at present; try again later."
BROKEN = "Something broke on the server; whoever runs it finds the reason in its log."
LACKING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, errno.EMFILE)
OF_NAMES = (errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.ELOOP)
OURS, AROUND = "explorer.", "explorer.hosting."


class Sentences:
    """ASGI middleware around the application: every answer says something, no web socket opens.

    Gradio answers 500 both for values that its components refuse, then with a reason in the answer,
    and for what nobody expected, then with none; the first becomes 422. It raises for names that it
    cannot use, which is 4xx, and for what broke, 500, or 503 where the server lacks something.
    """

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        if not scope["path"].isprintable():  # of nothing that is here, and some routes break on it
            await answer.respond(404, NOTHING)
            return
        try:
            await self.app(scope, receive, answer.send)
        except Exception as error:
            if not answer.started:
                status, sentence = _status_and_sentence(error, scope)
                level, trace = (logging.ERROR, error) if status >= 500 else (logging.INFO, None)
                LOG.log(level, "%s: %r", _named(scope), error, exc_info=trace)
                await answer.respond(status, sentence)
            elif any(isinstance(each, HTTPException) for each in (error, error.__cause__)):
                await answer.end()  # of an event stream that has nothing to tell; routers wrap it
            else:
                raise


class _Answer:
    """The application's answer on its way, a 500 held back until its reason is known."""

    def __init__(self, scope: Scope, send: Any):
        self._scope, self._send = scope, send
        self.started = False
        self._body: bytearray | None = None  # what a 500 says

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] == 500:
            self.started, self._body = True, bytearray()
            return
        body = self._body
        if body is None:
            self.started = True
            await self._send(message)
            return
        body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._exchange(bytes(body))

    async def _exchange(self, body: bytes) -> None:
        if _reason(body):
            await self.respond(422, NOT_TAKEN)
        else:
            LOG.error("%s was answered with 500", _named(self._scope))
            await self.respond(500, BROKEN)

    async def respond(self, status: int, sentence: str) -> None:
        self.started = True
        body = json.dumps({"error": sentence, "detail": sentence}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})


def _named(scope: Scope) -> str:
    return f"{scope['method']} {scope['path'][:200]}"


def _reason(body: bytes) -> str:
    """The reason that Gradio gives for not taking a request; "" for none."""
    try:
        payload = json.loads(body)
    except ValueError:
        return ""
    reason = payload.get("error") if isinstance(payload, dict) else None
    return reason if isinstance(reason, str) else ""


def _status_and_sentence(error: Exception, scope: Scope) -> tuple[int, str]:
    if isinstance(error, MemoryError):
        return 503, UNABLE
    if isinstance(error, OSError) and error.errno in LACKING:
        return 503, UNABLE
    if not _could_be_the_clients(error, scope) or _in_our_code(error):
        return 500, BROKEN
    return (404, NOTHING) if scope["method"] in ("GET", "HEAD") else (422, NOT_TAKEN)


def _could_be_the_clients(error: Exception, scope: Scope) -> bool:
    """Whether a client has named something, and the error is of a name that is none."""
    names = scope.get("path_params") or scope.get("query_string")
    if not names and scope["method"] in ("GET", "HEAD"):
        return False
    if isinstance(error, OSError):
        return error.errno in OF_NAMES
    return isinstance(error, (LookupError, ValueError, OverflowError, TypeError))


def _in_our_code(error: Exception) -> bool:
    """Whether the error passed through code of ours behind what stands around the application."""
    names = (
        frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)
    )
    return any(name.startswith(OURS) and not name.startswith(AROUND) for name in names)
