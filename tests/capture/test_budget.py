"""What a recording weighs, against what one really holds; and the sentence for one too large."""

from dataclasses import replace

import numpy as np
import pytest

from explorer.capture import budget
from explorer.capture.budget import Recording, TooLarge, limit_bytes
from explorer.capture.trajectory import Call

SMALL = Recording(calls=(39, 39), images=1, latent=(4, 64, 64), picture=(512, 512))


def test_a_call_weighs_what_its_arrays_hold():
    latents = np.ones((3, 4, 64, 48), np.float32)
    call = Call.of(
        index=0, step=0, stage="step", sigma=1, timestep=1, latent=latents, denoised=latents
    )
    held = sum(each.values.nbytes for each in call.packed())
    recording = Recording(calls=(1,), images=3, latent=(4, 64, 48), picture=(512, 384))
    frames = 2 * 256 * 256 * 3
    assert recording.call_bytes == held + frames
    ends = latents.nbytes + 3 * 512 * 384 * 3
    assert recording.total_bytes == held + frames + ends


def test_a_run_grows_with_lanes_calls_and_images():
    assert SMALL.call_bytes == 2 * 2 * 4 * 64 * 64 + 2 * 256 * 256 * 3
    assert SMALL.total_bytes == 2 * (39 * SMALL.call_bytes + 4 * 4 * 64 * 64 + 512 * 512 * 3)


def test_lanes_of_unequal_length_each_count_their_own():
    one, other = (replace(SMALL, calls=(calls,)) for calls in (39, 20))
    both = replace(SMALL, calls=(39, 20))
    assert both.total_bytes == one.total_bytes + other.total_bytes
    with pytest.raises(TooLarge, match="3 lanes of 39 and 20 model calls"):
        replace(SMALL, calls=(39, 20, 39)).check(1)
    with pytest.raises(TooLarge, match="1 lane of 20 model calls"):
        other.check(1)


def test_one_too_large_is_refused_with_the_numbers():
    SMALL.check(SMALL.total_bytes)
    with pytest.raises(TooLarge) as caught:
        SMALL.check(SMALL.total_bytes - 1)
    said = str(caught.value)
    for part in (
        "35.8 MiB",
        "2 lanes of 39 model calls",
        "448.0 KiB each",
        "EXPLORER_RECORDING_GIB",
    ):
        assert part in said


def test_the_limit_is_half_of_what_is_free_and_at_most_8_gib(monkeypatch):
    monkeypatch.delenv("EXPLORER_RECORDING_GIB", raising=False)
    for free, limit in ((2 * 2**30, 2**30), (100 * 2**30, 8 * 2**30)):
        monkeypatch.setattr(budget, "free_bytes", lambda free=free: free)
        assert limit_bytes() == limit
    monkeypatch.undo()
    assert 2**20 < budget.free_bytes() < 2**50


def test_the_operator_may_say_another_limit(monkeypatch):
    monkeypatch.setenv("EXPLORER_RECORDING_GIB", " 0.5 ")
    assert limit_bytes() == 2**29


@pytest.mark.parametrize("said", ["lots", "0", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_is_a_sentence(monkeypatch, said):
    monkeypatch.setenv("EXPLORER_RECORDING_GIB", said)
    with pytest.raises(ValueError, match=r"^EXPLORER_RECORDING_GIB must be .*\.$"):
        limit_bytes()
