"""A run as payloads: plain JSON, and sheets of frames."""

import base64
import errno
import io
import json
import os
import threading
from dataclasses import replace

import pytest
from fake_engine import FakeEngine
from loops import everything, finish
from PIL import Image

from explorer.engine import (
    Cancelled,
    Denoising,
    Failed,
    Finished,
    Loading,
    MakingFrames,
    Queued,
)
from explorer.settings import LaneSettings, RunSettings, picture_url
from explorer.views import kept_pictures
from explorer.views.plan import plan_payload
from explorer.views.progress import Progress, progress_payload
from explorer.views.run import run_payloads
from explorer.whole_files import WholeFiles

SETTINGS = RunSettings(steps=4, seed=5, prompt="a tent")


@pytest.fixture
def kept() -> dict[str, bytes]:
    return {}


@pytest.fixture
def keep(kept):
    def keep(data: bytes, name: str) -> str:
        path = f"{len(kept)}/{name}"
        kept[path] = data
        return path

    return keep


def payloads(settings, keep, cancel=None) -> list[dict]:
    return everything(run_payloads(FakeEngine(pace=0).astream(settings, cancel), keep))


def test_a_run_is_json_and_ends_with_its_record(keep, kept):
    *_, last = json.loads(json.dumps(payloads(SETTINGS, keep)))
    assert (last["state"], last["call"], last["calls"]) == ("done", 7, 7)
    assert last["run"]["seed"] == 5
    a, b = last["run"]["lanes"]
    assert (a["label"], b["label"]) == ("DPM2", "DPM2 a")
    assert [call["second_call"] for call in a["calls"]] == [False, True] * 3 + [False]
    assert a["grid"] == {"columns": 3, "width": 64, "height": 64}
    assert Image.open(io.BytesIO(kept[b["noisy"]])).size == (192, 192)
    assert Image.open(io.BytesIO(kept[a["image"]])).size == (64, 64)


def test_the_plan_is_what_is_then_recorded(keep):
    plan = plan_payload(SETTINGS)
    recorded = payloads(SETTINGS, keep)[-1]["run"]["lanes"]
    assert [lane["calls"] for lane in plan["plan"]] == [lane["calls"] for lane in recorded]


def test_a_plan_leaves_out_what_a_start_picture_does(keep):
    settings = replace(SETTINGS, init_image=picture_url(Image.new("RGB", (8, 8))), strength=0.5)
    plan = plan_payload(settings)
    recorded = payloads(settings, keep)[-1]["run"]["lanes"]
    assert [len(lane["calls"]) for lane in plan["plan"]] == [settings.nfe] * 2 == [3, 3]
    assert [lane["calls"] for lane in plan["plan"]] == [lane["calls"] for lane in recorded]
    assert plan["key"] != plan_payload(SETTINGS)["key"]


def test_the_plan_counts_every_lanes_own_calls():
    own = LaneSettings(sampler="euler", sigmas=(9.0, 4.0, 1.0))
    heun, ours = LaneSettings(sampler="heun"), LaneSettings(sigmas=(9.0, 4.0))
    start = picture_url(Image.new("RGB", (8, 8)))
    settings = replace(SETTINGS, lanes=(own, heun, ours), init_image=start, strength=0.5)
    plan = json.loads(json.dumps(plan_payload(settings)))["plan"]
    assert [lane["label"] for lane in plan] == [
        "Euler (diffusers), custom sigmas",
        "Heun (diffusers)",
        "DPM2, custom sigmas",
    ]
    places = [[(call["step"], call["second_call"]) for call in lane["calls"]] for lane in plan]
    assert places[0] == [(2, False)]
    assert places[1] == [(2, False), (2, True), (3, False)]
    assert places[2] == [(1, False)]
    assert [lane["steps"] for lane in plan] == [3, 4, 2]
    assert [lane["calls"][0]["sigma"] for lane in (plan[0], plan[2])] == [1, 4]


def test_the_plan_is_said_until_the_first_call(keep):
    plan = plan_payload(SETTINGS)
    told = everything(run_payloads(FakeEngine(pace=0).astream(SETTINGS), keep, plan))
    assert all(("plan" in each) == (each["call"] == 0) for each in told)


def test_an_impossible_plan_is_a_sentence():
    lane = LaneSettings(num_train_timesteps=3)
    with pytest.raises(ValueError, match="num_inference_steps"):
        plan_payload(RunSettings(steps=4, lanes=(lane,)))


def test_a_cancelled_run_keeps_nothing_it_does_not_have(keep):
    cancel = threading.Event()
    cancel.set()
    last = payloads(SETTINGS, keep, cancel)[-1]
    assert last["state"] == "cancelled"
    assert "run" not in last


def test_an_exception_is_a_payload(keep):
    last = payloads(RunSettings(prompt="[boom]"), keep)[-1]
    assert last["state"] == "error"
    assert last["message"] == (
        "The run failed unexpectedly (RuntimeError); the server's log has the reason."
    )


def test_leaving_the_payloads_leaves_the_engine(keep):
    engine = FakeEngine(pace=0)

    async def leave():
        run = run_payloads(engine.astream(SETTINGS), keep)
        while (await anext(run))["state"] != "running":
            pass
        assert engine.lock.locked()
        await run.aclose()

    finish(leave())
    assert not engine.lock.locked()


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_cannot_be_written_costs_no_run(reason):
    def keep(data: bytes, name: str) -> str:
        raise OSError(reason, os.strerror(reason), "/somewhere")

    last = json.loads(json.dumps(payloads(SETTINGS, keep)))[-1]
    assert last["state"] == "done"
    assert os.strerror(reason) in last["message"]
    assert "only in this page" in last["message"]
    assert "/somewhere" not in last["message"]
    for lane in last["run"]["lanes"]:
        grid = lane["grid"]
        for view in ("denoised", "noisy"):
            sheet = read_picture_url(lane[view])
            assert sheet.size[0] == grid["columns"] * grid["width"]
        assert read_picture_url(lane["image"]).size == (64, 64)


def test_a_picture_too_large_for_a_message_is_named(monkeypatch):
    def keep(data: bytes, name: str) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kept_pictures, "LARGEST_INLINE", 100)
    last = payloads(SETTINGS, keep)[-1]
    assert "too large for that: the frames of DPM2, " in last["message"]
    assert {lane["image"] for lane in last["run"]["lanes"]} == {None}
    assert [len(lane["calls"]) for lane in last["run"]["lanes"]] == [7, 7]


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    def replace(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        WholeFiles().write(tmp_path / "folder" / "a.png", b"abc")
    assert list((tmp_path / "folder").iterdir()) == []
    monkeypatch.undo()
    WholeFiles().write(tmp_path / "folder" / "a.png", b"abc")
    assert (tmp_path / "folder" / "a.png").read_bytes() == b"abc"


def test_pictures_that_come_when_the_program_ends_are_no_fault(tmp_path, caplog):
    files = WholeFiles()
    files.close(timeout=0)

    def keep(data: bytes, name: str) -> str:
        files.write(tmp_path / name, data)
        return name

    last = payloads(SETTINGS, keep)[-1]
    assert last["state"] == "done"
    assert "The program is ending" in last["message"]
    assert "The program is ending" in caplog.text
    assert "Traceback" not in caplog.text
    assert list(tmp_path.iterdir()) == []


def read_picture_url(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


@pytest.mark.parametrize(
    "event, more",
    [
        (Queued(seed=1, place=2, wait_s=7.0), {"state": "queued", "place": 2, "wait": 7.0}),
        (Loading(seed=1, message="Loading."), {"state": "loading", "message": "Loading."}),
        (
            Denoising(seed=1, lane=0, step=2, steps=4, call=3, calls=7, second_call=True, eta_s=2),
            {"state": "running", "lane": 0, "call": 3, "calls": 7, "second_call": True, "eta": 2},
        ),
        (
            MakingFrames(seed=1, call=7, calls=7, step=4, steps=4, made=3, due=14),
            {"state": "running", "call": 7, "making_frames": True, "eta": None},
        ),
        (Finished(seed=1, steps=4, calls=7, elapsed_s=1.5), {"state": "done", "elapsed": 1.5}),
        (Cancelled(seed=1, steps=4, calls=7), {"state": "cancelled", "call": 0}),
        (Failed(seed=1, steps=4, calls=7, message="Why."), {"state": "error", "message": "Why."}),
    ],
)
def test_every_kind_of_event_has_the_one_shape_of_progress(event, more):
    payload = progress_payload(event)
    assert payload.keys() == Progress.__annotations__.keys()
    assert payload | more == payload
