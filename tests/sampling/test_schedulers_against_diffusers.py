"""Where diffusers' classes are right we give their numbers: tables, runs, noise, image to image."""

import functools

import diffusers
import pytest
import torch
from gaussian_data import CLASSES, every_type, noise
from torch.testing import assert_close

from explorer.sampling.schedulers import KDPM2AncestralDiscreteScheduler
from explorer.sampling.schedules import TIMESTEP_SPACINGS

# numpy has things to say about how diffusers converts tensors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

both = pytest.mark.parametrize("cls", CLASSES)
every_spacing = pytest.mark.parametrize("spacing", TIMESTEP_SPACINGS)
betas = pytest.mark.parametrize("beta_schedule", ["linear", "scaled_linear"])

# diffusers computes betas and their products in float32: the smallest sigmas differ by 1.3e-5.
TABLES = {"rtol": 2e-5, "atol": 1e-6}
TIMESTEPS = {"rtol": 0, "atol": 2e-3}


@functools.cache
def peer(cls, **config):
    """diffusers' class of the same name; kept, for its constructor is slow."""
    return getattr(diffusers, cls.__name__)(**config)


def pair(cls, steps, **config):
    config = {"num_train_timesteps": 250} | config
    ours, theirs = cls(**config), peer(cls, **config)
    ours.set_timesteps(steps)
    theirs.set_timesteps(steps)
    return ours, theirs


def network(model_input, t):
    """Some smooth function of what a U-Net is given."""
    return torch.tanh(model_input) + 0.001 * t * model_input.flip(-1)


def run(scheduler, x, generator, begin=0):
    """All results of a run, as one tensor: call x (sample, clean) x batch x ..."""
    kwargs = {"generator": generator} if "Ancestral" in type(scheduler).__name__ else {}
    results = []
    for t in scheduler.timesteps[begin:]:
        answer = network(scheduler.scale_model_input(x, t), t)
        x, clean = scheduler.step(answer, t, x, return_dict=False, **kwargs)
        results.append(torch.stack([x, clean]))
    return torch.stack(results)


def assert_same_run(ours, theirs, **run_arguments):
    x = noise(2, 4, 6, 6, dtype=torch.float32)
    results = [
        run(one, x * one.init_noise_sigma, torch.Generator().manual_seed(1), **run_arguments)
        for one in (ours, theirs)
    ]
    scale = results[1].abs().max()
    assert_close(results[0] / scale, results[1] / scale, rtol=0, atol=2e-5)


@both
@every_type
@every_spacing
@betas
@pytest.mark.parametrize("steps", [2, 5, 20, 125])
def test_tables(cls, config, spacing, beta_schedule, steps):
    ours, theirs = pair(cls, steps, timestep_spacing=spacing, beta_schedule=beta_schedule, **config)
    assert_close(ours.sigmas, theirs.sigmas, **TABLES)
    assert_close(ours.init_noise_sigma, theirs.init_noise_sigma, **TABLES)
    # Theirs is NaN where there is no midpoint, and lost its digits where the split cancels.
    usable = torch.isfinite(theirs.sigmas_interpol)
    coarse = {"rtol": 5e-3 if steps == 2 else 2e-4, "atol": 1e-6}
    assert_close(ours.sigmas_interpol[usable], theirs.sigmas_interpol[usable], **coarse)
    if cls is KDPM2AncestralDiscreteScheduler:
        assert_close(ours.sigmas_up[: 2 * steps - 1], theirs.sigmas_up[: 2 * steps - 1], **TABLES)
        assert_close(ours.sigmas_down, theirs.sigmas_down, rtol=1e-2, atol=1e-5)
    assert ours.timesteps.shape == theirs.timesteps.shape
    assert_close(ours.timesteps[0::2], theirs.timesteps[0::2].float(), **TIMESTEPS)
    assert_close(ours.timesteps[1::2], theirs.timesteps[1::2].float(), rtol=0, atol=0.02)


@both
@every_type
@every_spacing
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("steps", [3, 10, 25])
def test_runs(cls, config, spacing, prediction_type, steps):
    assert_same_run(
        *pair(cls, steps, timestep_spacing=spacing, prediction_type=prediction_type, **config)
    )


@both
@every_type
def test_runs_with_stable_diffusions_betas(cls, config):
    sd = {"num_train_timesteps": 1000, "beta_schedule": "scaled_linear"}
    assert_same_run(*pair(cls, 20, **sd, **config))


@pytest.mark.parametrize("spacing", ["linspace", "leading"])
@pytest.mark.parametrize("flag", [None, "use_exponential_sigmas"])
def test_deterministic_runs_with_cosine_betas(spacing, flag):
    config = {flag: True} if flag else {}
    cosine = {"beta_schedule": "squaredcos_cap_v2", "timestep_spacing": spacing}
    assert_same_run(*pair(CLASSES[0], 25, **cosine, **config))


@both
def test_leading_with_stable_diffusions_offset(cls):
    sd = {"num_train_timesteps": 1000, "timestep_spacing": "leading", "steps_offset": 1}
    ours, theirs = pair(cls, 50, **sd)
    assert_close(ours.timesteps, theirs.timesteps, rtol=0, atol=0.02)
    assert_same_run(ours, theirs)


@both
@pytest.mark.parametrize("steps", [16, 48, 96, 112, 144])
def test_trailing_rounds_its_ties_the_same_way(cls, steps):
    ours, theirs = pair(cls, steps, num_train_timesteps=1000, timestep_spacing="trailing")
    assert_close(ours.timesteps[0::2], theirs.timesteps[0::2], rtol=0, atol=0)


@both
@every_type
def test_image_to_image(cls, config):
    ours, theirs = pair(cls, 10, **config)
    clean, dirt = noise(2, 4, 6, 6).float(), noise(2, 4, 6, 6, seed=1).float()
    noisy = []
    for one in (ours, theirs):
        one.set_begin_index(6)
        noisy.append(one.add_noise(clean, dirt, one.timesteps[[6, 6]]))
    assert_close(*noisy, rtol=2e-5, atol=1e-5)
    assert_same_run(ours, theirs, begin=6)


@both
def test_image_to_image_by_timestep(cls):
    ours, theirs = pair(cls, 10)
    clean, dirt = noise(2, 4, 6, 6).float(), noise(2, 4, 6, 6, seed=1).float()
    noisy = [one.add_noise(clean, dirt, one.timesteps[[8, 8]]) for one in (ours, theirs)]
    assert_close(*noisy, rtol=2e-5, atol=1e-5)
    assert_same_run(ours, theirs, begin=8)


# --- the loops of diffusers' own tests, against diffusers' class in the same loop -----------------


def peers_loop(scheduler, begin=0):
    """N = 10 with the scaled input as the sample, as diffusers' full-loop tests have it."""
    count = 4 * 3 * 8 * 8
    ramp = (torch.arange(count).reshape(3, 8, 8, 4) / count).permute(3, 0, 1, 2)
    scheduler.set_timesteps(10)
    x = ramp * scheduler.init_noise_sigma
    timesteps = scheduler.timesteps[begin:]
    if begin:
        x = scheduler.add_noise(x, 1 - ramp, timesteps[:1])
    generator = torch.Generator().manual_seed(0)
    kwargs = {"generator": generator} if "Ancestral" in type(scheduler).__name__ else {}
    for t in timesteps:
        x = scheduler.scale_model_input(x, t)
        x = scheduler.step(x * t / (t + 1), t, x, **kwargs).prev_sample
    return x


@both
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("begin", [0, 16])
def test_the_peers_own_full_loops(cls, prediction_type, begin):
    ours, theirs = pair(
        cls,
        10,
        num_train_timesteps=1100,
        beta_start=0.0001,
        beta_end=0.02,
        prediction_type=prediction_type,
    )
    results = [peers_loop(one, begin) for one in (ours, theirs)]
    scale = results[1].abs().max()
    assert_close(results[0] / scale, results[1] / scale, rtol=0, atol=5e-6)


@both
def test_single_steps_out_of_order_as_the_peers_tests_make_them(cls):
    # A new scheduler without set_timesteps, its last call, and another one after the end.
    ours, theirs = cls(num_train_timesteps=100), getattr(diffusers, cls.__name__)(100)
    x = noise(4, 3, 8, 8).float()
    for one in (ours, theirs):
        one.scale_model_input(x, 0)
    for timestep in (0, 1):
        results = [one.step(0.1 * x, timestep, x).prev_sample for one in (ours, theirs)]
        assert results[0].shape == results[1].shape
        assert torch.all(torch.isfinite(results[0]))
        if timestep == 0:
            assert_close(*results)


@both
def test_eta_is_what_sets_the_two_classes_apart(cls):
    other = next(one for one in CLASSES if one is not cls)
    assert not (set(vars(cls)) | set(vars(other))) - {
        *("__module__", "__doc__", "__annotations__", "__parameters__"),
        *("sampler", "_midpoint_leads_to", "__firstlineno__", "__static_attributes__"),
    }
