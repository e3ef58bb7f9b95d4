"""DPM++ SDE's noise: what diffusers draws, in less memory."""

import itertools
import math

import pytest
import torch
from diffusers.schedulers.scheduling_dpmsolver_sde import BrownianTreeNoiseSampler

from explorer.sampling import brownian
from explorer.sampling.brownian import BrownianNoise, kept_values, motion_bytes

SHAPE = (2, 4, 6, 5)  # a batch of latents
SEEDS = [7, 2**32 + 1]
LOW, HIGH = 0.0292, 14.6146


def steps(count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The ways that DPM++ SDE asks for: from each level to the middle, and to the next level."""
    levels = torch.logspace(math.log10(HIGH), math.log10(LOW), count + 1)
    pairs = itertools.pairwise(levels)
    return [way for high, low in pairs for way in ((high, (high * low).sqrt()), (high, low))]


@pytest.mark.filterwarnings("ignore:Should have t")
@pytest.mark.parametrize("kept", [(1, 1), (4, 4), (45, 45)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_is_that_of_diffusers_to_the_bit_however_little_is_kept(monkeypatch, kept, dtype):
    monkeypatch.setattr(brownian, "KEPT_VALUES", kept)
    sample = torch.zeros(SHAPE, dtype=dtype)
    ours = BrownianNoise(sample, LOW, HIGH, SEEDS)
    theirs = BrownianTreeNoiseSampler(sample, LOW, HIGH, SEEDS)
    for way in steps(12):
        drawn = ours(*way)
        assert drawn.shape == SHAPE and drawn.dtype == dtype
        assert torch.equal(drawn, theirs(*way))


@pytest.mark.filterwarnings("ignore:Should have t")
@pytest.mark.parametrize(("pictures", "side", "kept"), [(1, 64, 45), (16, 128, 4), (4, 128, 16)])
def test_motions_keep_no_more_values_than_stated(pictures, side, kept):
    assert kept_values(pictures, 4 * side**2) == kept
    noise = BrownianNoise(torch.zeros(pictures, 4, side, side), LOW, HIGH, range(pictures))
    for way in steps(3):
        noise(*way)
    caches = [motion._increment_and_space_time_levy_area_cache for motion in noise.motions]
    assert {len(cache) for cache in caches} == {kept}


def test_memory_grows_with_the_batch_and_not_with_what_would_be_kept():
    small, large = (motion_bytes(pictures, 4 * 128**2) for pictures in (4, 16))
    assert small == 4 * (3 * 16 + 8) * 4 * 4 * 128**2
    assert large == 16 * (3 * 4 + 8) * 4 * 4 * 128**2
