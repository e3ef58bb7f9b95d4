"""Stop, whatever a run is at: its calls, its last pictures, its frames. Counted, not timed."""

import io
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from PIL import Image

from explorer.engine import Engine, MakingFrames
from explorer.models import previews
from explorer.models.preview_decoder import TinyDecoder
from explorer.models.previews import LinearDecoder
from explorer.records.pictures import thumbnail
from explorer.runs import event_builder
from explorer.runs.job import Job, Stopped
from explorer.runs.registry import recorded_run
from explorer.runtime.interruptible import interruptible
from explorer.settings import RunSettings, picture_url

SETTINGS = RunSettings(prompt="a red house", seed=7, steps=4, preview_decoder="full")
CALLS = 7
FRAMES = 2 * 2 * CALLS


class Grey:
    """A decoder of grey pictures, which counts them and has an action before each."""

    def __init__(self, act=lambda number: None):
        self.act, self.made = act, 0

    def __call__(self, latents):
        for _ in latents:
            self.made += 1
            self.act(self.made)
        return np.full((len(latents), 16, 16, 3), 100, np.uint8)


def stops(cancel, at):
    """An action that stops the run at a decoder's picture number `at`."""
    return lambda number: cancel.set() if number == at else None


def stops_call(cancel, numbers, at):
    """A hook that stops the run in model call number `at`."""
    return lambda *_: cancel.set() if next(numbers) == at else None


@pytest.fixture(scope="module")
def loaded(tiny_pipeline_folder):
    engine = Engine(tiny_pipeline_folder, device="cpu")
    engine.load()
    return engine


@pytest.fixture
def engine(loaded):
    """The engine, whose decoder a test may exchange."""
    model = loaded.model()
    decode = model.decode
    yield loaded
    model.decode = decode


@pytest.fixture
def no_grace(monkeypatch):
    monkeypatch.setattr(event_builder, "EXACT_AFTER_STOP_S", 0.0)
    monkeypatch.setattr(event_builder, "NEWEST_AFTER_STOP_S", 0.0)


@pytest.fixture
def every_core(monkeypatch):
    """Frames wait for the end of the calls."""
    monkeypatch.setattr("explorer.runtime.threads.has_spare_core", lambda: False)


def opened(data) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("batch", [1, 5])
def test_a_stop_while_frames_are_made_keeps_the_pictures(engine, no_grace, every_core, batch):
    cancel = threading.Event()
    decode = engine.model().decode = Grey(stops(cancel, 9))
    last = list(engine.stream(replace(SETTINGS, batch_size=batch), cancel))[-1]
    assert 9 <= decode.made <= 12  # the slice or the frame under way is made whole
    exact, part = divmod(decode.made, batch)
    assert part == 0
    assert last.state == "done"
    assert all(each.state == "done" for each in last.trajectories)
    assert len(last.images) == 2
    assert [each.nfe for each in last.trajectories] == [CALLS, CALLS]
    assert last.approximation == (
        f"{FRAMES - exact} of {FRAMES} frames are approximate, by linear colours: "
        "stopped before they were made."
    )
    marked = 0
    for lane, frames in enumerate(last.frames):
        size = (16, 16) if batch == 1 else (10, 15)  # five in a grid of three by two
        assert frames.denoised.shape == frames.noisy.shape == (CALLS, *size, 3)
        for view, calls in frames.approximate.items():
            marked += len(calls)
            for call, frame in enumerate(getattr(frames, view)):
                # a tile of a batch has black cells
                is_exact = np.isin(frame, (0, 100)).all()
                assert is_exact == (call not in calls), (lane, view, call)
    assert marked == FRAMES - exact


def test_frames_that_take_no_time_are_made_as_ever_after_a_stop(engine, every_core, monkeypatch):
    monkeypatch.setattr(event_builder, "EXACT_AFTER_STOP_S", 1e9)
    cancel = threading.Event()
    decode = engine.model().decode = Grey(stops(cancel, 1))
    event = list(engine.stream(SETTINGS, cancel))[-1]
    assert event.state == "done"
    assert (event.message, event.approximation) == ("", "")
    assert decode.made == FRAMES
    assert all(not any(each.approximate.values()) for each in event.frames)


def test_a_stopped_run_has_a_frame_of_each_of_its_calls(engine, no_grace, every_core):
    cancel = threading.Event()
    decode = engine.model().decode = Grey()
    numbers = iter(range(1, CALLS + 1))
    handle = engine.pipeline.unet.register_forward_pre_hook(stops_call(cancel, numbers, 3))
    try:
        last = list(engine.stream(SETTINGS, cancel))[-1]
    finally:
        handle.remove()
    assert last.state == "cancelled"
    assert decode.made == 0
    assert [each.nfe for each in last.trajectories] == [3, 3]
    assert [len(each.noisy) for each in last.frames] == [3, 3]
    assert "12 of 12 frames are approximate" in last.approximation
    assert [each.approximate["noisy"] for each in last.frames] == [(0, 1, 2)] * 2


def test_a_stopped_run_shows_its_newest_predictions_as_they_are(
    engine, no_grace, every_core, monkeypatch
):
    """In the history too, whose small picture is made of them."""
    monkeypatch.setattr(event_builder, "NEWEST_AFTER_STOP_S", 1e9)
    cancel = threading.Event()
    engine.model().decode = Grey()
    numbers = iter(range(1, CALLS + 1))
    handle = engine.pipeline.unet.register_forward_pre_hook(stops_call(cancel, numbers, 3))
    try:
        last = list(engine.stream(SETTINGS, cancel))[-1]
    finally:
        handle.remove()
    assert last.state == "cancelled"
    assert [each.nfe for each in last.trajectories] == [3, 3]
    assert all(2 not in each.approximate["denoised"] for each in last.frames)
    assert len(last.frames[0].approximate["noisy"]) == 3
    assert (opened(recorded_small_picture(last)) == 100).all()


def test_a_stop_waits_for_no_slow_decoder_of_the_newest_predictions(
    engine, every_core, no_grace, monkeypatch
):
    monkeypatch.setattr(event_builder, "NEWEST_AFTER_STOP_S", 0.05)
    cancel, decode = threading.Event(), TinyDecoder(AutoencoderTiny(latent_channels=4))
    engine.model().decode = decode
    layers = []

    def slow(*_):
        layers.append(threading.Event().wait(0.1))

    decode.network.decoder.layers[0].register_forward_pre_hook(slow)
    numbers = iter(range(1, CALLS + 1))
    handle = engine.pipeline.unet.register_forward_pre_hook(stops_call(cancel, numbers, 3))
    try:
        last = list(engine.stream(SETTINGS, cancel))[-1]
    finally:
        handle.remove()
    assert len(layers) == 1
    assert [each.approximate["denoised"] for each in last.frames] == [(0, 1, 2)] * 2


def recorded_small_picture(event) -> bytes:
    """The small picture of a run's folder."""
    return thumbnail(recorded_run("a" * 32, event).lanes)


def test_linear_colours_are_what_a_model_without_a_tiny_decoder_has(
    engine, no_grace, every_core, monkeypatch
):
    wanted = list(engine.stream(SETTINGS))[-1].frames
    cancel, decode = threading.Event(), LinearDecoder.__call__

    def first_slice(*arguments):
        assert not cancel.is_set()
        cancel.set()
        return decode(*arguments)

    monkeypatch.setattr(LinearDecoder, "__call__", first_slice)
    event = list(engine.stream(SETTINGS, cancel))[-1]
    assert (event.state, event.message, event.approximation) == ("done", "", "")
    for ours, theirs in zip(event.frames, wanted, strict=True):
        np.testing.assert_array_equal(ours.denoised, theirs.denoised)
        np.testing.assert_array_equal(ours.noisy, theirs.noisy)
        assert not any(ours.approximate.values())


def test_events_say_how_many_frames_are_made(engine, every_core):
    engine.model().decode = Grey(lambda number: threading.Event().wait(0.03))
    told = [event for event in engine.stream(SETTINGS) if isinstance(event, MakingFrames)]
    assert {event.due for event in told} == {FRAMES}
    made = [event.made for event in told]
    assert len(made) > 3
    assert made == sorted(set(made))
    assert {event.state for event in told} == {"running"}
    assert told[-1].message == f"Making frames, {made[-1]} of {FRAMES}."
    assert told[-1].eta_s < told[1].eta_s


def test_events_say_that_pictures_are_decoded(engine, monkeypatch):
    go, said = threading.Event(), []
    pixels = previews.VaeDecoder._pixels

    def slow(*arguments):
        go.wait(5)
        return pixels(*arguments)

    monkeypatch.setattr(previews.VaeDecoder, "_pixels", slow)
    for event in engine.stream(replace(SETTINGS, preview_decoder="auto")):
        said.append(event.message)
        if event.message.startswith("Decoding"):
            go.set()
    assert event.state == "done"
    assert "Decoding the picture of Lane A, DPM2." in said


def layers_until_stopped(job_settings, engine, cancel, at, monkeypatch):
    """Run; the check of layer number `at` since the last call was made sets the cancel flag."""
    looks, check = [], Job.check_stop

    def look(job):
        if all(len(calls) == CALLS for calls in job.calls):
            looks.append(job.note)
            if len(looks) == at:
                cancel.set()
        check(job)

    monkeypatch.setattr(Job, "check_stop", look)
    return list(engine.stream(job_settings, cancel))[-1], looks


def test_a_stop_while_the_last_pictures_are_decoded_waits_for_one_layer(engine, monkeypatch):
    monkeypatch.setattr(previews, "LONG", 0)
    cancel = threading.Event()
    settings = replace(SETTINGS, preview_decoder="auto")
    last, looks = layers_until_stopped(settings, engine, cancel, 20, monkeypatch)
    decoding = [note for note in looks if note.startswith("Decoding")]
    assert len(decoding) > 10  # of a layer each, all but the last before the stop
    assert len(looks) == 20
    assert last.state == "cancelled"
    assert last.images == ()
    assert [each.nfe for each in last.trajectories] == [CALLS, CALLS]
    assert "Stopped before the last picture was decoded of: Lane A, DPM2; Lane B" in last.message
    monkeypatch.undo()
    assert not any(each._forward_pre_hooks for each in engine.pipeline.vae.modules())
    assert engine.run(settings)[0].nfe == CALLS


def test_a_picture_that_is_decoded_already_is_kept(engine, monkeypatch):
    cancel, pixels, decoded = threading.Event(), previews.VaeDecoder._pixels, []

    def stop_at_second(*arguments):
        decoded.append(0)
        if len(decoded) == 2:
            cancel.set()
            raise Stopped
        return pixels(*arguments)

    monkeypatch.setattr(previews.VaeDecoder, "_pixels", stop_at_second)
    last = list(engine.stream(replace(SETTINGS, preview_decoder="auto"), cancel))[-1]
    assert last.state == "cancelled"
    assert [image is not None for image in last.images] == [True, False]
    assert [each.state for each in last.trajectories] == ["done", "cancelled"]
    assert "decoded of: Lane B, DPM2 a." in last.message


def test_files_of_pictures_are_packed_quickly_from_the_stop_on(engine, monkeypatch):
    cancel, quick, packed = threading.Event(), [], event_builder.lane_png

    def lane_png(trajectory, is_quick):
        quick.append(is_quick)
        cancel.set()
        return packed(trajectory, is_quick)

    monkeypatch.setattr(event_builder, "lane_png", lane_png)
    last = list(engine.stream(SETTINGS, cancel))[-1]
    assert quick == [False, True]
    assert len(last.images) == 2 and all(last.images)


def test_a_stop_ends_a_live_preview_by_the_vae(engine, no_grace, monkeypatch):
    monkeypatch.setattr(previews, "LONG", 0)
    cancel, looks, check = threading.Event(), [], Job.check_stop
    follower, decoding = threading.current_thread(), threading.Event()

    def look(job):
        if threading.current_thread() is not follower:
            if job.calls[0]:
                assert decoding.wait(60)  # the run is not over before its first preview
        elif job.calls[0]:
            decoding.set()
            looks.append(cancel.is_set())
            if len(looks) == 10:
                cancel.set()
        check(job)

    monkeypatch.setattr(Job, "check_stop", look)
    last = list(engine.stream(SETTINGS, cancel))[-1]
    assert looks.count(True) <= 1
    assert len(looks) >= 10
    assert last.state == "cancelled"


def test_a_stop_while_a_start_picture_is_encoded_waits_for_one_layer(engine, monkeypatch):
    start = picture_url(Image.new("RGB", (64, 64)))
    cancel, looks, check = threading.Event(), [], Job.check_stop

    def look(job):
        looks.append(cancel.is_set())
        if len(looks) == 12:
            cancel.set()
        check(job)

    monkeypatch.setattr(Job, "check_stop", look)
    (one, _) = engine.run(replace(SETTINGS, init_image=start, strength=0.5), cancel)
    assert (one.state, one.nfe) == ("cancelled", 0)
    assert looks.count(True) == 0  # the stop's own look raises


def test_the_tiny_decoder_is_broken_off_between_layers():
    torch.manual_seed(0)
    decode = TinyDecoder(AutoencoderTiny(latent_channels=4))
    latents, looks = np.zeros((1, 4, 8, 8), np.float32), []

    def check():
        looks.append(0)
        if len(looks) == 5:
            raise Stopped

    with interruptible(check), pytest.raises(Stopped):
        decode(latents)
    assert len(looks) == 5
    assert decode(latents).shape == (1, 64, 64, 3)
    assert len(looks) == 5  # another's check is not ours


def test_one_runs_check_does_not_end_another_through_the_same_network(engine):
    """A run that was stopped may still be in the VAE when the next one is."""
    decode = previews.VaeDecoder(engine.pipeline.vae)
    latents, inside = np.zeros((1, 4, 8, 8), np.float32), []

    def first_check():
        if not inside:
            inside.append(True)
            thread = threading.Thread(target=lambda: inside.append(decode(latents)))
            thread.start()
            thread.join()
        raise Stopped

    previous, previews.LONG = previews.LONG, 0
    try:
        with interruptible(first_check), pytest.raises(Stopped):
            decode(latents)
    finally:
        previews.LONG = previous
    assert len(inside) == 2  # the other's picture came
