"""Limits on a request's size and its routes, checked before anything is parsed."""

import asyncio
import json
from pathlib import Path

from starlette.formparsers import MultiPartException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer.byte_sizes import MIB
from explorer.hosting.client_address import address_of
from explorer.hosting.refusing import answer, header, refuse
from explorer.hosting.uploads import Uploads
from explorer.settings.limits import Limits

API = "/gradio_api/"
UPLOAD = f"{API}upload"
RUNS = "/runs"  # a .zip of a run is posted there
OVERHEAD = 4 * MIB  # of an upload beyond its file; a file a little too large gets its own sentence
SMALL_BODY = 2**16  # bytes; smaller bodies are always accepted
# Routes of Gradio that the page does not use: they write files, fetch from elsewhere, tell of
# visitors' events, or look for edited sources twenty times a second for each connection.
CLOSED = (
    "/gradio_api/dev/",
    "/gradio_api/deep_link",
    "/gradio_api/process_recording",
    "/gradio_api/proxy=",
    "/gradio_api/file=http:",
    "/gradio_api/file=https:",
    "/gradio_api/file/http:",
    "/gradio_api/file/https:",
    "/gradio_api/stream/",
    "/gradio_api/vibe",
    "/monitoring",
)
# Gradio draws its icon in whatever size an address names, while every other request waits.
ICONS = "/pwa_icon/"
ICON_SIZES = ("192", "512")  # those that manifest.json names


class RequestLimits:
    """ASGI middleware: refuses a request whose body is too large, or whose uploads are too many.

    `limits` are the operator's, `folder` is where uploads are kept. Answers 404, 408, 413, 415, 503
    or 507 with a sentence, by the length that a request states or as soon as it has sent more.
    Bodies are passed on whole, in one message, except for uploads.
    """

    def __init__(self, app: ASGIApp, limits: Limits, folder: str | Path):
        self.app = app
        self.limits = limits
        self.uploads = Uploads(limits, folder)
        self._coming = 0  # bytes of the bodies being read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif _is_closed(scope["path"]):
            await refuse(scope, receive, send, 404, "There is nothing here.")
        elif scope["path"].endswith(UPLOAD):
            await self._upload(scope, receive, send, self.limits.upload_bytes + OVERHEAD)
        elif _is_of_runs(scope):
            await self._upload(scope, receive, send, self.limits.uploads_per_visitor_bytes)
        elif header(scope, b"content-type").lower().startswith("multipart/"):
            await refuse(scope, receive, send, 415, "Files are uploaded before they are used.")
        else:
            await self._request(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the whole body, at most `request_bytes`, and pass it on."""
        most = self.limits.request_bytes
        if (_stated_length(scope) or 0) > most:
            await refuse(scope, receive, send, 413, _too_large(most))
            return
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.request_s):
                refusal, more = await self._read(body, receive)
        except TimeoutError:
            late = f"The request did not come within {self.limits.request_s} seconds."
            more, refusal = True, (408, late)
        except ConnectionError:
            return
        finally:
            self._coming -= len(body)
        if refusal is not None and more:
            await refuse(scope, receive, send, *refusal)
            return
        if refusal is not None:
            await answer(send, *refusal)
            return
        left = [{"type": "http.request", "body": bytes(body), "more_body": False}]
        del body

        async def replay() -> Message:
            return left.pop() if left else await receive()

        await self.app(scope, replay, send)

    async def _read(self, body: bytearray, receive: Receive) -> tuple[tuple[int, str] | None, bool]:
        """Read a body; returns a refusal if it becomes too large, and whether more is to come.

        Raises ConnectionError if the client has disconnected.
        """
        most, more = self.limits.request_bytes, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            more = message.get("more_body", False)
            body += message.get("body", b"")
            self._coming += len(message.get("body", b""))
            if len(body) > most:
                return (413, _too_large(most)), more
            if len(body) > SMALL_BODY and self._coming > self.limits.waiting_request_bytes:
                return (503, "Too much is coming in at present; try again in a minute."), more
        return None, False

    async def _upload(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        """Pass an upload on while it arrives, after reserving room for it."""
        stated, address = _stated_length(scope), address_of(scope)
        if stated is not None and stated > most:
            await refuse(scope, receive, send, 413, _too_large(most))
            return
        expected = most if stated is None else stated
        if refusal := self.uploads.reserve(address, expected):
            await refuse(scope, receive, send, *refusal)
            return
        body = _UploadBody(receive, send, most, self.limits.upload_s)
        try:
            await self.app(scope, body.receive, body.send)
        finally:
            self.uploads.settle(address, expected, body.received if body.taken else 0, body.files)


class _UploadBody:
    """An upload, counted while it is read; an aborted one is an error of the form's parser.

    Only on such an error does the parser delete its unfinished files.
    """

    def __init__(self, receive: Receive, send: Send, most: int, seconds: float):
        self._receive, self._send, self._most = receive, send, most
        self._seconds, self._due = seconds, asyncio.get_running_loop().time() + seconds
        self.received = 0
        self.taken = self._whole = False
        self._answer = bytearray()

    @property
    def files(self) -> int:
        """How many files were stored, by the answer: Gradio's is a list of their paths."""
        try:
            paths = json.loads(self._answer)
        except ValueError:
            return 1
        return len(paths) if isinstance(paths, list) else 1

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout_at(None if self._whole else self._due):
                message = await self._receive()
        except TimeoutError:
            late = f"The upload did not come within {self._seconds} seconds."
            raise MultiPartException(late) from None
        self.received += len(message.get("body", b""))
        if self.received > self._most:
            raise MultiPartException(f"Over the maximum allowed size. {_too_large(self._most)}")
        if message["type"] == "http.disconnect" and not self._whole:
            raise MultiPartException("The upload broke off.")
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.taken = message["status"] == 200
        elif self.taken:
            self._answer += message.get("body", b"")
        await self._send(message)


def _is_closed(path: str) -> bool:
    _, icon, size = path.rpartition(ICONS)
    if icon and size not in ICON_SIZES:
        return True
    return any(route in path.lower() for route in CLOSED)


def _stated_length(scope: Scope) -> int | None:
    """The length that the request states; None if it states none."""
    text = header(scope, b"content-length").strip()
    return int(text) if text.isdecimal() and len(text) < 20 else None


def _is_of_runs(scope: Scope) -> bool:
    """Whether a run is posted; among Gradio's routes is one for an event of any name."""
    path = scope["path"]
    return path.endswith(RUNS) and API not in path and scope["method"] == "POST"


def _too_large(most: int) -> str:
    return f"The request is too large: it may have at most {most / MIB:g} MB."
