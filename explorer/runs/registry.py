"""The runs of this process by id: those that go on, whoever watches, and those that have ended."""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any

from explorer.records.errors import RecordError
from explorer.records.run import RecordedRun, new_run_id
from explorer.runs.events import Ended, Event
from explorer.runs.live_run import LiveRun, Payload
from explorer.settings.limits import LIMITS, Limits

LOG = logging.getLogger(__name__)

POLL_S = 0.02
KEEPING_S = 10.0  # how long the end of a run waits for its being written
WRITING = "The run is still being written to the history."
NOT_KEPT = "The run could not be kept; whoever runs the server finds the reason in its log."
TAKEN = "There is a run of this id already; press Run again."

KeepRun = Callable[[RecordedRun, str], str]  # keeps an owner's run; raises RecordError
Payloads = AsyncGenerator[Payload, None]
Key = tuple[str, str]  # a run's owner and id


class RunRegistry:
    """The runs of this process, each with its owner; for one event loop.

    `keep(run, owner)` keeps a recorded run for longer than the process, and returns a sentence for
    its owner, or ""; it is called in a thread and raises RecordError. Of the runs that have ended
    the newest stay, within `limits`; an owner of many makes room before the others do. An id is
    one among its owner's alone, so that it tells nothing of others' runs.
    """

    def __init__(self, limits: Limits = LIMITS, keep: KeepRun | None = None):
        self.keep = keep
        self._limits = limits
        self._runs: dict[Key, LiveRun] = {}  # that go on
        self._ended: dict[Key, LiveRun] = {}  # the newest last
        self._bytes: dict[Key, int] = {}  # of those that have ended
        self._tasks: set[asyncio.Task] = set()

    def get(self, id: str, owner: str) -> LiveRun | None:
        """An owner's run, which goes on or has ended; None where there is none."""
        return self._runs.get((owner, id)) or self._ended.get((owner, id))

    def recorded(self, id: str, owner: str) -> RecordedRun | None:
        """What an owner's run has recorded, if it has ended and is still here."""
        run = self.get(id, owner)
        return run.recorded if run else None

    def adopt(self, run: RecordedRun, owner: str) -> None:
        """Have a run that ended elsewhere among those of an owner that have ended here."""
        live = LiveRun(run.id, owner, "", self._limits.grace_s)
        live.recorded = run
        live.publish({"state": run.state, "message": run.message})
        self._end(live)

    def forget(self, id: str, owner: str) -> None:
        """Drop an owner's run that has ended: it was deleted."""
        if self._ended.pop((owner, id), None):
            self._bytes.pop((owner, id))

    @property
    def nbytes(self) -> int:
        """The memory that the runs which have ended take, in bytes."""
        return sum(self._bytes.values())

    # --- from its begin to its end ---------------------------------------------------------------

    def open(self, id: str, owner: str, session: str) -> LiveRun:
        """A new run under this id, "" for a new one; an earlier run of the session is stopped.

        Raises ValueError for an id that the owner has used.
        """
        id = id or new_run_id()
        if self.get(id, owner):
            raise ValueError(TAKEN)
        self.stop_session(session)
        run = self._runs[owner, id] = LiveRun(id, owner, session, self._limits.grace_s)
        return run

    def begin(
        self,
        run: LiveRun,
        plan: Mapping[str, Any],
        events: AsyncGenerator[Event, None],
        payloads_of: Callable[[AsyncGenerator[Event, None]], Payloads],
    ) -> None:
        """Follow a run's events to their end, as payloads, in a task of its own.

        The task has the context of its caller.
        """
        run.plan = plan
        ends: list[Ended] = []
        self._spawn(self._follow(run, payloads_of(_tapped(events, ends)), ends))
        self._spawn(run.stop_when_abandoned())

    def fail(self, run: LiveRun, payload: Mapping[str, Any]) -> None:
        """End a run that did not begin; the payload says why."""
        run.publish(payload)
        self._end(run)

    def stop_session(self, session: str) -> None:
        """Stop what a session runs, with its newest event; for any thread."""
        for run in tuple(self._runs.values()):
            if run.session == session:
                run.cancel.set()

    def stop(self, id: str, owner: str) -> bool:
        """Stop an owner's run; returns whether there is one of that id. For any thread."""
        run = self.get(id, owner)
        if run is not None:
            run.cancel.set()
        return run is not None

    def settle(self, timeout: float) -> bool:
        """Wait until all runs have ended and are kept, at most so many seconds; whether they are.

        For the program's end, in another thread than the event loop's.
        """
        deadline = time.monotonic() + timeout
        while self._runs and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return not self._runs

    # --- the parts -------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the loop itself holds none
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, run: LiveRun, payloads: Payloads, ends: list[Ended]) -> None:
        try:
            async with aclosing(payloads):
                async for payload in payloads:
                    run.publish(await self._last(run, payload, ends[0]) if ends else payload)
        except Exception:
            LOG.exception("A run could not be followed to its end")
        finally:
            self._end(run)

    async def _last(self, run: LiveRun, payload: Payload, event: Ended) -> Payload:
        """The last payload, once the run is kept or will not be: with `kept`, and why not."""
        if not any(each.calls for each in event.trajectories):
            return payload
        work = asyncio.ensure_future(asyncio.to_thread(self._record, run, event))
        done, _ = await asyncio.wait({work}, timeout=KEEPING_S)
        kept, sentence = work.result() if done else (False, WRITING)
        message = " ".join(filter(None, (payload.get("message"), sentence)))
        last = payload | {"kept": kept, "message": message}
        if result := payload.get("run"):
            last["run"] = result | {"id": run.id}
        return last

    def _record(self, run: LiveRun, event: Ended) -> tuple[bool, str]:
        """Keep what was recorded, in this thread: whether that succeeded, and a sentence or ""."""
        try:
            run.recorded = recorded_run(run.id, event)
            return self.keep is not None, self.keep(run.recorded, run.owner) if self.keep else ""
        except RecordError as error:
            LOG.warning("a run was not kept: %s", error)
            return False, str(error)
        except Exception:
            LOG.exception("a run was not kept")
            return False, NOT_KEPT

    def _end(self, run: LiveRun) -> None:
        run.end()
        key = run.owner, run.id
        self._runs.pop(key, None)
        self._ended[key] = run
        self._bytes[key] = len(json.dumps(run.whole)) + _nbytes(run.recorded)
        most, limit = self._limits.kept_runs, self._limits.kept_recordings_bytes
        while len(self._ended) > 1 and (len(self._ended) > most or self.nbytes > limit):
            leaving = self._next_to_leave()
            del self._ended[leaving], self._bytes[leaving]

    def _next_to_leave(self) -> Key:
        """The oldest of those that recorded nothing, which cost nothing to make; else the oldest
        of the owner whose runs take the most; of owners with one run each, the oldest."""
        earlier = list(self._ended)[:-1]
        if nothing := [key for key in earlier if self._ended[key].recorded is None]:
            return nothing[0]
        counts = Counter(owner for owner, _ in self._ended)
        sizes: Counter[str] = Counter()
        for (owner, _), size in self._bytes.items():
            sizes[owner] += size if counts[owner] > 1 else 0
        largest = max(sizes, key=lambda owner: sizes[owner])
        return next((key for key in earlier if key[0] == largest and sizes[largest]), earlier[0])


def recorded_run(id: str, event: Ended) -> RecordedRun:
    """A run that has ended, whole, under its id."""
    return RecordedRun.of(
        event.trajectories,
        event.frames,
        event.images,
        id=id,
        state=event.state,
        message=event.message,
        model_fingerprint=event.model_fingerprint,
    )


async def _tapped(
    events: AsyncGenerator[Event, None], ends: list[Ended]
) -> AsyncGenerator[Event, None]:
    """The events; the last one is put into `ends` too."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Ended):
                ends.append(event)
            yield event


def _nbytes(run: RecordedRun | None) -> int:
    """The memory that a recorded run takes, in bytes."""
    if run is None:
        return 0
    arrays = [array for each in run for array in (each.final, each.images) if array is not None]
    files = [lane.picture_file for lane in run.lanes if lane.picture_file]
    files += [sheet.file for lane in run.lanes for sheet in lane.sheets.values()]
    recordings = sum(each.nbytes for each in run)
    return recordings + sum(array.nbytes for array in arrays) + sum(map(len, files))
