"""Frames in full size: their order, their slices, and what is left out."""

import io
import pickle
import threading
import time

import numpy as np
import pytest
from PIL import Image

from explorer.capture import full_frames
from explorer.capture.full_frames import BATCH_PIXELS, FrameMaker, batches, outwards, within
from explorer.capture.trajectory import Call, Trajectory


def test_the_frames_on_screen_come_first_then_those_beside_them():
    keys = outwards([5, 3], [2, 1])
    first = [(0, 2), (1, 1), (0, 1), (0, 3)]
    assert keys[:4] == [(*each, "denoised") for each in first]
    assert len(set(keys)) == len(keys) == 2 * (5 + 3)
    assert {view for *_, view in keys[:8]} == {"denoised"}
    assert outwards([5], [2], "noisy")[0] == (0, 2, "noisy")


@pytest.mark.parametrize(("cursor", "first"), [((), 4), ((99,), 4), ((-5,), 0)])
def test_a_cursor_outside_the_run_is_its_nearest_call(cursor, first):
    assert outwards([5], cursor)[0] == (0, first, "denoised")


def test_lanes_without_calls_have_no_frames():
    assert {lane for lane, *_ in outwards([0, 2], [-1, 1])} == {1}


@pytest.mark.parametrize(("pixels", "size"), [(128**2, 8), (512**2, 4), (1024**2, 1), (2048**2, 1)])
def test_a_slice_on_a_gpu_is_bound_by_its_pixels(pixels, size):
    slices = list(batches(outwards([20], [0]), pixels, on_gpu=True))
    assert len(slices[0]) == size
    assert size == 1 or size * pixels <= BATCH_PIXELS
    assert [key for each in slices for key in each] == outwards([20], [0])


def test_a_cpu_makes_one_at_a_time():
    assert {len(each) for each in batches(outwards([5], [0]), 128**2, on_gpu=False)} == {1}


class Decoder:
    """A picture of one grey for each latent of the batch; NaN latents cannot be decoded."""

    def begin(self, latents):
        def finish():
            if np.isnan(latents).any():
                raise FloatingPointError("NaN")
            greys = [np.full((16, 16, 3), round(float(each.mean())), np.uint8) for each in latents]
            return np.stack(greys)

        return finish


def call(index: int, denoised: float, images: int = 1) -> Call:
    place = {"index": index, "step": index, "stage": "step", "sigma": 2.0, "timestep": 9.0}
    latent = np.full((images, 4, 2, 2), 100 * 5**0.5, np.float32)
    return Call.of(**place, latent=latent, denoised=np.full_like(latent, denoised))


def test_views_are_the_prediction_and_the_latent_at_unit_variance():
    run = [Trajectory(calls=(call(0, 40), call(1, np.nan)))]
    with FrameMaker(run) as maker:
        maker.decode(Decoder(), [(0, 0, "denoised"), (0, 1, "denoised"), (0, 0, "noisy")])
        frames = list(maker.finished(wait=True))
    assert [(each.call, each.view) for each in frames] == [(0, "denoised"), (0, "noisy")]
    greys = [np.asarray(Image.open(io.BytesIO(each.jpeg)))[8, 8, 0] for each in frames]
    assert greys == pytest.approx([40, 100], abs=2)
    assert pickle.loads(pickle.dumps(frames)) == frames


def test_a_frame_says_for_how_long_the_device_was_used_for_it_and_for_what_was_left_out():
    class Slow(Decoder):
        def begin(self, latents):
            finish = super().begin(latents)
            time.sleep(0.05)
            return lambda: time.sleep(0.05) or finish()

    run = [Trajectory(calls=(call(0, np.nan), call(1, 40), call(2, 40)))]
    with FrameMaker(run) as maker:
        maker.decode(Slow(), [(0, 0, "denoised")])
        maker.decode(Slow(), [(0, 1, "denoised")])
        maker.decode(Slow(), [(0, 2, "denoised")])
        first, second = maker.finished(wait=True)
    assert first.device_s >= 0.2
    assert second.device_s >= 0.1
    maker = FrameMaker(run)
    began = time.perf_counter()
    with maker:
        maker.decode(Slow(), [(0, 1, "denoised"), (0, 2, "denoised")])
        frames = list(maker.finished(wait=True))
    assert sum(each.device_s for each in frames) <= time.perf_counter() - began


def test_few_decoded_pixels_wait_for_an_encoder(monkeypatch):
    may_encode, full, real = threading.Semaphore(0), [], full_frames.wait

    def encode(key, pictures, device_s):
        assert may_encode.acquire(timeout=60)
        return key

    def wait(encoding, **how):
        full.append(sum(encoding.values()))
        may_encode.release()
        return real(encoding, **how)

    monkeypatch.setattr(full_frames, "_encode", encode)
    monkeypatch.setattr(full_frames, "wait", wait)
    monkeypatch.setattr(full_frames, "WAITING_PIXELS", 2 * 16 * 16)
    keys = [(0, index, "denoised") for index in range(7)]
    with FrameMaker([Trajectory(calls=tuple(call(index, 40) for index in range(7)))]) as maker:
        maker.decode(Decoder(), keys)
        assert full == [2 * 16 * 16] * 5  # the first two have room, the others wait for one
        may_encode.release(2)
        assert list(maker.finished(wait=True)) == keys
    full.clear()
    big = [Trajectory(calls=(call(0, 40, images=3), call(1, 40, images=3)))]
    with FrameMaker(big) as maker:  # larger than what may wait: one after the other
        maker.decode(Decoder(), keys[:2])
        assert full == [3 * 16 * 16]
        may_encode.release(1)
        assert list(maker.finished(wait=True)) == keys[:2]


def test_a_batch_is_one_grid_in_full_size():
    with FrameMaker([Trajectory(calls=(call(0, 40, images=3),))]) as maker:
        maker.decode(Decoder(), [(0, 0, "denoised")])
        (frame,) = maker.finished(wait=True)
    assert Image.open(io.BytesIO(frame.jpeg)).size == (32, 32)


def test_a_frame_that_phones_would_refuse_is_made_smaller():
    assert within(np.zeros((64, 100, 3), np.uint8), 64 * 100).shape == (64, 100, 3)
    assert within(np.full((64, 100, 3), 9, np.uint8), 64 * 100 - 1).shape == (32, 50, 3)
