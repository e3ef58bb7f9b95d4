"""Frames in full size that a page asks for by its run's id: only its owner gets them."""

import errno
import os

from fake_engine import FakeEngine
from loops import everything

from explorer.records.errors import ForeignRun
from explorer.runs.registry import recorded_run
from explorer.settings import RunSettings
from explorer.ui.full_frames import FullFrames
from explorer.ui.run_names import RunName

ID = "0" * 32
ASKED = {"run": 3, "cursor": [0, 0], "view": "denoised"}


def frames_of_a_run() -> FullFrames:
    engine = FakeEngine(pace=0)
    engine.full_side = 8
    run = recorded_run(ID, everything(engine.astream(RunSettings(steps=2, seed=1)))[-1])

    def open_run(id: str, owner: str):
        if (id, owner) != (ID, "me"):
            raise ForeignRun("There is no such run.")
        return run

    return FullFrames(engine, open_run)


def payloads(name: RunName, keep) -> list[dict]:
    return everything(frames_of_a_run().payloads("session", name, ASKED, keep))


def test_every_page_of_the_owner_gets_all_frames_of_the_run():
    *_, last = told = payloads(RunName(ID, "me"), lambda data, name: name)
    assert last["over"]
    assert sum(len(each["frames"]) for each in told) == 2 * 2 * 3
    assert {each["run"] for each in told} == {3}


def test_nobody_else_gets_any():
    for name in (RunName(ID, "you"), RunName("", "me")):
        assert not any(each["frames"] for each in payloads(name, lambda data, name: name))


def test_frames_in_full_size_that_cannot_be_written_are_said():
    def keep(data: bytes, name: str) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere")

    last = payloads(RunName(ID, "me"), keep)[-1]
    assert (last["run"], last["over"], last["frames"]) == (3, True, [])
    assert last["message"] == (
        "The server could not write the calls in full size (No space left on device): those that "
        "are missing stay small."
    )
