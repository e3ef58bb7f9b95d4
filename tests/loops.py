"""Coroutines in tests whose own thread may have Playwright's event loop."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any


def finish(work: Coroutine) -> Any:
    """What the coroutine returns, in an event loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def everything(items) -> list:
    """All that an async iterator yields."""

    async def gather():
        return [item async for item in items]

    return finish(gather())


def as_they_come(items: AsyncIterator) -> Iterator[Any]:
    """What an async iterator yields, each when it comes; in a thread without an event loop."""
    loop = asyncio.new_event_loop()
    with suppress(StopAsyncIteration):
        while True:
            yield loop.run_until_complete(anext(items))
    loop.close()
