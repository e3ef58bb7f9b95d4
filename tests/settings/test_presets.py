"""The field's presets: each gives the sigmas that its source documents."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import beta as beta_distribution

from explorer.doctor.examine import examine
from explorer.lab.gaussian import Gaussian, final
from explorer.sampling.schedulers import KDPM2AncestralDiscreteScheduler, KDPM2DiscreteScheduler
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.presets import PLAIN, PRESETS

BY_KEY = {preset.key: preset for preset in PRESETS}
# Ten steps, Stable Diffusion's betas: lists made with A1111's and diffusers' code, and the tables
# of Sabour et al. 2024 with the last sigma replaced by 0, as ComfyUI's node does.
DOCUMENTED = {
    "a1111": (14.615, 8.307, 5.092, 3.325, 2.280, 1.616, 1.163, 0.832, 0.571, 0.344, 0),
    "diffusers": (14.615, 7.840, 4.609, 2.918, 1.950, 1.345, 0.932, 0.625, 0.369, 0.029, 0),
    "align_your_steps": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0),
    "align_your_steps_sdxl": (
        *(14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0),
    ),
}
MIN, MAX = 0.029167, 14.614641  # the ends of the training table


def lane_of(key: str, **more) -> LaneSettings:
    return LaneSettings(**{**BY_KEY[key].lane, **more})


def sigmas(lane: LaneSettings, steps: int = 10) -> np.ndarray:
    calls = lane.calls(steps)
    return np.append(calls.sigma[~calls.second_call], calls.sigma_end)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.key)
def test_a_preset_is_settings_with_a_sentence(preset):
    run = RunSettings(**preset.run)
    for sampler in ("dpm2", "dpm2_a"):
        lane = LaneSettings(sampler=sampler, **preset.lane)
        assert len(sigmas(lane, run.steps)) == run.steps + 1
    assert preset.text.endswith(".") and preset.source and preset.label
    assert preset.run or preset.lane


def test_keys_and_labels_are_unique():
    assert len(BY_KEY) == len({preset.label for preset in PRESETS}) == len(PRESETS)


def test_a_whole_schedule_leaves_nothing_of_the_one_before():
    """Custom sigmas, churn or another eta under the name of A1111 would not be A1111's run."""
    whole = {spec.name for spec in fields(LaneSettings) if spec.metadata["group"] != "training"}
    for preset in PRESETS:
        if preset.key != "eta_0":
            assert preset.lane.keys() >= whole - {"sampler"}, preset.key
    assert PLAIN.keys() == whole - {"sampler"}


@pytest.mark.parametrize("sampler", ["dpm2", "dpm2_a"])
@pytest.mark.parametrize("key", DOCUMENTED)
def test_the_sigmas_are_the_documented_ones(key, sampler):
    assert_allclose(sigmas(lane_of(key, sampler=sampler)), DOCUMENTED[key], atol=6e-4)


@pytest.mark.parametrize("cls", [KDPM2DiscreteScheduler, KDPM2AncestralDiscreteScheduler])
def test_diffusers_preset_is_diffusers_class(cls):
    import diffusers

    theirs = getattr(diffusers, cls.__name__)(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"
    )
    theirs.set_timesteps(12)
    ours = lane_of("diffusers", sampler="dpm2_a" if "Ancestral" in cls.__name__ else "dpm2")
    first = theirs.sigmas[:1].numpy()  # then each one twice, as the interleaved table has them
    assert_allclose(sigmas(ours, 12), np.append(first, theirs.sigmas[1:-1:2]), rtol=2e-5)


def test_a1111s_karras_is_the_formula_without_its_last_sigma():
    """Eleven sigmas by Karras et al. 2022, eq. 5, of which the last is left out."""
    ramp = np.linspace(0, 1, 11)
    formula = (MAX ** (1 / 7) + ramp * (MIN ** (1 / 7) - MAX ** (1 / 7))) ** 7
    assert_allclose(sigmas(lane_of("a1111_karras")), [*formula[:-1], 0], rtol=1e-4)
    for key in ("a1111", "a1111_karras"):  # they tell the model fractional timesteps
        assert (lane_of(key).schedule(10).timestep % 1 != 0).any()
        assert lane_of(key) == lane_of(key).as_a1111()


def test_beta57_are_the_quantiles_of_that_distribution():
    quantiles = beta_distribution.ppf(np.linspace(1, 0, 10), 0.5, 0.7)
    assert_allclose(sigmas(lane_of("beta57")), [*(MIN + (MAX - MIN) * quantiles), 0], rtol=1e-4)


def test_few_steps_end_nearer_to_the_data_than_the_plain_schedule():
    """The sentence's claim, on data whose denoiser is exact."""
    errors = {}
    for key in ("few_steps", "diffusers"):
        lane = lane_of(key, sampler="dpm2_a")
        scheduler = KDPM2AncestralDiscreteScheduler(**lane.scheduler_config())
        scheduler.set_timesteps(BY_KEY["few_steps"].run["steps"])
        noise = torch.randn((1, 50_000), generator=torch.Generator().manual_seed(0))
        x = noise.double() * float(scheduler.init_noise_sigma)
        end = final(scheduler, Gaussian(), x, torch.Generator().manual_seed(1))
        errors[key] = abs(float(end.std()) - Gaussian().std)
    assert errors["few_steps"] < 0.6 * errors["diffusers"]


def test_zero_terminal_snr_begins_at_pure_noise_and_is_for_v():
    lane = lane_of("zero_snr")
    assert sigmas(lane)[0] > 1000
    assert_allclose(lane.schedule(10).timestep[0], 999)
    said = [finding.sentence for finding in examine(lane, lane.schedule(10), 10)]
    assert any("v_prediction" in sentence for sentence in said)  # of a model that predicts noise
    fit = replace(lane, prediction_type="v_prediction")
    said = [finding.sentence for finding in examine(fit, fit.schedule(10), 10)]
    assert not any("v_prediction" in sentence for sentence in said)


def test_eta_0_makes_the_two_samplers_one():
    one, other = lane_of("eta_0"), lane_of("eta_0", sampler="dpm2_a")
    for spec in fields(one.schedule(9)):
        values = (getattr(each.schedule(9), spec.name) for each in (one, other))
        np.testing.assert_array_equal(*values)
