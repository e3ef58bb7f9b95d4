"""Refusals that the client can read: the rest of its request is read first, up to a limit."""

import asyncio
from contextlib import suppress

from starlette.types import Receive, Scope, Send

from explorer.settings.limits import LIMITS


async def refuse(scope: Scope, receive: Receive, send: Send, status: int, sentence: str) -> None:
    """Answer with a sentence at once, then read and discard what the client still sends.

    For a request whose body has not been read to its end: most clients read nothing before they
    have sent everything, and lose the answer if the connection is closed before that.
    """
    await _begin(send, status, sentence)
    await send({"type": "http.response.body", "body": sentence.encode(), "more_body": True})
    if header(scope, b"expect").lower() != "100-continue":  # it waits for permission to send
        await read_to_end(receive)
    await send({"type": "http.response.body", "body": b""})


async def answer(send: Send, status: int, sentence: str) -> None:
    """Answer a request whose body has been read with a sentence."""
    await _begin(send, status, sentence)
    await send({"type": "http.response.body", "body": sentence.encode()})


async def _begin(send: Send, status: int, sentence: str) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(sentence.encode())).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def read_to_end(receive: Receive) -> None:
    """Discard the rest of a request's body, as much and as long as the limits allow."""
    received, more = 0, True
    with suppress(TimeoutError):
        async with asyncio.timeout(LIMITS.refused_request_s):
            while more and received < LIMITS.refused_request_bytes:
                message = await receive()
                received += len(message.get("body", b""))
                more = message["type"] == "http.request" and message.get("more_body", False)


def header(scope: Scope, name: bytes) -> str:
    """A request's header; "" if it is missing."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
