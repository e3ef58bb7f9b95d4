"""Whatever breaks wherever in a run: it ends with a sentence, and the next run is right."""

import errno
import shutil
import time

import numpy as np
import pytest
import torch
from loops import everything

from explorer.capture.frames import Filmstrip
from explorer.capture.trajectory import Call
from explorer.engine import Engine
from explorer.models.model import Model
from explorer.models.previews import VaeDecoder
from explorer.runs import denoising, dispatch, event_builder, inputs
from explorer.runs.event_builder import EventBuilder
from explorer.runs.fingerprints import Fingerprints
from explorer.runs.job import Job
from explorer.sampling.lockstep import LockstepScheduler
from explorer.settings import LaneSettings, RunSettings
from explorer.views import run
from explorer.views.run import run_payloads

LANES = (LaneSettings(), LaneSettings(sampler="dpm2_a"))
RUN = RunSettings(prompt="a red house", seed=7, steps=3, lanes=LANES)
PATIENCE_S = 30
SECRET = "/srv/secret/file.bin"
# Where, and at which time that it comes there.
PLACES = {
    "refusing": (denoising, "refuse", 1),
    "prompt": (inputs, "encode_prompt", 1),
    "noise": (inputs, "initial_state", 1),
    "schedulers": (denoising, "lane_scheduler", 2),
    "step": (LockstepScheduler, "step", 3),
    "recording": (Call, "of", 4),
    "reading calls": (EventBuilder, "_take_in", 1),
    "decoding begins": (VaeDecoder, "begin", 1),
    "decoding": (VaeDecoder, "_finish", 2),
    "frames": (Filmstrip, "work", 1),
    "frames of a lane": (Filmstrip, "add", 2),
    "sheets": (Filmstrip, "frames", 1),
    "png": (event_builder, "lane_png", 1),
    "trajectories": (Job, "trajectories", 1),
    "preview decoder": (dispatch, "_preview_decoder", 1),
    "after a run": (Model, "after_run", 1),
    "fingerprint": (Fingerprints, "of", 1),
    "payload": (run, "result_payload", 1),
    "progress": (run, "progress_payload", 2),
}
FAULTS = {
    "device memory": lambda: torch.OutOfMemoryError("CUDA out of memory."),
    "host memory": lambda: MemoryError(),
    "disk": lambda: OSError(errno.ENOSPC, "No space left on device", SECRET),
    "anything": lambda: KeyError(f"{SECRET}: <b>odd</b>"),
}


@pytest.fixture(scope="module")
def engine(tiny_pipeline_folder):
    engine = Engine(tiny_pipeline_folder, device="cpu")
    engine.load()
    return engine


def keep(data: bytes, name: str) -> str:
    return f"kept/{name}"


def told(engine) -> list[dict]:
    return everything(run_payloads(engine.astream(RUN), keep))


@pytest.fixture(scope="module")
def right(engine):
    return [lane.images for lane in engine.run(RUN)]


def assert_next_run_is_right(engine, right) -> None:
    until = time.monotonic() + PATIENCE_S
    while engine._dispatcher.queue.runs:  # the device is free by the next model call
        assert time.monotonic() < until
        time.sleep(0.02)
    assert told(engine)[-1]["state"] == "done"
    for lane, images in zip(engine.run(RUN), right, strict=True):
        np.testing.assert_array_equal(lane.images, images)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", PLACES)
def test_a_run_breaks_and_the_next_one_is_right(engine, right, monkeypatch, place, fault):
    owner, name, when = PLACES[place]
    as_ever, times = getattr(owner, name), []

    def breaks(*arguments, **named):
        times.append(1)
        if len(times) == when:
            raise FAULTS[fault]()
        return as_ever(*arguments, **named)

    with monkeypatch.context() as patch:
        is_of_class = isinstance(vars(owner).get(name), classmethod)
        patch.setattr(owner, name, staticmethod(breaks) if is_of_class else breaks)
        payloads = told(engine)
    assert len(times) >= when, "the run never comes there"
    last = payloads[-1]
    assert last["state"] == "error", last["state"]
    assert len(last["message"]) > 20
    assert last["message"].rstrip()[-1] in ".)"
    assert SECRET not in str(payloads)
    assert "Traceback" not in str(payloads)
    assert_next_run_is_right(engine, right)


def test_a_models_folder_that_goes_while_it_is_in_memory_costs_nothing(
    family_folder, tmp_path, untraced
):
    folder = tmp_path / "model"
    shutil.copytree(family_folder("sd1"), folder)
    other = family_folder("sdxl")
    engine = Engine(folder, device="cpu", models=[other])
    first = engine.run(RUN)
    shutil.rmtree(folder)
    last = list(engine.stream(RUN))[-1]
    assert last.state == "done"
    for before, after in zip(first, last.trajectories, strict=True):
        np.testing.assert_array_equal(before.images, after.images)
    names = [entry.name for entry in engine.entries]
    assert list(engine.stream(RunSettings(prompt="x", steps=2, model=names[1])))[-1].state == "done"
    back = list(engine.stream(RunSettings(prompt="x", steps=2, model=names[0])))[-1]
    assert back.state == "error"
    assert str(tmp_path) not in back.message
    assert list(engine.stream(RunSettings(prompt="x", steps=2, model=names[1])))[-1].state == "done"
