"""What the server keeps of finished runs for frames in full size: so many bytes, and no more."""

import errno
import os
from types import SimpleNamespace

from fake_engine import FakeEngine
from loops import everything
from loops import finish as finish_work

from explorer.engine import Finished
from explorer.settings import RunSettings
from explorer.ui.full_frames import FullFrames, RecordedRuns


def run(size: int) -> list:
    """A run of two lanes whose recorded arrays take `size` bytes."""
    return [SimpleNamespace(nbytes=size // 2), SimpleNamespace(nbytes=size - size // 2)]


def finish(runs: RecordedRuns, session: str, trajectories: list) -> None:
    async def events():
        yield Finished(seed=1, steps=2, calls=3, frames=(1,), trajectories=trajectories)

    async def watch():
        async for _ in runs.watched(session, events()):
            pass

    finish_work(watch())


def test_the_oldest_go_where_there_are_too_many_bytes():
    runs = RecordedRuns(most=1000)
    for session in "abc":
        finish(runs, session, run(400))
    assert runs.nbytes == 800
    assert [bool(runs.get(session)) for session in "abc"] == [False, True, True]
    finish(runs, "d", run(5000))
    assert [bool(runs.get(session)) for session in "abcd"] == [False, False, False, True]


def test_a_page_that_leaves_takes_its_run_with_it():
    runs = RecordedRuns(most=1000)
    finish(runs, "a", run(400))
    runs.forget("a")
    assert runs.get("a") == ()


def test_frames_in_full_size_that_cannot_be_written_are_said():
    engine = FakeEngine(pace=0)
    engine.full_side = 8
    frames = FullFrames(engine)
    run = everything(engine.astream(RunSettings(steps=2, seed=1)))[-1]
    frames.runs._runs["visitor"] = run.trajectories

    def keep(data: bytes, name: str) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere")

    asked = {"run": 3, "cursor": [0, 0], "view": "denoised"}
    last = everything(frames.payloads("visitor", asked, keep))[-1]
    assert (last["run"], last["over"], last["frames"]) == (3, True, [])
    assert last["message"] == (
        "The server could not write the calls in full size (No space left on device): those that "
        "are missing stay small."
    )
