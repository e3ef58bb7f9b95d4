"""What users of DPM2 and DPM2 a suffer from, and that the doctor says it before the run."""

from dataclasses import replace

import numpy as np
import pytest
from finding_cases import COSINE, KARRAS, OWN, ZERO_SNR, A, examined, find

from explorer.doctor.examine import Cost, examine
from explorer.settings import LaneSettings


def test_steps_are_not_calls():
    """diffusers#5233, #3116, #5546: N steps are 2N-1 calls."""
    calls = OWN.schedule(20).nfe
    assert "39 model calls" in find(examined(OWN, cost=Cost(calls=(calls,))), "cost").sentence


@pytest.mark.parametrize("steps", [4, 6, 8, 10])
def test_the_last_step_leaves_noise(steps):
    """A1111#1435, k-diffusion#34: both peers drop the penultimate sigma for these samplers."""
    lane = LaneSettings(**A, timestep_spacing="leading" if steps == 4 else "linspace")
    finding = find(examined(lane, steps), "last_step")
    assert finding.severity == "warning"
    assert finding.fix == {"discard_penultimate_sigma": True}
    assert finding.numbers["sigma_next"] == pytest.approx(0.0292, abs=1e-4)
    dropped = replace(lane, **finding.fix).schedule(steps)
    assert dropped.steps == steps
    assert dropped.sigma[-1] > 0.1


def float32_table(lane: LaneSettings, steps: int):
    """DPM2 a's table as float32 arithmetic gives it."""
    table = lane.schedule(steps)
    sigma, then = table.sigma.astype(np.float32), table.sigma_next.astype(np.float32)
    with np.errstate(invalid="ignore"):
        up = np.sqrt(then**2 * (sigma**2 - then**2) / sigma**2)
        down = np.sqrt(then**2 - up**2)
    return replace(table, sigma_down=down.astype(float), sigma_up=up.astype(float))


def test_nan_of_the_cosine_schedule():
    """diffusers#14213: the square root of a negative number where sigma_up passes sigma_next."""
    lane = LaneSettings(**A, **COSINE, schedule_type="beta")
    finding = find(examine(lane, float32_table(lane, 7), 7), "not_finite")
    assert finding.severity == "error"
    assert "of 7 has a noise level that is no finite number" in finding.sentence
    assert find(examined(lane, 7), "not_finite") is None


@pytest.mark.parametrize("steps", [8, 10, 20])
@pytest.mark.parametrize("sampler", ["dpm2", "dpm2_a"])
def test_cosine_with_karras_repeats_its_first_timestep(steps, sampler):
    """Where diffusers looks the timestep up, such a run leaves its table and ends in NaN."""
    lane = LaneSettings(sampler=sampler, **COSINE, **KARRAS)
    finding = find(examined(lane, steps), "duplicate_timesteps")
    assert finding.severity == "warning"
    assert finding.numbers["timestep"] == 999
    assert finding.fix == {"round_timesteps": "off"}


@pytest.mark.parametrize(
    ("column", "row", "value", "code"),
    [
        ("timestep", 3, np.nan, "not_finite"),  # diffusers#14368: log(0) inside a lerp
        ("timestep_mid", 0, -np.inf, "not_finite"),
        ("sigma", 5, np.inf, "not_finite"),
        ("sigma_mid", 2, np.nan, "not_finite"),
        ("sigma", 5, 100.0, "not_decreasing"),
        ("sigma", 5, -1.0, "not_decreasing"),
        ("sigma_next", -1, 20.0, "not_decreasing"),
    ],
)
def test_a_table_that_is_none(column, row, value, code):
    table = OWN.schedule(20)
    values = getattr(table, column).copy()
    values[row] = value
    found = examine(OWN, replace(table, **{column: values}), 20, model_defaults=OWN)
    assert [finding.code for finding in found] == [code]
    assert found[0].severity == "error"
    where = {"not_finite": row, "not_decreasing": {5: 5 if value < 0 else 4, -1: 19}.get(row)}
    assert found[0].numbers["step"] in (where[code] + 1, where[code])


def test_equal_sigmas_do_not_fall():
    table = OWN.schedule(20)
    sigma = table.sigma.copy()
    sigma[7] = sigma[6]
    found = examine(OWN, replace(table, sigma=sigma), 20, model_defaults=OWN)
    assert found[0].code == "not_decreasing"
    assert found[0].numbers["step"] == 7


@pytest.mark.parametrize(
    ("changes", "safe"),
    [
        ({"beta_schedule": "linear", "beta_end": 0.2}, 0.166),
        ({"beta_schedule": "scaled_linear", "beta_end": 0.25}, 0.231),
    ],
)
def test_betas_that_end_at_an_infinite_sigma(changes, safe):
    finding = find(examined(LaneSettings(**changes)), "infinite_sigma")
    assert finding.fix == {"beta_end": safe}
    assert f"{safe:g} is the largest safe beta end" in finding.sentence


def test_a_beta_of_zero():
    """The settings refuse it; a scheduler's own configuration may hold it."""
    config = {"beta_start": 0.0, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    problem = "beta_start must lie above 0 and below 1; got 0.0."
    finding = find(examine(config, None, 20, problem=problem), "no_schedule")
    assert finding.sentence == problem
    assert finding.field == "beta_start"
    assert LaneSettings(**config | finding.fix).schedule(20).steps == 20


def test_karras_under_leading_begins_too_low():
    lane = LaneSettings(**KARRAS, timestep_spacing="leading", steps_offset=1)
    finding = find(examined(lane, 10), "range_shrunk")
    assert finding.numbers["sigma_max"] == pytest.approx(8.391, abs=5e-4)
    assert finding.fix == {"timestep_spacing": "linspace"}
    for kind in ("exponential", "polyexponential", "beta", "kl_optimal"):
        other = replace(lane, schedule_type=kind)
        assert find(examined(other, 10), "range_shrunk").severity == "warning"


@pytest.mark.parametrize(("steps", "count", "percent"), [(50, 1, 15.8), (100, 5, 16.0)])
def test_karras_timesteps_at_the_low_end(steps, count, percent):
    found = examined(LaneSettings(**KARRAS), steps)
    assert find(found, "duplicate_timesteps").numbers["duplicates"] == count
    assert find(found, "rounded_timestep").numbers["percent"] == pytest.approx(percent, abs=0.1)


def test_the_midpoint_of_dpm2_a_is_the_next_sigma():
    finding = find(examined(LaneSettings(**A)), "midpoint_is_next")
    assert finding.numbers == {"midpoints": 19, "eta": 1}


def test_sigma_ends_of_another_samplers_configuration():
    """Euler's sigma_min and sigma_max change diffusers' two samplers, and nothing says so."""
    ends = {"sigma_min": 0.1, "sigma_max": 10.0}
    found = examined(LaneSettings(**ends))
    assert set(find(found, "no_effect").fix) == set(ends)
    found = examined(LaneSettings(**ends, **KARRAS))
    assert find(found, "range_shrunk").fix == {"sigma_max": 0.0}
    assert find(found, "low_end_raised").fix == {"sigma_min": 0.0}


def test_rescaled_betas_that_do_nothing():
    """Accepted by diffusers, without an effect; here they act unless leading leaves them out."""
    lane = LaneSettings(**ZERO_SNR, timestep_spacing="leading")
    finding = find(examined(lane), "zero_snr_unreached")
    assert finding.fix == {"timestep_spacing": "trailing"}
    assert replace(lane, **finding.fix).schedule(20).sigma[0] == pytest.approx(4096)
