"""Baselines against their own noise levels: after each call the latent has the next call's sigma.

The data are all zero, so that a latent is nothing but noise and an exact model answers with the
latent in units of the noise that it is told. Diffusers' DDIM keeps to its timesteps under leading
alone, and the doctor says so of the others.
"""

import inspect

import pytest
import torch

from explorer.doctor.examine import examine
from explorer.sampling import baselines
from explorer.sampling.levels import levels
from explorer.sampling.samplers import SAMPLERS
from explorer.settings.lane import LaneSettings

# diffusers' own tables, built with numpy 2
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Should have t"),  # as brownian.py says
]

BASELINES = [key for key, sampler in SAMPLERS.items() if sampler.baseline]
STOCHASTIC = ("euler_a", "dpmpp_sde")
STEPS = (3, 5, 10, 15, 20, 61, 100)
# What DDIM rounds depends on the number of steps; DPM++ SDE is slow.
STEPS_OF = {"ddim": (*STEPS, 4, 7, 30, 47, 75, 99), "dpmpp_sde": (3, 5, 10, 61)}
SPACINGS = ("linspace", "leading", "trailing")
EXACT = 1e-3  # float32 of the schedulers
DRAWN = 0.05  # 4,096 numbers a draw: 4.5 deviations
SAID_FROM = 0.02  # what the doctor speaks of


def lane_of(key: str, kind: str, spacing: str) -> LaneSettings:
    return LaneSettings(sampler=key, schedule_type=kind, timestep_spacing=spacing)


def excess(lane: LaneSettings, steps: int) -> float:
    """The worst relative difference between a latent's noise and the sigma that the model is told.

    That of one step alone: after each call the latent is set right again.
    """
    scheduler = baselines.scheduler(lane.solver, lane.scheduler_config(), [3])
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)  # as a run does: by number, not by timestep
    rows = levels(scheduler)
    draws = "generator" in inspect.signature(scheduler.step).parameters
    noise = {"generator": torch.Generator().manual_seed(2)} if draws else {}
    unit = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(1)).double()
    unit /= unit.square().mean().sqrt()
    sample, worst = unit * rows[0].sigma * rows[0].alpha, 0.0
    for row, timestep in zip(rows, scheduler.timesteps, strict=True):
        spread = row.sigma * row.alpha
        got = sample.square().mean().sqrt().item() / spread
        worst = max(worst, abs(got - 1))
        if lane.sampler not in STOCHASTIC:  # whose Brownian motion would be cut
            sample = sample / got
        scheduler.scale_model_input(sample, timestep)
        sample = scheduler.step(sample / spread, timestep, sample, **noise).prev_sample.double()
    return worst


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("key", BASELINES)
def test_after_each_call_the_latent_has_the_next_calls_sigma(key, spacing):
    for kind in SAMPLERS[key].schedule_types:
        lane = lane_of(key, kind, spacing)
        for steps in STEPS_OF.get(key, STEPS):
            try:
                table = lane.calls(steps)
            except ValueError as error:  # diffusers makes one step more, and our sentence says so
                assert spacing == "trailing" and str(steps) in str(error)
                continue
            said = {finding.code for finding in examine(lane, table, steps)}
            worst = excess(lane, steps)
            if key == "ddim" and spacing in ("linspace", "trailing"):
                # Rounding to a percent may fall on either side of what is spoken of.
                if abs(worst - SAID_FROM) > 1e-3:
                    assert ("levels_reached" in said) == (worst > SAID_FROM), (steps, worst)
            else:
                assert worst < (DRAWN if key in STOCHASTIC else EXACT), (kind, steps, worst)
                assert "levels_reached" not in said


@pytest.mark.parametrize("key", BASELINES)
def test_auto_is_a_spacing_of_these(key):
    auto = lane_of(key, "automatic", "auto")
    assert auto.spacing in SPACINGS
    same = lane_of(key, "automatic", auto.spacing)
    assert auto.scheduler_config() == same.scheduler_config()


def test_ddim_under_linspace_is_far_off_and_its_default_is_not():
    assert excess(lane_of("ddim", "automatic", "linspace"), 10) > 2.4
    assert excess(lane_of("ddim", "automatic", "linspace"), 20) > 0.9
    assert excess(LaneSettings(sampler="ddim"), 10) < EXACT
    assert LaneSettings(sampler="ddim").spacing == "leading"
    assert LaneSettings(sampler="euler").spacing == LaneSettings().spacing == "linspace"
