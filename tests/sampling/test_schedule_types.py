"""Every schedule type against its formula, and the lists that other programs are known to run."""

import math

import numpy as np
import pytest
import torch
from gaussian_data import CLASSES, SD, Gaussian, final, noise, ready, start
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import beta as beta_distribution

from explorer.sampling.betas import training_betas, training_sigmas
from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.sampling.schedules import build
from explorer.settings import LaneSettings
from explorer.settings.presets import AS_A1111

both = pytest.mark.parametrize("cls", CLASSES)
numbers = pytest.mark.parametrize("n", [2, 3, 10, 21])
TRAINING = training_sigmas(training_betas("scaled_linear"))
LOW, HIGH = TRAINING[0], TRAINING[-1]
CONTINUOUS = [key for key, kind in SCHEDULE_TYPES.items() if kind.continuous]


def sigmas(n, kind, **options):
    return build(n, schedule_type=kind, **SD, **options).sigma


# --- formulas, one sigma a time -------------------------------------------------------------------


def karras(i, n, low, high, rho):
    return (high ** (1 / rho) + i / (n - 1) * (low ** (1 / rho) - high ** (1 / rho))) ** rho


def polyexponential(i, n, low, high, rho):
    u = 1 - i / (n - 1)
    return math.exp(u**rho * (math.log(high) - math.log(low)) + math.log(low))


def beta(i, n, low, high, a, b):
    return low + (high - low) * beta_distribution.ppf(1 - i / (n - 1), a, b)


def kl_optimal(i, n, low, high):
    return math.tan(i / n * math.atan(low) + (1 - i / n) * math.atan(high))


def log_linear(at, table):
    """Between the values of a table, by logarithm."""
    left = min(int(at), len(table) - 2)
    part = at - left
    return math.exp(math.log(table[left]) * (1 - part) + math.log(table[left + 1]) * part)


FORMULAS = [
    ("karras", {}, lambda i, n: karras(i, n, LOW, HIGH, 7)),
    ("karras", {"rho": 3.0}, lambda i, n: karras(i, n, LOW, HIGH, 3)),
    ("karras", {"sigma_min": 0.1}, lambda i, n: karras(i, n, 0.1, HIGH, 7)),
    ("exponential", {}, lambda i, n: HIGH * (LOW / HIGH) ** (i / (n - 1))),
    ("exponential", {"sigma_max": 80.0}, lambda i, n: 80 * (LOW / 80) ** (i / (n - 1))),
    ("polyexponential", {}, lambda i, n: polyexponential(i, n, LOW, HIGH, 1)),
    ("polyexponential", {"rho": 0.7}, lambda i, n: polyexponential(i, n, LOW, HIGH, 0.7)),
    (
        "polyexponential",
        {"rho": 1.4, "sigma_min": 0.1, "sigma_max": 9.0},
        lambda i, n: polyexponential(i, n, 0.1, 9.0, 1.4),
    ),
    ("beta", {}, lambda i, n: beta(i, n, LOW, HIGH, 0.6, 0.6)),
    ("beta", {"alpha": 0.5, "beta": 0.9}, lambda i, n: beta(i, n, LOW, HIGH, 0.5, 0.9)),
    ("beta", {"sigma_max": 10.0}, lambda i, n: beta(i, n, LOW, 10.0, 0.6, 0.6)),
    ("kl_optimal", {}, lambda i, n: kl_optimal(i, n, LOW, HIGH)),
    (
        "kl_optimal",
        {"sigma_min": 0.1, "sigma_max": 9.0},
        lambda i, n: kl_optimal(i, n, 0.1, 9.0),
    ),
    ("sgm_uniform", {}, lambda i, n: log_linear(999 * (1 - i / n), TRAINING)),
    ("simple", {}, lambda i, n: TRAINING[999 - int(i * 1000 / n)]),
    (
        "align_your_steps",
        {},
        lambda i, n: log_linear(
            10 * i / (n - 1),
            [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029],
        ),
    ),
    (
        "align_your_steps",
        {"align_your_steps_table": "sdxl"},
        lambda i, n: log_linear(
            10 * i / (n - 1),
            [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029],
        ),
    ),
]


@numbers
@pytest.mark.parametrize(
    ("kind", "options", "formula"),
    FORMULAS,
    ids=[f"{kind} {options}" for kind, options, _ in FORMULAS],
)
def test_every_sigma_is_its_formula(kind, options, formula, n):
    want = [formula(i, n) for i in range(n)]
    assert_allclose(sigmas(n, kind, **options), want, rtol=1e-9)


def test_every_type_has_a_formula_here():
    assert {kind for kind, *_ in FORMULAS} == SCHEDULE_TYPES.keys() - {"automatic"}


def test_knobs_of_other_types_change_nothing():
    options = {"rho": 3.0, "alpha": 0.3, "beta": 2.0, "align_your_steps_table": "sdxl"}
    used = {"karras": {"rho"}, "polyexponential": {"rho"}, "beta": {"alpha", "beta"}}
    used["align_your_steps"] = {"align_your_steps_table"}
    for kind in SCHEDULE_TYPES:
        for option, value in options.items():
            same = np.array_equal(sigmas(9, kind, **{option: value}), sigmas(9, kind))
            assert same != (option in used.get(kind, ())), (kind, option)


# --- other programs' lists ------------------------------------------------------------------------

A1111 = [14.615, 8.307, 5.092, 3.325, 2.280, 1.616, 1.163, 0.832, 0.571, 0.344, 0]
LINSPACE = [14.615, 7.840, 4.609, 2.918, 1.950, 1.345, 0.932, 0.625, 0.369, 0.029, 0]
TRAILING = [14.615, 8.303, 5.088, 3.321, 2.276, 1.613, 1.161, 0.830, 0.569, 0.342, 0]


@pytest.mark.parametrize(
    ("config", "known"),
    [(AS_A1111, A1111), ({}, LINSPACE), ({"timestep_spacing": "trailing"}, TRAILING)],
    ids=["a1111", "diffusers linspace", "diffusers trailing"],
)
@both
def test_ten_steps_are_the_known_ones(cls, config, known):
    scheduler = ready(cls, 10, **SD, **config)
    assert_allclose(scheduler.sigmas[[*range(0, 20, 2), -1]], known, atol=6e-4)
    lane = LaneSettings.from_config(scheduler.sampler.key, scheduler.config)
    table = lane.schedule(10)
    assert_allclose([*table.sigma, table.final_sigma], known, atol=6e-4)


@pytest.mark.parametrize("sampler", ["dpm2", "dpm2_a"])
def test_a_lane_as_a1111_runs_a1111s_list(sampler):
    changed = LaneSettings(
        sampler=sampler, timestep_spacing="leading", steps_offset=1, midpoint_ratio=0.8
    )
    for lane in (LaneSettings(sampler=sampler), changed):
        table = lane.as_a1111().schedule(10)
        assert_allclose([*table.sigma, table.final_sigma], A1111, atol=6e-4)
        assert table.midpoint_ratio == 0.5
        # k-diffusion tells the model the timestep of its sigma, not a rounded one.
        want = np.interp(np.log(table.call_sigma), np.log(TRAINING), np.arange(1000))
        assert_allclose(table.call_timestep, want, atol=1e-6)


def k_diffusion_list(kind, n):
    """A1111's and ComfyUI's sigmas of n steps: n+1 made, and the penultimate left out."""
    made = next(formula for key, options, formula in FORMULAS if key == kind and not options)
    return [made(i, n + 1) for i in range(n)]


@pytest.mark.parametrize("kind", sorted(SCHEDULE_TYPES.keys() - {"automatic", "kl_optimal"}))
def test_as_a1111_every_type_is_theirs(kind):
    table = LaneSettings(schedule_type=kind).as_a1111().schedule(12)
    assert_allclose(table.sigma, k_diffusion_list(kind, 12), rtol=1e-9)


def test_as_a1111_kl_optimal_is_comfyuis():
    # n steps of it end at sigma_min, which is the sigma that is then left out.
    for n in (2, 12):
        made = [kl_optimal(i, n, LOW, HIGH) for i in range(n + 1)]
        assert_allclose(made[-1], LOW)
        table = LaneSettings(schedule_type="kl_optimal").as_a1111().schedule(n)
        assert_allclose([*table.sigma, table.final_sigma], [*made[:-1], 0])


# --- leaving the penultimate sigma out ------------------------------------------------------------


@both
@pytest.mark.parametrize("kind", SCHEDULE_TYPES)
@pytest.mark.parametrize("n", [1, 2, 9, 999])
def test_discarding_the_penultimate_sigma_keeps_the_number_of_steps(cls, kind, n):
    options = {"schedule_type": kind, "discard_penultimate_sigma": True}
    scheduler = ready(cls, n, **SD, **options)
    assert (scheduler.num_inference_steps, len(scheduler.timesteps)) == (n, 2 * n - 1)
    assert_array_equal(scheduler.schedule.sigma, sigmas(n + 1, kind)[:-1])
    assert_allclose(
        scheduler.schedule.timestep, build(n + 1, schedule_type=kind, **SD).timestep[:n]
    )


def test_discarding_is_refused_where_the_table_has_no_room():
    with pytest.raises(ValueError, match=r"num_inference_steps must be .*1 to 999; got 1000"):
        build(1000, discard_penultimate_sigma=True)


@pytest.mark.parametrize("n", [6, 10])
def test_discarding_brings_ancestral_samples_nearer_the_data(n):
    errors = []
    for discard in (False, True):
        scheduler = ready(CLASSES[1], n, discard_penultimate_sigma=discard, **SD)
        x = start(scheduler, 1, 50_000)
        end = final(scheduler, Gaussian(), x, torch.Generator().manual_seed(1))
        errors.append(abs(float(end.std()) - Gaussian().std))
    assert errors[1] < 0.6 * errors[0]


# --- ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CONTINUOUS)
def test_a_curve_goes_from_sigma_max_to_sigma_min(kind):
    table = build(10, schedule_type=kind, sigma_min=0.1, sigma_max=50.0, **SD)
    assert_allclose(table.sigma[0], 50)
    # A sigma beyond the training table has the timestep of its end.
    assert table.timestep[0] == 999
    arrived = build(
        10, schedule_type=kind, sigma_min=0.1, sigma_max=50.0, final_sigmas_type="sigma_min", **SD
    )
    assert arrived.final_sigma == 0.1
    last = sigmas(10, kind, sigma_min=0.1, sigma_max=50.0)[-1]
    assert last > 0.1 if kind == "kl_optimal" else last == pytest.approx(0.1)


@pytest.mark.parametrize("kind", sorted(SCHEDULE_TYPES.keys() - set(CONTINUOUS)))
def test_types_by_timesteps_or_tables_know_no_ends(kind):
    assert_array_equal(sigmas(10, kind, sigma_min=0.1, sigma_max=9.0), sigmas(10, kind))


@pytest.mark.parametrize("kind", CONTINUOUS)
def test_ends_are_those_of_the_spaced_timesteps_but_for_a_knobs(kind):
    leading = {"timestep_spacing": "leading", "steps_offset": 1}
    spaced = build(10, **SD, **leading).sigma
    assert_allclose(sigmas(10, kind, **leading)[0], spaced[0])  # 901, not 999
    assert_allclose(sigmas(10, kind, sigma_max=HIGH, **leading)[0], HIGH)


def test_kl_optimal_keeps_its_digits_at_any_end():
    for low, high in ((1e-9, 14.6), (0.03, 1e19), (1e-3, 1e12)):
        table = build(6, schedule_type="kl_optimal", sigma_min=low, sigma_max=high)
        assert_allclose(table.sigma[0], high, rtol=1e-12)


@pytest.mark.parametrize("kind", CONTINUOUS)
def test_one_step_starts_at_the_knobs_sigma_max(kind):
    for options in ({"sigma_max": 9.0}, {"sigma_max": 9.0, "sigma_min": 0.1}):
        assert_allclose(sigmas(1, kind, **options), [9.0])


@pytest.mark.parametrize("kind", CONTINUOUS)
@pytest.mark.parametrize("ends", [{"sigma_max": 0.01}, {"sigma_min": 15.0}], ids=str)
@pytest.mark.parametrize("n", [1, 2, 20])
def test_ends_the_wrong_way_round_are_refused_for_any_number_of_steps(kind, ends, n):
    with pytest.raises(ValueError, match=r"^sigma_min must lie below sigma_max; with these"):
        sigmas(n, kind, **ends)


# --- rounding, and reading between timesteps ------------------------------------------------------


@pytest.mark.parametrize("kind", SCHEDULE_TYPES)
def test_whole_timesteps_are_karras_own_and_any_types_by_choice(kind):
    own = build(15, schedule_type=kind, **SD)
    exact = build(15, schedule_type=kind, round_timesteps=False, **SD)
    rounded = build(15, schedule_type=kind, round_timesteps=True, **SD)
    assert_array_equal(own.timestep, (rounded if kind == "karras" else exact).timestep)
    assert_array_equal(rounded.timestep, np.round(exact.timestep))
    for table in (own, rounded):
        assert_array_equal(table.sigma, exact.sigma)  # what is told changes, what is done does not
        assert_array_equal(table.timestep_mid, exact.timestep_mid)


@pytest.mark.parametrize("kind", SCHEDULE_TYPES)
def test_interpolation_is_between_training_sigmas(kind):
    own, linear, log = (
        sigmas(7, kind, interpolation_type=how) for how in (None, "linear", "log_linear")
    )
    assert_array_equal(own, log if kind == "sgm_uniform" else linear)
    if kind in ("automatic", "sgm_uniform"):
        n = 6 if kind == "automatic" else 7
        at = 999 * (1 - np.arange(7) / n)
        assert_allclose(linear, np.interp(at, np.arange(1000), TRAINING))
        assert_allclose(log, [log_linear(t, TRAINING) for t in at])
        assert np.any(linear != log)
        whole = build(timesteps=[999, 501, 7, 0], interpolation_type="log_linear", **SD)
        assert_array_equal(whole.sigma, TRAINING[[999, 501, 7, 0]])  # to the last bit
    else:
        assert_array_equal(linear, log)


@both
def test_every_type_arrives_at_the_data(cls):
    x = noise(1, 5000)
    for kind in SCHEDULE_TYPES:
        scheduler = ready(cls, 60, schedule_type=kind, **SD)
        generator = torch.Generator().manual_seed(1)
        end = final(scheduler, Gaussian(), x * scheduler.schedule.sigma[0], generator)
        assert_allclose(end.std(), 0.5, rtol=0.1)
        assert_allclose(end.mean(), 0.3, atol=0.05)
