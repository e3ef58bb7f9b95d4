"""Waiting in tests for what happens in another thread, task or process."""

import asyncio
import inspect
import time
from collections.abc import Callable, Iterator

PATIENCE_S = 90.0
POLL_S = 0.02


def wait_until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Return when the condition is true; fail after `patience_s` seconds."""
    for _ in _attempts(condition, patience_s):
        time.sleep(POLL_S)


async def wait_until_async(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """As `wait_until`, while other tasks of the event loop go on."""
    for _ in _attempts(condition, patience_s):
        await asyncio.sleep(POLL_S)


def _attempts(condition: Callable[[], object], patience_s: float) -> Iterator[None]:
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            source = inspect.getsource(condition).strip()
            raise AssertionError(f"Not true within {patience_s:g} s: {source}")
        yield
