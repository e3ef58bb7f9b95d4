"""The noise of training: betas and sigmas to all digits, and zero terminal SNR."""

import math
from decimal import Decimal, localcontext

import diffusers
import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr
from numpy.testing import assert_allclose

from explorer.sampling.betas import BETA_SCHEDULES, training_betas, training_sigmas
from explorer.sampling.schedules import build


def decimal_sigmas(betas) -> list[Decimal]:
    """The training sigmas to 40 digits."""
    with localcontext() as context:
        context.prec = 40
        alpha_bar, sigmas = Decimal(1), []
        for beta in betas.tolist():
            alpha_bar *= 1 - Decimal(beta)
            sigmas.append(((1 - alpha_bar) / alpha_bar).sqrt())
        return sigmas


@pytest.mark.parametrize("name", BETA_SCHEDULES)
def test_training_betas_are_variances_and_their_sigmas_grow(name):
    betas = training_betas(name)
    assert betas.shape == (1000,)
    assert np.all((betas > 0) & (betas < 1))
    assert np.all(np.diff(training_sigmas(betas)) > 0)


def test_linear_and_scaled_linear_betas_run_from_start_to_end():
    for name in ("linear", "scaled_linear"):
        assert_allclose(training_betas(name, 0.001, 0.02, None, 300)[[0, -1]], [0.001, 0.02])
    # Halfway, linear has the mean of the ends and scaled_linear the square of the roots' mean.
    assert_allclose(training_betas("linear", 0.01, 0.04, None, 3)[1], 0.025)
    assert_allclose(training_betas("scaled_linear", 0.01, 0.04, None, 3)[1], 0.15**2)


def test_cosine_betas_reproduce_the_papers_alpha_bar():
    alpha_bar = np.cumprod(1 - training_betas("squaredcos_cap_v2"))
    for t in (0, 99, 499, 899):
        want = math.cos(((t + 1) / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2
        want /= math.cos(0.008 / 1.008 * math.pi / 2) ** 2
        assert_allclose(alpha_bar[t], want, rtol=1e-12)
    assert training_betas("squaredcos_cap_v2")[-1] == 0.999


@pytest.mark.parametrize(
    "betas",
    [
        training_betas("scaled_linear"),
        training_betas("squaredcos_cap_v2"),
        np.full(50, 1e-12),
        np.array([0.1, 0.999, 1e-6]),
    ],
    ids=["scaled_linear", "cosine", "tiny", "wild"],
)
def test_training_sigmas_are_exact_to_float64(betas):
    want = np.array([float(sigma) for sigma in decimal_sigmas(betas)])
    assert_allclose(training_sigmas(betas), want, rtol=2e-13)


def test_sd_sigmas_are_the_known_ones():
    sigma = training_sigmas(training_betas("scaled_linear"))
    assert_allclose(sigma[[0, -1]], [0.0292, 14.6146], atol=5e-5)


# --- zero terminal SNR ---------------------------------------------------------------------------


def rescaled_by_hand(betas) -> list:
    """Lin et al. 2023, algorithm 1, in exact-enough decimals, one step after the other."""
    with localcontext() as context:
        context.prec = 60
        alpha_bar, roots = Decimal(1), []
        for beta in betas:
            alpha_bar *= 1 - Decimal(float(beta))
            roots.append(alpha_bar.sqrt())
        first, last = roots[0], roots[-1]
        alpha_bars = [((root - last) * first / (first - last)) ** 2 for root in roots]
        alpha_bars[-1] = Decimal(2) ** -24
        return [float((1 / each - 1).sqrt()) for each in alpha_bars]


@pytest.mark.parametrize(
    "config",
    [
        {"beta_schedule": "scaled_linear"},
        {"beta_schedule": "linear"},
        {"trained_betas": np.linspace(0.001, 0.05, 120).tolist()},
    ],
)
def test_zero_snr_is_algorithm_1_but_for_its_end(config):
    plain = training_betas(**config)
    rescaled = training_betas(**config, rescale_betas_zero_snr=True)
    sigmas = training_sigmas(rescaled)
    assert_allclose(sigmas, rescaled_by_hand(plain), rtol=1e-10)
    assert sigmas[0] == pytest.approx(training_sigmas(plain)[0], rel=1e-12)
    assert sigmas[-1] == pytest.approx(4096, rel=1e-6)
    assert np.all((rescaled > 0) & (rescaled < 1))


def test_zero_snr_grows_also_where_the_cap_lies_above_the_sigma_before():
    betas = training_betas("linear", 1e-4, 0.02, rescale_betas_zero_snr=True)
    sigmas = training_sigmas(betas)
    assert sigmas[-2] > 4096
    assert sigmas[-1] == pytest.approx(2 * sigmas[-2], rel=1e-3)


def test_zero_snr_starts_a_trailing_run_at_the_cap():
    config = {"beta_schedule": "scaled_linear", "timestep_spacing": "trailing"}
    schedule = build(20, **config, rescale_betas_zero_snr=True)
    assert schedule.sigma[0] == pytest.approx(4096, rel=1e-6)
    assert schedule.sigma[-1] < 0.5
    assert schedule.timestep[0] == 999


def test_zero_snr_of_a_single_timestep_is_refused():
    with pytest.raises(ValueError, match="rescale_betas_zero_snr"):
        build(1, trained_betas=[0.5], rescale_betas_zero_snr=True)


@pytest.mark.parametrize("name", BETA_SCHEDULES)
def test_zero_snr_is_diffusers_but_for_its_end(name):
    """Diffusers ends at an alpha_bar of 0 (its Euler at 2^-24, too), in float32."""
    plain = training_betas(name)
    theirs = rescale_zero_terminal_snr(torch.tensor(plain)).numpy()
    ours = training_betas(name, rescale_betas_zero_snr=True)
    assert_allclose(ours[:-1], theirs[:-1], rtol=0, atol=1e-12)
    assert theirs[-1] == 1
    euler = diffusers.EulerDiscreteScheduler(
        beta_schedule=name, beta_start=0.00085, beta_end=0.012, rescale_betas_zero_snr=True
    )
    alpha_bar = 1 / (1 + training_sigmas(ours) ** 2)
    assert_allclose(alpha_bar, euler.alphas_cumprod.numpy(), rtol=5e-3, atol=0)
    assert alpha_bar[-1] == pytest.approx(float(euler.alphas_cumprod[-1]), rel=1e-9) == 2**-24


def test_without_zero_snr_not_a_bit_changes():
    for name in BETA_SCHEDULES:
        plain, off = training_betas(name), training_betas(name, rescale_betas_zero_snr=False)
        assert plain.tobytes() == off.tobytes()
