"""The plot's quantities against what they are defined as."""

import numpy as np
import pytest

from explorer.plots.curves import (
    QUANTITIES,
    alpha_bar,
    curve_of,
    log_snr,
    new_noise,
    noise_since_start,
    step_size,
)
from explorer.settings import LaneSettings


def curve(steps: int = 12, start: int = 0, **settings):
    schedule = LaneSettings(**settings).schedule(steps)
    return curve_of(schedule, "", lane=0, start=start), schedule


def test_alpha_bar_is_that_of_training():
    _, schedule = curve()
    trained = np.cumprod(1 - schedule.training_beta)
    np.testing.assert_allclose(alpha_bar(schedule.training_sigma), trained, rtol=1e-9)
    snr = trained / (1 - trained)
    np.testing.assert_allclose(log_snr(schedule.training_sigma), np.log(snr), rtol=1e-6, atol=1e-9)


def test_exponential_steps_are_all_equal_in_log_sigma():
    line, _ = curve(schedule_type="exponential")
    steps = step_size(line)
    np.testing.assert_allclose(steps[:-1], steps[0])
    assert steps[-1] == np.inf
    line, _ = curve(final_sigmas_type="sigma_min")
    assert np.isfinite(step_size(line)).all()


def test_new_noise_of_dpm2_a_is_sigma_up_over_sigma_next_in_variance():
    line, schedule = curve(sampler="dpm2_a")
    wanted = schedule.sigma_up[:-1] ** 2 / schedule.sigma_next[:-1] ** 2
    np.testing.assert_allclose(new_noise(line)[:-1], wanted)
    # at eta = 1 what is left of the start noise has shrunk as if by one step
    left = (schedule.sigma_next[:-1] / schedule.sigma[0]) ** 2
    np.testing.assert_allclose(1 - noise_since_start(line)[:-1], left, rtol=1e-6)


@pytest.mark.parametrize("settings", [{}, {"sampler": "dpm2_a", "eta": 0}])
def test_without_noise_the_budget_is_zero(settings):
    line, _ = curve(**settings)
    assert not new_noise(line).any()
    assert not noise_since_start(line).any()


def test_a_run_that_begins_later_has_drawn_nothing_before():
    line, _ = curve(sampler="dpm2_a", start=5)
    assert not noise_since_start(line)[:5].any()
    assert noise_since_start(line)[5] == pytest.approx(new_noise(line)[5])


def test_the_budget_follows_a_simulated_run():
    """Noise of variance sigma^2 that a perfect denoiser shrinks, with what each step adds."""
    line, schedule = curve(sampler="dpm2_a", eta=0.6)
    start = schedule.sigma[0] ** 2
    own = 0.0
    for step in range(schedule.steps - 1):
        shrink = (schedule.sigma_down[step] / schedule.sigma[step]) ** 2
        start, own = start * shrink, own * shrink + schedule.noise[step] ** 2
        assert noise_since_start(line)[step] == pytest.approx(own / (start + own))


def test_every_quantity_says_what_it_is():
    for quantity in QUANTITIES.values():
        assert quantity.label
        assert quantity.title
        assert quantity.formula or quantity is QUANTITIES["sigma"]
