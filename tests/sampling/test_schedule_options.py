"""Eta, noise, churn, midpoint and final sigma against explorer/lab/by_the_book.py."""

import math
import random

import numpy as np
import pytest
import torch
from gaussian_data import CLASSES, SD, Gaussian, TwoPoints, final, noise, ready, run, start
from numpy.testing import assert_allclose, assert_array_equal
from torch.testing import assert_close

from explorer.lab.by_the_book import Method
from explorer.sampling.betas import training_betas, training_sigmas
from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.sampling.schedulers import KDPM2AncestralDiscreteScheduler, KDPM2DiscreteScheduler
from explorer.sampling.schedules import build, churned, midpoint

both = pytest.mark.parametrize("cls", CLASSES)
DATA = Gaussian()
LOG = {"interpolation_type": "log_linear"}  # with it a timestep and its sigma agree to the last bit
TRAINING = training_sigmas(training_betas("scaled_linear"))


def by_the_book(scheduler):
    """The reference method of a scheduler's config and sigmas."""
    config = scheduler.config
    own = 1.0 if type(scheduler) is KDPM2AncestralDiscreteScheduler else 0.0
    low = TRAINING[0] if config.sigma_min is None else config.sigma_min
    return Method(
        sigmas=scheduler.schedule.sigma.tolist(),
        final=float(low) if config.final_sigmas_type == "sigma_min" else 0.0,
        eta=own if config.eta is None else config.eta,
        s_noise=config.s_noise,
        s_churn=config.s_churn,
        s_tmin=config.s_tmin,
        s_tmax=math.inf if config.s_tmax is None else config.s_tmax,
        ratio=config.midpoint_ratio,
    )


def assert_by_the_book(scheduler, data):
    method, steps = by_the_book(scheduler), scheduler.num_inference_steps
    first, shape = noise(2, 3, 4, 4, seed=8), (2, 3, 4, 4)
    spread = math.hypot(method.sigmas[0], method.s_noise * method.churn(method.sigmas[0]))
    assert_allclose(scheduler.schedule.init_noise_sigma, spread, rtol=1e-12)
    shadow = torch.Generator().manual_seed(9)
    draws = []
    for step in range(steps - 1):
        silent = scheduler.schedule.noise[step] == 0
        drawn = torch.randn(shape, generator=None if silent else shadow, dtype=torch.float64)
        draws.append(torch.zeros(shape, dtype=torch.float64) if silent else drawn)
    want, calls = method.run(data, *method.shared_noise(first, draws))

    generator = torch.Generator().manual_seed(9)
    ours = list(run(scheduler, data, first * spread, generator))
    assert len(ours) == len(calls) == 2 * steps - 1
    for (sigma, before, _), (want_sigma, want_before) in zip(ours, calls, strict=True):
        assert_allclose(sigma, want_sigma, rtol=1e-8)
        assert_close(before, want_before, rtol=1e-6, atol=1e-8)
    assert_close(ours[-1][-1].prev_sample, want, rtol=1e-6, atol=1e-8)
    assert_close(generator.get_state(), shadow.get_state())
    # And the model was told the timesteps of those sigmas.
    told = np.interp(np.log([sigma for sigma, _ in calls]), np.log(TRAINING), np.arange(1000))
    if scheduler.config.round_timesteps or scheduler.config.schedule_type == "karras":
        told[::2] = np.round(told[::2])
    assert_allclose(scheduler.timesteps, told, rtol=1e-6, atol=2e-4)


ALONE = [
    {},
    {"eta": 0.0},
    {"eta": 0.4},
    {"eta": 1.0},
    {"s_noise": 1.06},
    {"s_noise": 0.0},
    {"s_churn": 3.0},
    {"s_churn": 1000.0},  # gamma is cut at sqrt(2) - 1
    {"s_churn": 3.0, "s_noise": 0.9},
    {"s_churn": 3.0, "s_tmin": 1.0},
    {"s_churn": 3.0, "s_tmax": 5.0},
    {"s_churn": 3.0, "s_tmin": 0.5, "s_tmax": 5.0},
    {"s_churn": 3.0, "s_tmax": 0.0},
    {"midpoint_ratio": 0.3},
    {"midpoint_ratio": 0.8},
    {"midpoint_ratio": 1.0},
    {"final_sigmas_type": "sigma_min"},
    {"final_sigmas_type": "sigma_min", "sigma_min": 0.2, "schedule_type": "exponential"},
    {"round_timesteps": True, "s_churn": 2.0},
]


@both
@pytest.mark.parametrize("options", ALONE, ids=[" ".join(map(str, k)) or "none" for k in ALONE])
@pytest.mark.parametrize("data", [Gaussian(), TwoPoints()], ids=["gaussian", "two points"])
def test_each_option_is_its_formula(cls, options, data):
    for steps in (1, 2, 7):
        assert_by_the_book(ready(cls, steps, **SD, **LOG, **options), data)


def drawn_knobs(draw):
    s_tmax = draw.choice([None, draw.uniform(0.5, 20)])
    return {
        "schedule_type": draw.choice(list(SCHEDULE_TYPES)),
        "eta": draw.choice([None, 0.0, 1.0, draw.random()]),
        "s_noise": draw.choice([1.0, draw.uniform(0, 2)]),
        "s_churn": draw.choice([0.0, draw.uniform(0, 20)]),
        "s_tmin": draw.choice([0.0, draw.uniform(0, s_tmax or 20)]),
        "s_tmax": s_tmax,
        "midpoint_ratio": draw.choice([0.5, 1.0, draw.uniform(0.1, 1)]),
        "final_sigmas_type": draw.choice(["zero", "sigma_min"]),
        "discard_penultimate_sigma": draw.random() < 0.5,
        "round_timesteps": draw.choice([None, True]),
        "prediction_type": draw.choice(["epsilon", "v_prediction", "sample"]),
    }


@both
@pytest.mark.parametrize("seed", range(40))
def test_knobs_together_are_their_formulas(cls, seed):
    draw = random.Random(seed)
    config = drawn_knobs(draw)
    assert_by_the_book(ready(cls, draw.randint(1, 12), **SD, **LOG, **config), DATA)


# --- churn: the model stands at sigma_hat ---------------------------------------------------------


def test_churn_is_cut_where_the_paper_cuts_it():
    sigma = np.array([10.0, 5.0, 1.0, 0.1])
    assert_allclose(churned(sigma, 0.4), sigma * 1.1)
    assert_allclose(churned(sigma, 400.0), sigma * math.sqrt(2))
    assert_allclose(churned(sigma, 0.4, 1.0, 5.0), [10.0, 5.5, 1.1, 0.1])  # both ends belong
    assert_array_equal(churned(sigma, 0.0), sigma)


def test_noise_of_a_step_is_its_own_and_the_next_ones_churn():
    table = build(9, eta=0.6, s_churn=2.0, s_noise=1.1, s_tmax=8.0, **SD)
    method = Method(sigmas=table.sigma.tolist(), eta=0.6, s_churn=2.0, s_tmax=8.0)
    for step, (a, b) in enumerate(method.step_ends()[:-1]):
        up, after = method.split(method.hat(a), b)[1], method.churn(table.sigma[step + 1])
        assert_allclose(table.noise[step], 1.1 * math.hypot(up, after), rtol=1e-9)
        assert_allclose(table.sigma_down[step] ** 2 + table.sigma_up[step] ** 2, b**2)
    assert table.noise[-1] == 0


@pytest.mark.parametrize("s_noise", [0.0, 1.0, 1.1])
def test_the_first_latent_has_the_first_steps_churn(s_noise):
    for spacing, data in (("linspace", 0.0), ("leading", 1.0)):
        table = build(8, s_churn=2.0, s_noise=s_noise, timestep_spacing=spacing, **SD)
        sigma, hat = table.sigma[0], table.sigma_hat[0]
        want = math.sqrt(sigma**2 + s_noise**2 * (hat**2 - sigma**2) + data)
        assert_allclose(table.init_noise_sigma, want)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"s_churn": 30.0},
        {"s_churn": 30.0, "eta": 0.5},
        {"s_churn": 30.0, "eta": 1.0},
        {"s_churn": 30.0, "s_tmin": 0.1, "s_tmax": 5.0, "eta": 0.3},
        {"eta": 0.7, "midpoint_ratio": 0.8},
        {"s_churn": 30.0, "midpoint_ratio": 1.0},
    ],
    ids=str,
)
def test_with_any_noise_latents_have_the_spread_of_their_level(options):
    number = 100_000
    scheduler = ready(KDPM2DiscreteScheduler, 300, schedule_type="karras", **SD, **options)
    clean = DATA.mean + DATA.std * noise(1, number, seed=3)
    # The first latent as a pipeline makes it, but with data beneath: what the run inverts.
    x = clean + noise(1, number, seed=4) * scheduler.schedule.init_noise_sigma
    for sigma, before, _ in run(scheduler, DATA, x, torch.Generator().manual_seed(5)):
        spread = math.hypot(DATA.std, sigma)
        # Four standard errors, and the bias of three hundred steps.
        assert_allclose(before.std() / spread, 1, atol=4 / (2 * number) ** 0.5 + 3e-3)
        assert abs(before.mean() - DATA.mean) < 5 * spread / number**0.5 + 1e-3


# --- midpoint ratio ------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("prediction_type", ["epsilon", "sample"])
def test_every_midpoint_ratio_has_order_two(ratio, prediction_type):
    numbers, errors = (24, 48, 96, 192), []
    for steps in numbers:
        scheduler = ready(
            KDPM2DiscreteScheduler,
            steps,
            schedule_type="karras",
            midpoint_ratio=ratio,
            prediction_type=prediction_type,
            **SD,
        )
        x = start(scheduler)
        *_, (sigma_min, reached, _) = run(scheduler, DATA, x)
        truth = DATA.solution(x, scheduler.schedule.sigma[0], sigma_min)
        errors.append(float((reached - truth).abs().max()))
    assert -np.polyfit(np.log(numbers), np.log(errors), 1)[0] == pytest.approx(2, abs=0.1)


def test_midpoints_lie_that_part_of_the_way_in_log_sigma():
    for ratio in (0.25, 0.5, 1.0):
        middle = math.log(midpoint(np.float64(8.0), np.float64(0.5), ratio))
        assert_allclose(middle, math.log(8) + ratio * (math.log(0.5) - math.log(8)))


# --- eta: the two samplers are one ----------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 12])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("more", [{}, {"s_churn": 4.0}, {"midpoint_ratio": 0.7}], ids=str)
@pytest.mark.parametrize("eta", [0.0, 0.35, 1.0])
def test_with_the_same_eta_the_two_samplers_are_one_bit_for_bit(eta, more, dtype, steps):
    plain = {cls: ready(cls, steps, **SD, **more) for cls in CLASSES}
    told = [ready(cls, steps, eta=eta, **SD, **more) for cls in CLASSES]
    same = [scheduler for cls, scheduler in plain.items() if scheduler.sampler.eta == eta]
    ends = []
    for scheduler in told + same:
        x = start(scheduler, dtype=dtype)
        ends.append(final(scheduler, DATA, x, torch.Generator().manual_seed(1)))
    assert len(ends) == (2 if eta == 0.35 else 3)
    for end in ends[1:]:
        assert torch.equal(end, ends[0])


# --- the final sigma -----------------------------------------------------------------------------


@both
@pytest.mark.parametrize("kind", SCHEDULE_TYPES)
@pytest.mark.parametrize("steps", [1, 2, 10])
def test_a_run_may_end_at_sigma_min(cls, kind, steps):
    options = {"schedule_type": kind, "final_sigmas_type": "sigma_min"}
    scheduler = ready(cls, steps, **SD, **options)
    table = scheduler.schedule
    assert (table.steps, len(scheduler.timesteps)) == (steps, 2 * steps - 1)
    assert table.final_sigma == table.sigma_down[-1] == TRAINING[0]
    assert_close(scheduler.sigmas[-3:], torch.full((3,), TRAINING[0], dtype=torch.float32))
    assert table.sigma[-1] > table.final_sigma * 1.0001  # each step denoises
    assert table.sigma_up[-1] == table.noise[-1] == 0
    # The last step is Euler's: the latent that comes out has sigma_min of noise left.
    *_, (sigma, before, output) = run(scheduler, DATA, start(scheduler), torch.Generator())
    denoised = DATA.denoise(before, sigma)
    assert_close(output.prev_sample, denoised + (before - denoised) * (TRAINING[0] / sigma))


@both
def test_after_the_last_call_noise_is_added_at_the_final_sigma(cls):
    scheduler = ready(cls, 3, final_sigmas_type="sigma_min", **SD)
    scheduler.set_begin_index(4)
    zero = torch.zeros(1, 1, dtype=torch.float64)
    scheduler.step(zero, scheduler.timesteps[4], zero)
    level = scheduler.add_noise(zero, zero + 1, scheduler.timesteps[4:])
    assert_allclose(level, [[TRAINING[0]]])
