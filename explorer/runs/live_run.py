"""A run of this process: what it last told, and who follows it.

It goes on whoever watches. Each watcher gets the newest payload when it is ready for one, so that
nothing piles up for one that is slow.
"""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from typing import Any

from explorer.records.run import RecordedRun

HEARTBEAT_S = 2.0  # of a watcher who is told nothing new
LOOK_S, SHORTEST_S = 0.5, 0.02  # between two looks at who is there

Payload = dict[str, Any]


class LiveRun:
    """A run under its `id`, of an `owner` and a `session`; set `cancel` to stop it.

    `plan` is what the page needs to draw any payload. `recorded` is what was recorded, if
    anything was. Everything but `cancel` belongs to one event loop.
    """

    def __init__(self, id: str, owner: str, session: str, grace_s: float):
        self.id, self.owner, self.session = id, owner, session
        self.cancel = threading.Event()
        self.plan: Mapping[str, Any] = {}
        self.recorded: RecordedRun | None = None
        self.ended = False
        self._grace_s = grace_s
        self._newest: Payload = {}
        self._count = 0  # of the payloads so far
        self._news = asyncio.Event()
        self._watchers: set[_Watcher] = set()
        self._seen_at: float | None = None  # when somebody was last there

    # --- who is there ----------------------------------------------------------------------------

    def listening(self) -> bool:
        """Whether somebody follows the run, or did and may come back.

        Not before its first payload has been read: a run that nobody ever opened is not begun.
        """
        if any(each.reads() for each in self._watchers):
            self._seen_at = time.monotonic()
        return self._seen_at is not None and not self.is_abandoned

    @property
    def is_abandoned(self) -> bool:
        """Whether those who followed it have been away for longer than the grace time."""
        return self._seen_at is not None and time.monotonic() - self._seen_at > self._grace_s

    async def stop_when_abandoned(self) -> None:
        """Stop the run once nobody has been there for the grace time; look until it has ended."""
        while not self.ended:
            await asyncio.sleep(max(SHORTEST_S, min(LOOK_S, self._grace_s / 4)))
            self.listening()
            if self.is_abandoned:
                self.cancel.set()

    # --- what it tells ---------------------------------------------------------------------------

    def publish(self, payload: Mapping[str, Any]) -> None:
        """Make this the newest payload."""
        self._newest = {"id": self.id, **payload}
        self._count += 1
        self._wake()

    def end(self) -> None:
        """The newest payload is the last one."""
        if not self.ended:
            self.ended = True
            self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    @property
    def whole(self) -> Payload:
        """The newest payload with the plan."""
        return {"id": self.id, **self.plan, **self._newest}

    async def begun(self) -> None:
        """Wait for the first payload."""
        while not self._count and not self.ended:
            await self._news.wait()

    async def watch(
        self, reads: Callable[[], bool] = lambda: True
    ) -> AsyncGenerator[Payload | None, None]:
        """Yield the newest payload with the plan, each newer one that there is time for, the last.

        None is yielded in between where there is nothing new for two seconds: a connection that
        was cut is noticed only when something is sent. `reads()` says whether all that was yielded
        has been read; until then only the last payload is yielded.
        """
        watcher = _Watcher(reads)
        self._watchers.add(watcher)
        seen, due = 0, time.monotonic() + HEARTBEAT_S
        try:
            while True:
                news = self._news
                if self._count > seen and (self.ended or not seen or reads()):
                    payload = self._newest if seen else self.whole
                    seen = self._count
                elif self.ended:
                    return
                elif time.monotonic() < due:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(news.wait(), due - time.monotonic())
                    continue
                else:
                    payload = None
                watcher.waits = False
                yield payload
                watcher.waits, due = True, time.monotonic() + HEARTBEAT_S
                self.listening()
        finally:
            watcher.waits = seen > 0  # it has taken the newest one before it left
            self.listening()
            self._watchers.discard(watcher)


class _Watcher:
    """Somebody who follows a run, and `waits` while all payloads so far have been taken."""

    def __init__(self, reads: Callable[[], bool]):
        self._reads, self.waits = reads, True

    def reads(self) -> bool:
        return self.waits and self._reads()
