"""A page that is asked for below a path of which its server knows nothing: said where it is seen.

A proxy that strips its path hides it from the server; then the page's own script says so.
"""

import logging

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer.hosting.visitors import FORWARDED

LOG = logging.getLogger(__name__)
HINT = (
    "There is no page at this address. If a proxy has this server below a path of its own, such as "
    "/explorer, start it with --root-path and that path.\n"
)


class Misplaced:
    """ASGI middleware: a browser that finds no page behind a proxy is told what may be missing.

    Only where no root path is known, and only in place of the application's own 404. The first
    time it is a line in the log, too.
    """

    def __init__(self, app: ASGIApp):
        self.app = app
        self._is_logged = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_for_a_page(scope):
            await self.app(scope, receive, send)
            return
        is_missing = False

        async def answer(message: Message) -> None:
            nonlocal is_missing
            if message["type"] == "http.response.start":
                is_missing = message["status"] == 404
            if not is_missing:
                await send(message)
            elif message["type"] == "http.response.start":
                await self._hint(send)

        await self.app(scope, receive, answer)

    def _is_for_a_page(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] != "GET" or scope.get("root_path"):
            return False
        headers = Headers(scope=scope)
        if "text/html" not in headers.get("accept", ""):
            return False
        return any(name in headers for name in FORWARDED)

    async def _hint(self, send: Send) -> None:
        if not self._is_logged:
            self._is_logged = True
            LOG.warning(HINT.strip())
        body = HINT.encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        await send({"type": "http.response.body", "body": body})
