"""The route `/mcp`: the protocol's Streamable HTTP, without sessions.

Each request has a server of its own for as long as it is answered: nothing is kept of strangers,
and whoever closes the connection ends the run that was asked for.
"""

import json
from collections.abc import Callable

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from explorer.hosting.mcp.callers import caller_of
from explorer.hosting.mcp.server import mcp_server
from explorer.hosting.service import Service
from explorer.settings.limits import LIMITS, Limits
from explorer.settings.text import broken_at

PATH = "/mcp"
TOO_LARGE = "This request is larger than any that is needed here."
NO_JSON = "The request is not JSON."
BROKEN_ID = "The request's id, and its progressToken, must be valid Unicode."
POST_ALONE = "This server keeps no sessions: POST alone is answered here."


class _Endpoint:
    """An ASGI application that answers one request of the protocol after the other."""

    def __init__(self, service_of: Callable[[Request], Service], limits: Limits):
        self._service_of, self._limits = service_of, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.method != "POST":
            refused = PlainTextResponse(POST_ALONE, 405, {"allow": "POST"})
            await refused(scope, receive, send)
            return
        body = await _body(request, self._limits.request_bytes)
        if body is None:
            await PlainTextResponse(TOO_LARGE, 413)(scope, receive, send)
            return
        if refusal := _refusal(body):
            await PlainTextResponse(refusal, 400)(scope, receive, send)
            return
        manager = StreamableHTTPSessionManager(
            mcp_server(self._service_of(request), caller_of),
            stateless=True,
            max_request_body_size=self._limits.request_bytes,
        )
        async with manager.run():  # whose end cancels what still goes on
            await manager.handle_request(scope, _again(body, receive), send)


async def _body(request: Request, most: int) -> bytes | None:
    """A request's body; None for one that is too large."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > most:
            return None
    return body


def _refusal(body: bytes) -> str:
    """Why a body cannot be read or answered, "" if it can.

    The protocol's own package gives up on one that is too deep, and on answering an id that UTF-8
    cannot encode.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return NO_JSON
    ids = _value(data, "id"), _value(_value(_value(data, "params"), "_meta"), "progressToken")
    if any(isinstance(each, str) and broken_at(each) is not None for each in ids):
        return BROKEN_ID
    return ""


def _value(data: object, key: str) -> object:
    return data.get(key) if isinstance(data, dict) else None


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that has been read as it comes again, and what comes after it."""
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return parts.pop() if parts else await receive()

    return received


def routes(service_of: Callable[[Request], Service], limits: Limits = LIMITS) -> list[BaseRoute]:
    """The route; `service_of` finds the service of a request's page."""
    return [Route(PATH, _Endpoint(service_of, limits))]
