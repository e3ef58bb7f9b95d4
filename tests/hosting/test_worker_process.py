"""Real worker processes, without a model: killed at any moment, stopped, closed, orphaned."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_engine import FakeEngine
from far_engine import FULL_SIDE, engine_in_processes
from loops import finish
from polling import wait_until

from explorer.hosting.workers.backend import BackendError
from explorer.hosting.workers.border_engine import BorderEngine
from explorer.hosting.workers.process_backend import ProcessBackend
from explorer.hosting.workers.worker_process import AHEAD, NICENESS, WorkerOptions
from explorer.models.catalog import ModelError
from explorer.runs.events import Cancelled, Denoising, Event, Failed, Finished, MakingFrames
from explorer.settings import RunSettings
from explorer.settings.limits import Limits

TESTS = Path(__file__).resolve().parents[1]
PATIENCE_S = 60.0


@pytest.fixture
def engine() -> Iterator[BorderEngine]:
    engine = engine_in_processes()
    yield engine
    engine.close(0.0)


def settings(prompt: str = "a boat", **more) -> RunSettings:
    return RunSettings(prompt=prompt, seed=5, **{"steps": 4} | more)


def follow(
    engine: BorderEngine, run: RunSettings, on_event: Callable[[Event], None] = lambda event: None
) -> list[Event]:
    """All events of a run, each of which is also given to `on_event`."""

    async def all_of() -> list[Event]:
        events = []
        async for event in engine.astream(run):
            on_event(event)
            events.append(event)
        return events

    return finish(all_of())


def kill(engine: BorderEngine, number: int = 0) -> None:
    with suppress(ProcessLookupError):
        os.kill(engine.backends[number].pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


MOMENTS = {
    "while the process begins": ("a boat", lambda event: True),
    "while it loads": ("a boat [loading]", lambda event: event.state == "loading"),
    "at the first call": ("a boat [hold 1]", lambda event: getattr(event, "call", 0) == 1),
    "in the middle": ("a boat [hold 4]", lambda event: getattr(event, "call", 0) == 4),
    "while frames are made": ("a boat [frames]", lambda event: isinstance(event, MakingFrames)),
    "while the last event is shipped": ("a boat [last]", lambda event: False),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_that_is_killed_costs_its_run_and_the_next_one_works(engine, moment):
    prompt, is_now = MOMENTS[moment]
    if moment != "while the process begins":
        wait_until(lambda: engine.backends[0].ready)
    killed = []

    def look(event: Event) -> None:
        if is_now(event) and not killed:
            killed.append(engine.backends[0].pid)
            kill(engine)

    *_, last = follow(engine, settings(prompt), look)
    if not (moment == "while the process begins" and isinstance(last, Finished)):
        # It had been given the run, which otherwise goes to the next one.
        assert isinstance(last, Failed)
        assert "ended by the system" in last.message
        assert "memory" in last.message
        assert last.worker_died
    assert not engine.queue.busy
    *_, last = follow(engine, settings())
    assert isinstance(last, Finished)
    assert engine.backends[0].pid not in killed


def test_a_run_that_waits_is_none_of_those_that_a_kill_costs(engine):
    wait_until(lambda: engine.backends[0].ready)

    async def both() -> list[list[Event]]:
        async def first() -> list[Event]:
            events = []
            async for event in engine.astream(settings("a boat [hold 3]")):
                events.append(event)
                if getattr(event, "call", 0) == 3 and engine.queue.runs == 2:
                    kill(engine)
            return events

        async def second() -> list[Event]:
            return [event async for event in engine.astream(settings())]

        return await asyncio.gather(first(), second())

    first, second = finish(both())
    assert isinstance(first[-1], Failed)
    assert isinstance(second[-1], Finished)


def test_a_crash_is_told_apart_from_a_kill(engine):
    *_, last = follow(engine, settings("a boat [exit]"))
    assert isinstance(last, Failed)
    assert "has crashed (with exit status 7)" in last.message
    assert last.worker_died
    assert isinstance(follow(engine, settings())[-1], Finished)


def test_whatever_ends_the_thread_of_a_run_is_told(engine):
    async def run() -> Event:
        async with asyncio.timeout(PATIENCE_S):
            return [event async for event in engine.astream(settings("a boat [leave]"))][-1]

    last = finish(run())
    assert isinstance(last, Failed)
    assert "SystemExit" in last.message
    assert isinstance(follow(engine, settings())[-1], Finished)


def test_a_killed_run_shows_how_far_it_was_told(engine):
    wait_until(lambda: engine.backends[0].ready)

    def look(event: Event) -> None:
        if getattr(event, "call", 0) == 4:
            kill(engine)

    *_, last = follow(engine, settings("a boat [hold 4]"), look)
    assert (last.call, last.calls) == (4, 7)
    assert all(last.previews)
    assert last.trajectories == ()


def test_a_stop_reaches_the_worker_within_a_call(engine):
    wait_until(lambda: engine.backends[0].ready)
    cancel, stopped = threading.Event(), []

    async def stop() -> Event:
        async for event in engine.astream(settings(steps=500), cancel):
            if getattr(event, "call", 0) > 3 and not stopped:
                cancel.set()
                stopped.append(event.call)
        return event

    last = finish(stop())
    assert isinstance(last, Cancelled)
    assert last.trajectories[0].nfe < 200  # of 999, on however busy a machine
    assert isinstance(follow(engine, settings())[-1], Finished)


def test_a_stream_that_is_left_stops_the_worker(engine):
    async def leave() -> None:
        events = engine.astream(settings(steps=500))
        async for event in events:
            if isinstance(event, Denoising):
                break
        await events.aclose()

    finish(leave())
    wait_until(lambda: not engine.queue.busy)
    assert isinstance(follow(engine, settings())[-1], Finished)


def test_two_workers_run_side_by_side_and_one_of_them_may_die():
    engine = engine_in_processes(2, pace=0.05)
    try:
        wait_until(lambda: all(each.ready for each in engine.backends))

        async def crowd() -> list[Event]:
            async def run(prompt: str) -> Event:
                return [event async for event in engine.astream(settings(prompt))][-1]

            runs = [asyncio.ensure_future(run(str(at))) for at in range(6)]
            await asyncio.sleep(0.3)
            assert engine.queue.runs == 6
            kill(engine)
            return await asyncio.gather(*runs)

        ends = [type(end) for end in finish(crowd())]
        assert ends.count(Finished) == 5
        assert ends.count(Failed) == 1
    finally:
        engine.close(0.0)


def test_frames_in_full_size_cross_the_border(engine):
    *_, last = follow(engine, settings())
    near = FakeEngine()
    near.full_side = FULL_SIDE
    frames = list(engine.full_frames(last.trajectories, [2, 2], "noisy"))
    assert frames == list(near.full_frames(last.trajectories, [2, 2], "noisy"))
    assert len(frames) == 2 * 2 * 7  # lanes, views, calls
    assert engine.resident == "bundled"


def test_frames_are_made_no_faster_than_they_are_taken(engine):
    """Who may use little of the device takes them slowly, and has it made little."""
    *_, last = follow(engine, settings())
    frames = engine.full_frames(last.trajectories)
    next(frames)
    asked = engine.backends[0]._process._asked
    wait_until(lambda: len(asked) == 1)  # the run's answers are forgotten
    (unread,) = asked.values()
    wait_until(lambda: unread.qsize() >= AHEAD)
    time.sleep(0.5)
    assert unread.qsize() == AHEAD
    assert len(list(frames)) == 2 * 2 * 7 - 1


def test_the_pages_process_goes_before_its_workers(engine):
    """On cores that both want."""
    wait_until(lambda: engine.backends[0].ready)
    ours, theirs = (os.getpriority(os.PRIO_PROCESS, pid) for pid in (0, engine.backends[0].pid))
    assert theirs == min(ours + NICENESS, 19)
    assert ours + NICENESS > ours


@pytest.mark.parametrize("prompt", ["a boat", "a boat [hold 3]", "a boat [deaf]"])
def test_closing_ends_the_process_whatever_it_does(prompt):
    engine = engine_in_processes()
    wait_until(lambda: engine.backends[0].ready)
    ends: list[Event] = []

    async def run() -> None:
        async for event in engine.astream(settings(prompt, steps=200)):
            ends[:] = [event]

    thread = threading.Thread(target=finish, args=(run(),))
    thread.start()
    wait_until(lambda: getattr((ends or [None])[-1], "call", 0) > 1)
    pid = engine.backends[0].pid
    in_time = engine.close(1.0)
    assert in_time == ("deaf" not in prompt)
    wait_until(lambda: not is_alive(pid))
    thread.join(PATIENCE_S)
    assert isinstance(ends[-1], Cancelled)
    with pytest.raises(ModelError, match="ending"):
        engine.load()


ORPHAN = """
import sys, time
from far_engine import engine_in_processes
if __name__ == "__main__":
    engine = engine_in_processes()
    while not engine.backends[0].ready:
        time.sleep(0.02)
    print(engine.backends[0].pid, flush=True)
    {end}
"""


@pytest.mark.parametrize("end", ["time.sleep(600)", "sys.exit(3)", "1 / 0"])
def test_a_worker_ends_with_its_program(tmp_path, end):
    program = tmp_path / "program.py"
    program.write_text(ORPHAN.format(end=end))
    path = os.pathsep.join(map(str, (TESTS, TESTS / "hosting", TESTS.parent)))
    environment = os.environ | {"PYTHONPATH": path}
    with subprocess.Popen(
        [sys.executable, program], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        pid = int(process.stdout.readline())
        if "sleep" in end:
            assert is_alive(pid)
            process.kill()
        process.wait(PATIENCE_S)
    wait_until(lambda: not is_alive(pid))


def test_a_process_has_copies_of_few_recordings():
    """Each page that asks for a run's frames would else cost the process the run's memory again."""
    backend = ProcessBackend(WorkerOptions(limits=Limits(kept_recordings_bytes=100)))
    recording: Any = [SimpleNamespace(nbytes=60)]
    with backend._room(60), pytest.raises(BackendError, match="frames of other runs"):
        next(backend.full_frames(recording, (), "denoised", lambda: False))
    with backend._room(1000):  # one alone fits, whatever its size
        pass
    assert backend._sent == 0
    assert backend.pid is None  # nothing was asked of a process
