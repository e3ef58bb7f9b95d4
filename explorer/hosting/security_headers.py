"""What browsers are told beside every answer: where scripts may come from, who may frame the page.

The page's policy is as strict as Gradio 6.31 lets it be. Its scripts are its own: files of this
server, and the inline ones that its document and its head hold, by their hashes. What is left open:
Gradio makes functions of texts (`js=`, `js_on_load`), so 'unsafe-eval' stays; it and plotly write
style attributes, so styles may be inline.
"""

import base64
import hashlib
import re
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer.hosting.access import ANYBODY, SELF, Access

_INLINE = re.compile(rb"<script(?P<attributes>[^>]*)>(?P<text>.*?)</script\s*>", re.S | re.I)
_SOURCE = re.compile(rb"\ssrc\s*=", re.I)
FILES = "/file="  # Gradio's route for what visitors have uploaded
# Of what is no page: a picture, a script, JSON, opened in a tab by itself.
FILE_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "hid",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "publickey-credentials-get",
        "screen-wake-lock",
        "serial",
        "usb",
        "xr-spatial-tracking",
    )
)


class SecurityHeaders:
    """ASGI middleware: adds headers to every answer, and to the page the hashes of its scripts.

    `scripts` are the inline scripts of the page's head, which Gradio's own script inserts. Only the
    page itself is held back until it is whole; streams and files pass as they come.
    """

    def __init__(self, app: ASGIApp, access: Access, scripts: Iterable[str] = ()):
        self.app, self._access = app, access
        self._hashes = [source_of(script.encode()) for script in scripts]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        page = _PageAnswer(self, send) if _is_page(scope) else None

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add(scope, MutableHeaders(scope=message), message["status"])
            await (page.send if page else send)(message)

        await self.app(scope, receive, with_headers)

    def _add(self, scope: Scope, headers: MutableHeaders, status: int) -> None:
        headers["x-content-type-options"] = "nosniff"
        headers["referrer-policy"] = "same-origin"  # an address may hold settings
        if not self._access.origins:
            headers["cross-origin-resource-policy"] = "same-origin"
        kind = headers.get("content-type", "")
        if FILES in scope["path"] and not kind.startswith("image/"):
            headers["content-type"] = "application/octet-stream"  # which runs as no script
        if kind.startswith("text/html") and status == 200:
            headers["permissions-policy"] = PERMISSIONS
            headers["cross-origin-opener-policy"] = "same-origin"
            if (frames := self._access.frames) in ((), (SELF,)):
                headers["x-frame-options"] = "SAMEORIGIN" if frames else "DENY"
        headers["content-security-policy"] = FILE_POLICY

    def policy(self, document: bytes) -> str:
        """The page's policy, with the hashes of the inline scripts of its document."""
        return page_policy([*inline_scripts(document), *self._hashes], self._access.frames)


class _PageAnswer:
    """The page's answer, held back until all its scripts are known."""

    def __init__(self, headers: SecurityHeaders, send: Send):
        self._headers, self._send = headers, send
        self._start: Message | None = None
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = MutableHeaders(scope=message).get("content-type", "")
            if message["status"] != 200 or not kind.startswith("text/html"):
                await self._send(message)
            else:
                self._start = message
            return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False):
            return
        start, self._start = self._start, None
        body = bytes(self._body)
        MutableHeaders(scope=start)["content-security-policy"] = self._headers.policy(body)
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def page_policy(hashes: Iterable[str], frames: Iterable[str]) -> str:
    """The Content-Security-Policy of a page with inline scripts of these hashes."""
    directives = {
        "default-src": "'self'",
        "script-src": " ".join(["'self'", "'unsafe-eval'", *dict.fromkeys(hashes)]),
        "script-src-attr": "'none'",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "media-src": "'self' data: blob:",
        "connect-src": "'self' data: blob:",
        "worker-src": "'self' blob:",
        "frame-src": "'none'",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": " ".join(map(_source, frames)) or "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def inline_scripts(document: bytes) -> list[str]:
    """The hashes of a document's inline scripts, as a policy names them."""
    found = _INLINE.finditer(document)
    return [source_of(each["text"]) for each in found if not _SOURCE.search(each["attributes"])]


def source_of(script: bytes) -> str:
    """The hash of an inline script, as a policy names it."""
    script = script.replace(b"\r\n", b"\n")  # a browser's parser does so before it hashes
    return f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"


def _source(origin: str) -> str:
    return "'self'" if origin == SELF else ANYBODY if origin == ANYBODY else origin


def _is_page(scope: Scope) -> bool:
    """Whether the page's document is asked for, below whatever path."""
    root = scope.get("root_path", "").rstrip("/")
    return scope["path"].removeprefix(root).strip("/") == ""
