"""The pure functions: spacings, schedule types, splits, and the table of a run."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import beta as beta_distribution

from explorer.sampling import schedules
from explorer.sampling.betas import BETA_SCHEDULES, training_betas, training_sigmas
from explorer.sampling.schedules import (
    SCHEDULE_FLAGS,
    SCHEDULE_TYPES,
    TIMESTEP_SPACINGS,
    ancestral_split,
    build,
)

SD = {"beta_schedule": "scaled_linear"}


# --- between a sigma and a training timestep ------------------------------------------------------


def test_sigma_and_timestep_convert_both_ways():
    sigma = training_sigmas(training_betas("scaled_linear"))
    whole = np.arange(1000)
    assert_allclose(schedules.timestep_to_sigma(whole, sigma), sigma)
    assert_allclose(schedules.sigma_to_timestep(sigma, sigma), whole, atol=1e-9)
    # Timesteps are linear in log sigma, sigmas linear in timesteps, between neighbours.
    between = schedules.sigma_to_timestep(np.sqrt(sigma[41] * sigma[42]), sigma)
    assert_allclose(between, 41.5, atol=1e-9)
    assert_allclose(schedules.timestep_to_sigma(41.5, sigma), (sigma[41] + sigma[42]) / 2)


# --- spacings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TIMESTEP_SPACINGS)
@pytest.mark.parametrize("t", [1, 10, 999, 1000])
def test_every_spacing_has_n_falling_timesteps_inside_the_table(name, t):
    for n in range(1, t + 1):
        timesteps = TIMESTEP_SPACINGS[name](n, t, 0)
        assert timesteps.shape == (n,)
        assert np.all(np.diff(timesteps) < 0)
        assert 0 <= timesteps[-1] <= timesteps[0] <= t - 1


@pytest.mark.parametrize("name", TIMESTEP_SPACINGS)
def test_a_single_step_starts_at_the_last_training_timestep(name):
    assert_array_equal(TIMESTEP_SPACINGS[name](1, 1000, 1), [999])


def test_spacings_are_those_of_the_papers_table():
    # Lin et al. 2023, table 2: T = 1000, 10 steps (counted from 1 there).
    assert_allclose(schedules.linspace(10, 1000), np.arange(9, -1, -1) * 111)
    assert_array_equal(schedules.leading(10, 1000), np.arange(900, -1, -100))
    assert_array_equal(schedules.trailing(10, 1000), np.arange(999, 0, -100))


def test_the_offset_moves_leading_only_and_never_past_the_table():
    assert_array_equal(schedules.leading(50, 1000, 1)[[0, -1]], [981, 1])
    assert_array_equal(schedules.leading(1000, 1000, 5), schedules.leading(1000, 1000, 0))
    assert_array_equal(schedules.leading(999, 1000, 5), schedules.leading(999, 1000, 1))
    for name in ("linspace", "trailing"):
        spacing = TIMESTEP_SPACINGS[name]
        assert_array_equal(spacing(20, 1000, 7), spacing(20, 1000, 0))


# --- schedule types ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULE_TYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 20, 999])
def test_every_type_has_n_falling_sigmas_inside_the_table(name, n):
    table = build(n, schedule_type=name, **SD)
    assert table.sigma.shape == (n,)
    assert np.all(np.diff(table.sigma_next) < 0) and np.all(table.sigma > table.sigma_next)
    ends = table.training_sigma[[0, -1]]
    assert ends[0] * 0.99 < table.sigma[-1] <= table.sigma[0] < ends[1] * 1.0001


@pytest.mark.parametrize("name", ["karras", "exponential", "polyexponential", "beta"])
def test_a_curve_meets_both_its_ends(name):
    curve = getattr(schedules, name)
    for n in (2, 3, 20, 1000):
        sigma = curve(n, 0.03, 20291.0)
        assert_allclose(sigma[[0, -1]], [20291.0, 0.03], rtol=1e-12)
        assert np.all(np.diff(sigma) < 0)


def test_each_flag_belongs_to_a_type():
    assert {key: f"use_{key}_sigmas" for key in ("karras", "exponential", "beta")} == SCHEDULE_FLAGS


def test_karras_sigmas_are_even_in_the_rho_th_root():
    for rho in (7.0, 3.0):
        roots = schedules.karras(9, 0.03, 14.6, rho) ** (1 / rho)
        assert_allclose(np.diff(roots), (roots[-1] - roots[0]) / 8, rtol=1e-9)
    # Karras et al. 2022, eq. 5, at i = 1 of N = 3.
    want = ((80.0 ** (1 / 7) + 0.002 ** (1 / 7)) / 2) ** 7
    assert_allclose(schedules.karras(3, 0.002, 80.0)[1], want)


def test_exponential_sigmas_have_one_ratio_and_meet_their_ends():
    sigma = schedules.exponential(8, 0.03, 14.6)
    assert_allclose(sigma[1:] / sigma[:-1], (0.03 / 14.6) ** (1 / 7))
    # To the last bit: the timestep of sigma_min is 0, not nearly 0.
    for sigma_min in np.linspace(0.01, 1, 50):
        assert_array_equal(schedules.exponential(5, sigma_min, 14.6)[[0, -1]], [14.6, sigma_min])


def test_beta_sigmas_are_quantiles():
    sigma = schedules.beta(12, 0.03, 14.6)
    level = beta_distribution.cdf((sigma - 0.03) / (14.6 - 0.03), 0.6, 0.6)
    assert_allclose(level, np.linspace(1, 0, 12), atol=1e-12)


@pytest.mark.parametrize(
    ("spacing", "known"),
    [
        ("linspace", [14.615, 7.840, 4.609, 2.918, 1.950, 1.345, 0.932, 0.625, 0.369, 0.029]),
        ("trailing", [14.615, 8.303, 5.088, 3.321, 2.276, 1.613, 1.161, 0.830, 0.569, 0.342]),
    ],
)
def test_ten_sd_steps_are_the_published_ones(spacing, known):
    assert_allclose(build(10, timestep_spacing=spacing, **SD).sigma, known, atol=6e-4)


# --- one step ------------------------------------------------------------------------------------

sigma_values, ratios = st.floats(1e-6, 1e8), st.floats(1e-9, 0.999)
repeatable = settings(derandomize=True, deadline=None)


@repeatable
@given(sigma_values, ratios, st.floats(0, 1.5))
def test_the_split_keeps_the_variance(sigma, ratio, eta):
    down, up = ancestral_split(sigma, sigma * ratio, eta)
    assert_allclose(down**2 + up**2, (sigma * ratio) ** 2, rtol=1e-12)
    assert 0 <= down <= sigma * ratio * (1 + 1e-15)


@repeatable
@given(sigma_values, ratios)
def test_the_splits_two_ends_are_exact(sigma, ratio):
    sigma_next = sigma * ratio
    assert ancestral_split(sigma, sigma_next, 0.0) == (sigma_next, 0.0)
    down, up = ancestral_split(sigma, sigma_next, 1.0)
    assert_allclose(down, sigma_next * (sigma_next / sigma), rtol=1e-14)
    assert_allclose(up, sigma_next * math.sqrt((1 - ratio) * (1 + ratio)), rtol=1e-9)


def test_the_split_survives_the_ratio_at_which_float32_gives_zero():
    down, up = ancestral_split(20291.0, 3.0, 1.0)
    assert_allclose(down, 9 / 20291, rtol=1e-15)
    assert_allclose(up, 3 * math.sqrt(1 - (3 / 20291) ** 2), rtol=1e-15)


def test_more_noise_than_there_is_room_for_is_cut():
    assert ancestral_split(2.0, 1.0, 5.0) == (0.0, 1.0)


def test_at_full_eta_the_midpoint_is_the_next_sigma():
    table = build(20, eta=1.0, **SD)
    assert_allclose(table.sigma_mid, table.sigma_next[:-1], rtol=1e-14)


# --- the table of a run --------------------------------------------------------------------------


@repeatable
@given(
    n=st.integers(1, 250),
    eta=st.sampled_from([0.0, 0.3, 1.0]),
    schedule_type=st.sampled_from(list(SCHEDULE_TYPES)),
    timestep_spacing=st.sampled_from(list(TIMESTEP_SPACINGS)),
    beta_schedule=st.sampled_from(list(BETA_SCHEDULES)),
    steps_offset=st.sampled_from([0, 1, 250]),
)
def test_every_table_is_whole(n, eta, **config):
    table = build(n, eta=eta, num_train_timesteps=250, **config)
    assert (table.steps, table.nfe, table.eta) == (n, 2 * n - 1, eta)
    rows = ("sigma", "sigma_next", "sigma_down", "sigma_up", "timestep")
    assert {getattr(table, row).shape for row in rows} == {(n,)}
    assert table.sigma_mid.shape == table.timestep_mid.shape == (n - 1,)
    for values in vars(table).values():
        assert np.all(np.isfinite(values))
    assert_array_equal(table.sigma_next, [*table.sigma[1:], 0])
    assert table.sigma_down[-1] == table.sigma_up[-1] == 0
    assert np.all(np.diff(table.sigma) < 0)
    inside = (table.sigma_down[:-1] <= table.sigma_mid) & (table.sigma_mid < table.sigma[:-1])
    assert np.all(inside)
    assert np.all((table.call_timestep >= 0) & (table.call_timestep <= 249))
    assert_allclose(table.sigma_mid**2, (table.sigma * table.sigma_down)[:-1], rtol=1e-12)


def test_calls_alternate_between_step_and_midpoint():
    table = build(4, **SD)
    assert_array_equal(table.call_sigma[0::2], table.sigma)
    assert_array_equal(table.call_sigma[1::2], table.sigma_mid)
    assert_array_equal(table.call_timestep[0::2], table.timestep)
    assert_array_equal(table.call_timestep[1::2], table.timestep_mid)


def test_timesteps_say_the_sigmas_they_stand_for():
    for schedule_type in ("exponential", "beta"):
        table = build(15, schedule_type=schedule_type, **SD)
        back = np.interp(table.call_timestep, np.arange(1000), np.log(table.training_sigma))
        assert_allclose(np.exp(back), table.call_sigma, rtol=1e-12)


def test_karras_steps_are_at_whole_timesteps_and_midpoints_are_not():
    table = build(15, schedule_type="karras", **SD)
    exact = schedules.sigma_to_timestep(table.sigma, table.training_sigma)
    assert_array_equal(table.timestep, np.round(exact))
    assert np.any(table.timestep_mid % 1)


def test_the_first_latents_spread_knows_the_spacing():
    for spacing in ("linspace", "trailing"):
        table = build(20, timestep_spacing=spacing, **SD)
        assert table.init_noise_sigma == table.sigma[0]
    table = build(20, timestep_spacing="leading", **SD)
    assert_allclose(table.init_noise_sigma, math.sqrt(table.sigma[0] ** 2 + 1))


@pytest.mark.parametrize("schedule_type", SCHEDULE_TYPES)
@pytest.mark.parametrize("timestep_spacing", TIMESTEP_SPACINGS)
def test_one_step_starts_at_sigma_max(schedule_type, timestep_spacing):
    table = build(1, schedule_type=schedule_type, timestep_spacing=timestep_spacing, **SD)
    rounded = 1e-4 if schedule_type == "align_your_steps" else 1e-7  # its table has three decimals
    assert_allclose(table.sigma, table.training_sigma[-1:], rtol=rounded)
    assert_allclose(table.timestep, [999], rtol=rounded)
    assert table.nfe == 1


def test_trained_betas_replace_the_schedule_and_its_length():
    betas = training_betas("scaled_linear", num_train_timesteps=300)
    table = build(20, trained_betas=betas, num_train_timesteps=1000)
    same = build(20, num_train_timesteps=300, **SD)
    assert_array_equal(table.call_sigma, same.call_sigma)
    assert_array_equal(table.call_timestep, same.call_timestep)


def test_a_table_can_be_kept_but_not_changed():
    table = build(5)
    for name in ("sigma", "training_sigma", "call_sigma"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(table, name)[0] = 1.0
    again = pickle.loads(pickle.dumps(table))
    assert_array_equal(again.call_sigma, table.call_sigma)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_inference_steps", 0),
        ("num_inference_steps", -3),
        ("num_inference_steps", 1001),
        ("num_inference_steps", 10.0),
        ("num_inference_steps", "10"),
        ("num_inference_steps", None),
        ("num_inference_steps", True),
        ("num_train_timesteps", 0),
        ("steps_offset", -1),
        ("steps_offset", 0.5),
        ("timestep_spacing", "even"),
        ("schedule_type", "cubic"),
        ("eta", -0.1),
        ("eta", 1.5),
        ("eta", math.nan),
        ("beta_start", 0.0),
        ("beta_start", -0.1),
        ("beta_start", math.nan),
        ("beta_end", 1.0),
        ("beta_end", 0.9),  # each beta is fine, but the last sigma is infinite
        ("trained_betas", [0.1, 0.0]),
        ("trained_betas", [0.1, 1.0]),
        ("trained_betas", [0.1, math.nan]),
        ("trained_betas", [0.1, math.inf]),
        ("trained_betas", [0.9] * 500),
        ("trained_betas", [0.9, 1e-300]),
        ("trained_betas", []),
        ("trained_betas", [[0.1, 0.2]]),
        ("trained_betas", ["a"]),
    ],
)
def test_a_wrong_argument_is_named(name, value):
    arguments = {"num_inference_steps": 1} | {name: value}
    with pytest.raises(ValueError, match=name):
        build(arguments.pop("num_inference_steps"), **arguments)


def test_the_first_wrong_beta_is_pointed_out():
    for value in (0.0, 1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"number 2 is {value:g}"):
            build(1, trained_betas=[0.1, value, 0.2, -1.0])


def test_an_unknown_beta_schedule_is_not_implemented():
    with pytest.raises(NotImplementedError, match="beta_schedule"):
        build(10, beta_schedule="sigmoid")
