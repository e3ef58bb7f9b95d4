"""Files on their way to those who asked for them: a few for each address, and none for ever.

A visitor's id is free, an address is not: one that takes many files at once, or reads them slowly,
leaves places to the others.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from explorer.hosting.run_answers import Refused
from explorer.settings.limits import LIMITS

CHUNK_BYTES = 2**16  # a body is passed on in such parts: what waits to be sent is in memory
TOO_MANY = "Too many files are on their way at present: try again in a minute."


class Downloads:
    """The files that are made, wait or are sent, counted by address; for one event loop."""

    def __init__(self):
        self._by_address: Counter[str] = Counter()

    async def answer(self, address: str, make: Callable[[], Awaitable[Response]]) -> Response:
        """What `make` answers, which keeps its place until it has been sent.

        Raises Refused where there is no place, and what `make` raises.
        """
        full = self._by_address.total() >= LIMITS.downloads
        if full or self._by_address[address] >= LIMITS.downloads_per_address:
            raise Refused(429, TOO_MANY)
        self._by_address[address] += 1
        try:
            response = await make()
        except BaseException:
            self._leave(address)
            raise
        return _Sent(response, lambda: self._leave(address))

    def __len__(self) -> int:
        return self._by_address.total()

    def _leave(self, address: str) -> None:
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


class _Sent(Response):
    """A response that is sent in small parts, within `LIMITS.download_s`."""

    def __init__(self, response: Response, over: Callable[[], None]):
        self._response, self._over = response, over
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_parts(message: Message) -> None:
            body = message.get("body", b"")
            for start in range(0, len(body) - CHUNK_BYTES, CHUNK_BYTES):
                part = body[start : start + CHUNK_BYTES]
                await send({"type": message["type"], "body": part, "more_body": True})
            if len(body) > CHUNK_BYTES:
                left = len(body) - (len(body) - 1) // CHUNK_BYTES * CHUNK_BYTES
                message = {**message, "body": body[-left:]}
            await send(message)

        try:
            async with asyncio.timeout(LIMITS.download_s):
                await self._response(scope, receive, send_parts)
        except TimeoutError:
            return  # the server closes the connection of an answer that has no end
        finally:
            self._over()
