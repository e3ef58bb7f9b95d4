"""Frames in full size between the runs of a device, and the choice of the preview decoder."""

import io
import threading
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from explorer.capture.full_frames import QUALITIES
from explorer.engine import Denoising, Engine, RunError
from explorer.models.previews import jpeg
from explorer.runs.device_queue import device_queue
from explorer.settings import RunSettings

RUN = RunSettings(prompt="a red house", seed=7, steps=2)
CALLS = 3


@pytest.fixture(scope="module")
def engine(tiny_pipeline_folder):
    engine = Engine(tiny_pipeline_folder, device="cpu")
    engine.load()
    return engine


def test_every_call_of_a_run_comes_in_full_size(engine):
    trajectories = engine.run(RUN)
    frames = list(engine.full_frames(trajectories, [1, 1]))
    assert [(each.lane, each.call) for each in frames[:2]] == [(0, 1), (1, 1)]
    pictures = {(each.lane, each.call, each.view): each.jpeg for each in frames}
    assert len(pictures) == len(frames) == 2 * 2 * CALLS
    last = np.asarray(Image.open(io.BytesIO(pictures[0, CALLS - 1, "denoised"])), float)
    # The last prediction is what the run ended with, to half precision.
    picture = Image.open(io.BytesIO(jpeg(trajectories[0].image, QUALITIES["denoised"])))
    assert np.abs(last - np.asarray(picture, float)).mean() < 1


def test_a_waiting_run_goes_before_frames_and_cancelling_ends_them(engine):
    cancel, queue = threading.Event(), device_queue(engine.device)
    frames = engine.full_frames(engine.run(RUN), [1, 1], cancel=cancel)
    next(frames)
    with queue.hold():
        waiting = queue.join(is_run=False, last=True)
        run = queue.join()
        assert waiting.ahead[-1] is run
        assert waiting not in run.ahead
        waiting.leave()
        run.leave()
        cancel.set()
        assert len(list(frames)) <= 1  # of what was decoded before
    assert not queue.busy


def test_frames_of_a_model_that_is_no_longer_resident_end(engine, monkeypatch):
    frames = engine.full_frames(engine.run(RUN))
    next(frames)
    monkeypatch.setattr(engine._models, "_models", {})
    assert len(list(frames)) <= 1


def test_an_approximation_leaves_full_size_out(engine):
    trajectories = engine.run(replace(RUN, preview_decoder="approx"))
    assert list(engine.full_frames(trajectories)) == []


def test_taesd_is_refused_where_the_model_has_none(engine):
    with pytest.raises(RunError, match="has no TAESD"):
        engine.run(replace(RUN, preview_decoder="taesd"))


def test_full_shows_live_previews_by_the_vae(engine):
    *events, last = engine.stream(replace(RUN, steps=60, preview_decoder="full"))
    assert last.state == "done", last.message
    size = last.trajectories[0].image.shape[1::-1]
    shown = [
        each for event in events if isinstance(event, Denoising) for each in event.previews if each
    ]
    assert shown
    assert {Image.open(io.BytesIO(each)).size for each in shown} == {size}
