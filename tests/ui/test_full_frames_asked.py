"""Frames in full size that a page asks for by its run's id: only its owner gets them, in time."""

import asyncio
import errno
import os

import pytest
from fake_engine import FakeEngine
from loops import everything, finish

from explorer.hosting.admission import Admission
from explorer.records.errors import ForeignRun
from explorer.runs.registry import recorded_run
from explorer.settings import RunSettings
from explorer.settings.limits import Limits
from explorer.ui.full_frames import FullFrames
from explorer.ui.run_names import RunName

ID = "0" * 32
ASKED = {"run": 3, "cursor": [0, 0], "view": "denoised"}


def frames_of_a_run(admission: Admission | None = None, device_s: float = 0.0) -> FullFrames:
    engine = FakeEngine(pace=0)
    engine.frame_s = device_s
    engine.full_side = 8
    run = recorded_run(ID, everything(engine.astream(RunSettings(steps=2, seed=1)))[-1])

    def open_run(id: str, owner: str):
        if (id, owner) != (ID, "me"):
            raise ForeignRun("There is no such run.")
        return run

    return FullFrames(engine, open_run, admission or Admission(engine))


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


@pytest.mark.parametrize("limit", ["device_s_per_minute", "device_s_per_minute_per_address"])
def test_frames_wait_while_their_visitor_or_address_has_used_much_of_the_device(limit):
    """Half of what runs may use, of which 100 seconds drain in each."""
    now, waiting = [1000.0], []
    admission = Admission(FakeEngine(), Limits(**{limit: 6000}), lambda: now[0])
    frames = frames_of_a_run(admission, device_s=1500.5)

    async def read() -> None:
        made, name = 0, RunName(ID, "me")
        payloads = frames.payloads("session", name, ASKED, lambda *_: "", "192.0.2.1")
        async with asyncio.timeout(60):
            async for payload in payloads:
                made += len(payload["frames"])
                if payload["frames"]:
                    continue
                waiting.append(made)  # nothing has come for a while
                if len(waiting) == 3:
                    frames.end("session")
                now[0] += 100

    finish(read())
    assert waiting[:3] == [3, 5, 7]  # the first has drained when it is counted


def test_frames_in_full_size_that_cannot_be_written_are_said():
    def keep(data: bytes, name: str) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere")

    last = payloads(RunName(ID, "me"), keep)[-1]
    assert (last["run"], last["over"], last["frames"]) == (3, True, [])
    assert last["message"] == (
        "The server could not write the calls in full size (No space left on device): those that "
        "are missing stay small."
    )
