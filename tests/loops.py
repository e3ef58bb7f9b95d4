"""Coroutines in tests whose own thread may have Playwright's event loop."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
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
