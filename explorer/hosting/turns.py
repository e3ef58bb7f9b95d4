"""Work for requests, done for a few of an address at a time: the others of that address wait.

A visitor's id is free, an address is not: one that asks for much at once waits for itself, and
leaves threads to the others.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer.hosting.client_address import address_of


@dataclass(eq=False)
class _Place:
    """The turns of one address, and how many requests have one or wait for one."""

    at_once: int
    asked: int = 0
    free: asyncio.Semaphore = field(init=False)

    def __post_init__(self):
        self.free = asyncio.Semaphore(self.at_once)


class Turns:
    """At most `at_once` turns at a time for each address; for one event loop at a time."""

    def __init__(self, at_once: int):
        self._at_once = at_once
        self._places: dict[str, _Place] = {}

    @asynccontextmanager
    async def of(self, address: str) -> AsyncIterator[None]:
        """Wait for a turn of this address, and keep it within the block; "" needs none."""
        if not address:
            yield
            return
        place = self._places.setdefault(address, _Place(self._at_once))
        place.asked += 1
        try:
            async with place.free:
                yield
        finally:
            place.asked -= 1
            if not place.asked:
                self._places.pop(address, None)

    async def answer(
        self,
        app: ASGIApp,
        scope: Scope,
        body: Receive,
        receive: Receive,
        send: Send,
        over: Callable[[], object],
    ) -> None:
        """Have `app` answer a request in a turn of its address, unless its client goes before.

        The request has been read, `body` gives it again. The turn ends, and `over` is called, when
        there is an answer: who reads it may take long.
        """
        async with AsyncExitStack() as held:
            held.callback(over)
            turn = asyncio.ensure_future(held.enter_async_context(self.of(address_of(scope))))
            if not await _comes(turn, receive):
                return

            async def send_freely(message: Message) -> None:
                await held.aclose()
                await send(message)

            await app(scope, body, send_freely)

    def __len__(self) -> int:
        """How many addresses have turns, or wait for them."""
        return len(self._places)


THREADS = CapacityLimiter(4)
TURNS = Turns(2)  # of these threads, so that no address has all of them


async def in_thread(work: Callable[..., Any], *arguments: Any, address: str = "") -> Any:
    """What programs ask is worked out in threads of its own: runs and pages have theirs.

    An `address` has at most some of them at a time, "" as many as are free.
    """
    async with TURNS.of(address):
        return await to_thread.run_sync(partial(work, *arguments), limiter=THREADS)


async def _comes(turn: asyncio.Future[None], receive: Receive) -> bool:
    """Whether a turn comes before the client goes; it is not waited for any more if not."""
    await asyncio.sleep(0)
    if turn.done():
        return True
    gone = asyncio.ensure_future(receive())
    try:
        await asyncio.wait((turn, gone), return_when=asyncio.FIRST_COMPLETED)
        return turn.done()
    finally:
        gone.cancel()
        turn.cancel()
        with suppress(asyncio.CancelledError):
            await turn
