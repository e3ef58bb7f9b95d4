"""The numbers against independent truth: Gaussian data, whose solution is known exactly."""

import dataclasses

import numpy as np
import pytest
import torch
from gaussian_data import SD, Gaussian, every_type, final, noise, ready, run, start
from numpy.testing import assert_allclose
from torch.testing import assert_close

from explorer.sampling import samplers
from explorer.sampling.schedulers import (
    KDPM2AncestralDiscreteScheduler,
    KDPM2DiscreteScheduler,
    KDPM2Scheduler,
)

DATA = Gaussian()
KARRAS, EXPONENTIAL = {"use_karras_sigmas": True}, {"use_exponential_sigmas": True}


class NoEta(KDPM2Scheduler):
    """DPM2 a's data, but for its eta."""

    sampler = dataclasses.replace(samplers.DPM2_A, eta=0.0)


class HalfEta(KDPM2Scheduler):
    """Half way between the two samplers."""

    sampler = dataclasses.replace(samplers.DPM2_A, eta=0.5)


def observed_order(cls, numbers_of_steps, **config):
    """The slope of log error against log steps, at sigma_min (the last step is Euler's)."""
    errors = []
    for steps in numbers_of_steps:
        scheduler = ready(cls, steps, **SD, **config)
        x = start(scheduler)
        *_, (sigma_min, reached, _) = run(scheduler, DATA, x)
        truth = DATA.solution(x, scheduler.schedule.sigma[0], sigma_min)
        errors.append(float((reached - truth).abs().max()))
    return -np.polyfit(np.log(numbers_of_steps), np.log(errors), 1)[0]


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("config", [KARRAS, EXPONENTIAL], ids=["karras", "exponential"])
def test_dpm2_has_order_two(config, prediction_type):
    order = observed_order(
        KDPM2DiscreteScheduler, (24, 48, 96, 192), prediction_type=prediction_type, **config
    )
    assert order == pytest.approx(2, abs=0.1)


def test_dpm2_on_the_training_spacing_converges_as_that_grid_allows():
    # Its last interval is always from t = T / N to 0: the ratio of its sigmas grows, not shrinks.
    assert 1.5 < observed_order(KDPM2DiscreteScheduler, (24, 48, 96, 192)) < 1.9


@every_type
@pytest.mark.parametrize("steps", [1, 2, 7, 20])
def test_without_eta_the_ancestral_sampler_is_dpm2_bit_for_bit(config, steps):
    schedulers = [ready(cls, steps, **SD, **config) for cls in (NoEta, KDPM2DiscreteScheduler)]
    for dtype in (torch.float32, torch.float16):
        generator = torch.Generator().manual_seed(1)
        ends = []
        for scheduler in schedulers:
            x = start(scheduler, dtype=dtype)
            ends.append(final(scheduler, DATA, x, generator))
        assert_close(*ends, rtol=0, atol=0)
        assert_close(generator.get_state(), torch.Generator().manual_seed(1).get_state())
    tables = [vars(scheduler.schedule) for scheduler in schedulers]
    for key, values in tables[0].items():
        assert np.array_equal(values, tables[1][key]), key


@pytest.mark.parametrize("cls", [KDPM2AncestralDiscreteScheduler, HalfEta])
@pytest.mark.parametrize("config", [KARRAS, EXPONENTIAL], ids=["karras", "exponential"])
def test_ancestral_samples_have_the_datas_spread_at_every_level(cls, config):
    number = 200_000
    scheduler = ready(cls, 100, **SD, **config)
    clean = DATA.mean + DATA.std * noise(1, number, seed=3)
    x = clean + noise(1, number, seed=4) * scheduler.schedule.sigma[0]
    generator = torch.Generator().manual_seed(5)
    four_errors = 4 / (2 * number) ** 0.5
    bias = 2e-3  # of 100 steps; see the next test
    for sigma, before, output in run(scheduler, DATA, x, generator):
        spread = (DATA.std**2 + sigma**2) ** 0.5
        assert_allclose(before.std() / spread, 1, atol=four_errors + bias)
        assert abs(before.mean() - DATA.mean) < 5 * spread / number**0.5
        end = output.prev_sample
    # The last step predicts the mean of what is left, which is less spread by that much.
    spread = DATA.std**2 / (DATA.std**2 + sigma**2) ** 0.5
    assert_allclose(end.std() / spread, 1, atol=four_errors + bias)
    # And it is another sample than the one that the noise was added to.
    assert abs(np.corrcoef(end[0], clean[0])[0, 1]) < 0.05


def gain_and_noise(cls, steps):
    """The linear map that a run is on this data: x -> gain x + N(0, spread^2); exact."""
    scheduler = ready(cls, steps, **SD, **EXPONENTIAL)
    data = Gaussian(mean=0.0, std=DATA.std)
    table = scheduler.schedule
    gain, variance = 1.0, 0.0
    for step in range(table.steps - 1):
        a, middle = table.sigma[step], table.sigma_mid[step]
        half = 1 + (middle - a) * data.output(1.0, a, "epsilon")
        whole = 1 + (table.sigma_down[step] - a) * data.output(half, middle, "epsilon")
        gain, variance = gain * whole, variance * whole**2 + table.sigma_up[step] ** 2
    last = data.denoise(1.0, table.sigma[-1])
    return gain * last, variance**0.5 * last


@pytest.mark.parametrize("cls", [KDPM2DiscreteScheduler, HalfEta, KDPM2AncestralDiscreteScheduler])
@pytest.mark.parametrize("steps", [5, 20])
def test_noise_and_drift_are_exactly_the_methods(cls, steps):
    gain, spread = gain_and_noise(cls, steps)
    scheduler = ready(cls, steps, **SD, **EXPONENTIAL)
    data = Gaussian(mean=0.0, std=DATA.std)
    x = start(scheduler, 1, 200_000)
    end = final(scheduler, data, x, torch.Generator().manual_seed(6))
    noise_left = end - gain * x
    assert_allclose(noise_left.std(), spread, rtol=0.01, atol=1e-12)
    assert_allclose(noise_left.mean(), 0, atol=5 * spread / 200_000**0.5 + 1e-12)
