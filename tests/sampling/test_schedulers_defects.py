"""What diffusers' two classes get wrong in arguments and numbers.

One test a defect, named after it: here it is right.
"""

import math

import diffusers
import numpy as np
import pytest
import torch
from gaussian_data import CLASSES, SD, Gaussian, every_type, final, noise, ready, run, start
from numpy.testing import assert_allclose, assert_array_equal
from torch.testing import assert_close

from explorer.sampling.betas import training_betas, training_sigmas
from explorer.sampling.schedulers import KDPM2AncestralDiscreteScheduler, KDPM2DiscreteScheduler

both = pytest.mark.parametrize("cls", CLASSES)
COSINE = {"beta_schedule": "squaredcos_cap_v2"}
TYPES = (
    {},
    {"use_karras_sigmas": True},
    {"use_exponential_sigmas": True},
    {"use_beta_sigmas": True},
)
DATA = Gaussian()


def everything_public(scheduler):
    names = ("timesteps", "sigmas", "sigmas_interpol", "sigmas_up", "sigmas_down", "log_sigmas")
    names += ("betas", "alphas", "alphas_cumprod", "init_noise_sigma")
    return {name: getattr(scheduler, name) for name in names}


# --- what is documented and missing ---------------------------------------------------------------


@both
def test_prediction_type_sample(cls):
    scheduler = ready(cls, 8, prediction_type="sample", **SD)
    for sigma, x, output in run(scheduler, DATA, start(scheduler)):
        assert_close(output.pred_original_sample, DATA.denoise(x, sigma))


@both
def test_np_ndarray_in_step(cls):
    scheduler = ready(cls, 8, **SD)
    output = scheduler.step(np.ones((1, 4)), 999, np.ones((1, 4)))
    assert isinstance(output.prev_sample, np.ndarray)
    assert isinstance(output.pred_original_sample, np.ndarray)


@both
def test_use_karras_sigmas_none(cls):
    flags = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")
    scheduler = cls(**dict.fromkeys(flags))
    assert [scheduler.config[flag] for flag in flags] == [False] * 3
    assert_close(scheduler.timesteps, cls().timesteps)


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing", ["linspace", "trailing", "leading"])
@every_type
def test_ancestral_cosine_nan(spacing, config):
    for steps in (*range(1, 11), 50):
        scheduler = ready(
            KDPM2AncestralDiscreteScheduler, steps, timestep_spacing=spacing, **COSINE, **config
        )
        for values in everything_public(scheduler).values():
            assert torch.all(torch.isfinite(values))
        end = final(scheduler, DATA, start(scheduler, dtype=torch.float32))
        assert torch.all(torch.isfinite(end))


@pytest.mark.parametrize(("beta_schedule", "steps"), [("linear", 2), ("squaredcos_cap_v2", 50)])
def test_ancestral_midpoint_loses_its_digits(beta_schedule, steps):
    scheduler = ready(KDPM2AncestralDiscreteScheduler, steps, beta_schedule=beta_schedule)
    # sqrt(a * b^2 / a) is b: at full eta the midpoint is the next sigma.
    after = scheduler.sigmas[1:-3:2]
    assert_close(scheduler.sigmas_interpol[0:-4:2], after, rtol=1e-7, atol=0)


@both
@pytest.mark.parametrize("steps", [6, 10, 25])
def test_cosine_karras_starts_late_and_divides_by_zero(cls, steps):
    scheduler = ready(cls, steps, use_karras_sigmas=True, **COSINE)
    assert torch.sum(scheduler.timesteps == 999) > 1  # the trap: equal timesteps
    x = start(scheduler)
    calls = []
    for t in scheduler.timesteps:
        scheduler.scale_model_input(x, t)
        calls.append(scheduler.step_index)
        sigma = float(scheduler.schedule.call_sigma[scheduler.step_index])
        x = scheduler.step(DATA.output(x, sigma, "epsilon"), t, x).prev_sample
    assert calls == list(range(2 * steps - 1))
    assert torch.all(torch.isfinite(x))


@both
def test_duplicate_timesteps(cls):
    scheduler = ready(cls, 200, use_karras_sigmas=True, **SD)
    assert len(scheduler.timesteps.unique()) < len(scheduler.timesteps)
    for call, t in enumerate(scheduler.timesteps):
        scheduler.set_begin_index(None)
        scheduler.scale_model_input(noise(1, 4), t)
        assert scheduler.step_index == call


def midpoint_method(sigma, data, x):
    """DPM2 as the paper has it, in float64; independent of the scheduler."""
    for a, b in zip(sigma, [*sigma[1:], 0.0], strict=True):
        slope = (x - data.denoise(x, a)) / a
        if b == 0:
            return x - a * slope
        middle = math.sqrt(a * b)
        between = x + (middle - a) * slope
        x = x + (b - a) * (between - data.denoise(between, middle)) / middle
    return x


@every_type
def test_float32_coefficients_at_sigma_20000(config):
    data = Gaussian(mean=0.0, std=2.0)
    scheduler = ready(KDPM2DiscreteScheduler, 3, **COSINE, **config)
    x = start(scheduler)
    want = midpoint_method(scheduler.schedule.sigma.tolist(), data, x)
    assert_close(final(scheduler, data, x), want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("prediction_type", ["v_prediction", "sample"])
def test_float32_arithmetic_at_sigma_20000(prediction_type):
    data = Gaussian(mean=0.0, std=2.0)
    scheduler = ready(KDPM2DiscreteScheduler, 3, prediction_type=prediction_type, **COSINE)
    x = start(scheduler)
    want = midpoint_method(scheduler.schedule.sigma.tolist(), data, x)
    assert_close(final(scheduler, data, x.float()), want.float(), rtol=0, atol=0.01)


# --- numbers of steps ----------------------------------------------------------------------------


@both
def test_trailing_gives_the_wrong_number_of_steps(cls):
    scheduler = cls(timestep_spacing="trailing")
    for steps in range(1, 1001):
        scheduler.set_timesteps(steps)
        assert len(scheduler.timesteps) == 2 * steps - 1
        assert scheduler.timesteps[-1] >= 0


@both
@pytest.mark.parametrize("steps", [1001, 0, -1, 2.5, "20", None])
def test_steps_that_cannot_be(cls, steps):
    with pytest.raises(ValueError, match="num_inference_steps"):
        cls().set_timesteps(steps)


@both
@pytest.mark.parametrize("spacing", ["linspace", "trailing", "leading"])
@every_type
def test_one_step_starts_at_sigma_max(cls, spacing, config):
    scheduler = ready(cls, 1, timestep_spacing=spacing, **SD, **config)
    sigma_max = training_sigmas(training_betas("scaled_linear"))[-1]
    assert_close(scheduler.timesteps, torch.tensor([999.0]))
    assert_allclose(scheduler.sigmas[0], sigma_max, rtol=1e-6)
    x = start(scheduler)
    assert_close(final(scheduler, DATA, x), DATA.denoise(x, sigma_max))


@both
@pytest.mark.parametrize("number", [400, 1000, 2000])
def test_num_train_timesteps_override(cls, number):
    scheduler = cls(**SD)
    scheduler.set_timesteps(20, num_train_timesteps=number)
    built = ready(cls, 20, num_train_timesteps=number, **SD)
    for name, values in everything_public(built).items():
        assert_close(getattr(scheduler, name), values, msg=name)
    scheduler.set_timesteps(20)
    assert_close(scheduler.timesteps, ready(cls, 20, **SD).timesteps)


@both
def test_num_train_timesteps_override_against_the_data(cls):
    scheduler = cls(trained_betas=[0.01] * 50)
    scheduler.set_timesteps(10, num_train_timesteps=50)
    with pytest.raises(ValueError, match="num_train_timesteps must be 50"):
        scheduler.set_timesteps(10, num_train_timesteps=1000)
    with pytest.raises(ValueError, match="num_train_timesteps"):
        scheduler.set_timesteps(10, num_train_timesteps=0)


@both
def test_steps_offset_leaves_the_table(cls):
    scheduler = ready(cls, 1000, timestep_spacing="leading", steps_offset=1)
    assert scheduler.timesteps.max() == 999
    assert torch.all(scheduler.sigmas[0:-4:2] > scheduler.sigmas[2:-2:2])


# --- betas ---------------------------------------------------------------------------------------


@both
def test_trained_betas_of_another_length(cls):
    betas = training_betas("scaled_linear", num_train_timesteps=300)
    scheduler = ready(cls, 20, trained_betas=betas)
    assert len(scheduler) == scheduler.config.num_train_timesteps == 300
    assert_close(scheduler.timesteps, ready(cls, 20, num_train_timesteps=300, **SD).timesteps)
    # Other classes are told, too.
    for other in (cls, diffusers.DDIMScheduler):
        assert other.from_config(scheduler.config).config.num_train_timesteps == 300


@both
@pytest.mark.parametrize(
    "betas",
    [
        torch.tensor([0.1, 0.2, 0.3]),
        torch.tensor([0.1, 0.2, 0.3], dtype=torch.bfloat16),
        np.array([0.1, 0.2, 0.3], dtype=np.float32),
        list(np.array([0.1, 0.2, 0.3], dtype=np.float32)),
        [0.1, 0.2, 0.3],
    ],
    ids=["tensor", "bfloat16", "float32", "list of float32", "list"],
)
def test_trained_betas_not_json_serialisable(cls, betas, tmp_path):
    scheduler = cls(trained_betas=betas)
    scheduler.save_pretrained(tmp_path)
    again = cls.from_pretrained(tmp_path)
    assert_close(again.betas, scheduler.betas, rtol=0, atol=0)
    assert_close(again.betas, torch.tensor([0.1, 0.2, 0.3]), rtol=0, atol=1e-3)


@both
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("beta_start", 0.0),
        ("beta_end", 1.0),
        ("beta_end", 0.2),
        ("beta_end", math.nan),
        ("trained_betas", [0.1, 1.0]),
        ("trained_betas", [0.0, 0.1]),
        ("trained_betas", [0.1, math.inf]),
        ("trained_betas", [math.nan, 0.1]),
    ],
)
def test_betas_that_give_infinite_or_nan_sigmas(cls, name, value):
    with pytest.raises(ValueError, match=name):
        cls(**{name: value})


# --- the public tables ----------------------------------------------------------------------------


@both
@every_type
def test_float64_timesteps(cls, config):
    scheduler = ready(cls, 10, **SD, **config)
    kinds = {name: values.dtype for name, values in everything_public(scheduler).items()}
    assert set(kinds.values()) == {torch.float32}


@both
@every_type
@pytest.mark.parametrize("beta_schedule", ["scaled_linear", "squaredcos_cap_v2"])
def test_nan_in_public_tables(cls, config, beta_schedule):
    for steps in (1, 2, 10):
        scheduler = ready(cls, steps, beta_schedule=beta_schedule, **config)
        for values in everything_public(scheduler).values():
            assert torch.all(torch.isfinite(values))


def test_the_ancestral_split_at_a_huge_ratio_still_adds_noise():
    # k-diffusion's float32 split returns sigma_down = 0 at (20291, 3).
    betas = [0.9, 0.99999997]
    scheduler = ready(KDPM2AncestralDiscreteScheduler, 2, trained_betas=betas)
    sigma = scheduler.schedule.sigma
    assert_allclose(sigma, [18257, 3], rtol=0.1)
    assert_array_equal(scheduler.sigmas_down[0], np.float32(sigma[1] ** 2 / sigma[0]))
    assert scheduler.sigmas_down[0] > 0
    assert_allclose(scheduler.sigmas_up[0], sigma[1], rtol=1e-6)
