"""The doctor: each finding is said where it holds and only there, and each fix ends it."""

import json
from dataclasses import asdict, fields, replace
from functools import partial

import numpy as np
import pytest
from finding_cases import CASES, KARRAS, OWN, ZERO_SNR, A, examined, find, mended
from python_calls import python_calls

from explorer.doctor.case import Case
from explorer.doctor.examine import SEVERITIES, Cost, examine
from explorer.doctor.refused import largest_beta_end
from explorer.settings import LaneSettings, SettingsError


def name_of(value) -> str:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(
    ("code", "severity", "steps", "changes", "less", "other"), CASES, ids=name_of
)
def test_a_finding_is_said_where_it_holds_and_only_there(
    code, severity, steps, changes, less, other
):
    finding = find(examined(LaneSettings(**changes), steps), code)
    assert finding.severity == severity
    assert find(examined(LaneSettings(**other), less), code) is None


@pytest.mark.parametrize(
    ("code", "steps", "changes"), [(c, n, s) for c, _, n, s, *_ in CASES], ids=name_of
)
def test_a_fix_ends_its_finding(code, steps, changes):
    lane = LaneSettings(**changes)
    finding = find(examined(lane, steps), code)
    if finding.fix is None:
        assert finding.fix_label == ""
        return
    assert finding.fix_label
    assert find(examined(*mended(lane, steps, finding)), code) is None


def test_most_findings_have_a_fix():
    codes, fixed = set(), set()
    for code, _, steps, changes, *_ in CASES:
        codes.add(code)
        if find(examined(LaneSettings(**changes), steps), code).fix:
            fixed.add(code)
    assert codes - fixed == {"midpoint_is_next", "terminal_snr", "own_steps"}


# --- a calm page ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["dpm2", "dpm2_a"])
@pytest.mark.parametrize("steps", [15, 20, 25, 30, 50])
def test_the_plain_defaults_alarm_nobody(sampler, steps):
    found = examined(LaneSettings(sampler=sampler), steps)
    assert {finding.severity for finding in found} <= {"note"}
    assert {finding.code for finding in found} <= {"last_step", "terminal_snr", "midpoint_is_next"}


@pytest.mark.parametrize("changes", [
    KARRAS,
    {"schedule_type": "exponential"},
    {"schedule_type": "align_your_steps"},
    {"schedule_type": "kl_optimal"},
    {"schedule_type": "sgm_uniform"},
    {"schedule_type": "simple"},
    {"discard_penultimate_sigma": True},
    {"timestep_spacing": "trailing"},
])  # fmt: skip
def test_what_people_use_is_no_warning(changes):
    for sampler in ("dpm2", "dpm2_a"):
        found = examined(LaneSettings(sampler=sampler, **changes))
        assert {finding.severity for finding in found} <= {"note"}, found


def test_a_model_of_zero_terminal_snr_is_no_warning_to_itself():
    own = LaneSettings(prediction_type="v_prediction", timestep_spacing="trailing", **ZERO_SNR)
    assert examined(own, model_defaults=own) == []


def test_the_value_that_the_model_begins_with_asks_for_nothing():
    lane = LaneSettings(steps_offset=1)  # as in the configuration of Stable Diffusion
    assert find(examined(lane, model_defaults=lane), "no_effect") is None
    assert find(examined(replace(lane, steps_offset=2), model_defaults=lane), "no_effect").fix == {
        "steps_offset": 1
    }


def test_without_the_models_own_settings_nothing_differs_from_them():
    lane = LaneSettings(prediction_type="sample", beta_end=0.02, num_train_timesteps=500)
    assert not [f for f in examined(lane, model_defaults=None) if f.code.endswith("differ")]
    noisy = LaneSettings(**ZERO_SNR)
    finding = find(examined(noisy, model_defaults=None), "zero_snr_epsilon")
    assert finding.severity == "warning"
    assert (
        find(examined(replace(noisy, **finding.fix), model_defaults=None), "zero_snr_epsilon")
        is None
    )
    v = replace(noisy, prediction_type="v_prediction")
    assert find(examined(v, model_defaults=None), "zero_snr_epsilon") is None
    assert find(examined(noisy), "zero_snr_epsilon") is None  # zero_snr_differs says it


# --- what a finding is ----------------------------------------------------------------------------


def test_the_worst_comes_first_and_lanes_are_named():
    lane = LaneSettings(prediction_type="sample", schedule_type="karras", beta_end=0.02)
    found = examined(lane, 50, index=3, cost=Cost(calls=(99,) * 4))
    ranks = [SEVERITIES.index(finding.severity) for finding in found]
    assert ranks == sorted(ranks)
    assert ranks[0] == 0
    assert {finding.lane for finding in found if finding.code != "cost"} == {3}
    assert find(found, "cost").lane is None


def test_settings_may_be_a_mapping():
    lane = LaneSettings(beta_end=0.02, steps_offset=2, **KARRAS)
    schedule = lane.schedule(50)
    found = examine(asdict(lane), schedule, 50, model_defaults=asdict(OWN))
    assert found == examine(lane, schedule, 50, model_defaults=OWN)
    assert len(found) >= 4


def test_numbers_are_behind_the_words():
    finding = find(examined(LaneSettings(**KARRAS), 50), "duplicate_timesteps")
    assert finding.numbers == {"duplicates": 1, "step": 49, "timestep": 1}
    finding = find(examined(LaneSettings(**KARRAS), 50), "rounded_timestep")
    assert finding.numbers["percent"] == pytest.approx(15.8, abs=0.05)
    assert finding.sentence == (
        "Step 49 of 50 has sigma 0.03568, but its rounded timestep 1 stands for 0.04131: 15.8% off."
    )


# --- single findings ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["linear", "scaled_linear"])
@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("length", [100, 1000, 4000])
def test_the_largest_safe_beta_end_is_safe_and_the_largest(kind, rescale, length):
    lane = LaneSettings(
        beta_schedule=kind, num_train_timesteps=length, rescale_betas_zero_snr=rescale
    )
    end = largest_beta_end(Case(lane=lane, steps=20))
    replace(lane, beta_end=end).schedule(20)
    if end < 0.99:
        with pytest.raises(ValueError, match="finite"):
            replace(lane, beta_end=1.011 * end).schedule(20)


def test_half_precision_may_not_hold_the_start_noise():
    lane = LaneSettings(beta_end=0.06)  # sigma 29,000 and more
    assert find(examined(lane), "fp16_overflow") is None
    assert find(examined(lane, dtype="bfloat16"), "fp16_overflow") is None
    finding = find(examined(lane, dtype="float16"), "fp16_overflow")
    assert finding.severity == "error"
    assert finding.numbers["largest"] > 65504
    assert find(examined(replace(lane, **finding.fix), dtype="float16"), "fp16_overflow") is None
    assert find(examined(LaneSettings(), dtype="float16"), "fp16_overflow") is None
    capped = examined(replace(lane, **KARRAS), dtype="float16")
    assert "sigma_max" in find(capped, "fp16_overflow").fix


def test_the_cost_is_calls_seconds_and_memory():
    found = examined(OWN, cost=Cost(calls=(39, 39), seconds=12.4, recording_bytes=31 * 2**20))
    finding = find(found, "cost")
    assert finding.sentence == (
        "2 lanes make 39 model calls each (78 in all), about 12 s, the recording takes 31.0 MiB."
    )
    assert finding.numbers == {
        "lanes": 2,
        "calls": 78,
        "seconds": 12.4,
        "recording_bytes": 31 * 2**20,
    }
    assert find(found, "recording_too_large") is None
    crowded = examined(OWN, cost=Cost(calls=(39, 39), recording_bytes=2**31, room_bytes=2**30))
    assert "2.0 GiB" in find(crowded, "recording_too_large").sentence
    assert find(examined(OWN), "cost") is None


# --- anything at all ------------------------------------------------------------------------------


def random_lane(rng: np.random.Generator) -> LaneSettings:
    """Any valid settings, each field by its own check."""
    while True:
        values = {}
        for spec in fields(LaneSettings):
            choices = [choice for _, choice in spec.metadata.get("choices", ())]
            if choices:
                values[spec.name] = choices[rng.integers(len(choices))]
            elif spec.type is bool:
                values[spec.name] = bool(rng.random() < 0.3)
            elif spec.type is float and rng.random() < 0.3:
                values[spec.name] = float(10 ** rng.uniform(-3, 1.5))
        values["beta_end"] = float(10 ** rng.uniform(-3, -0.1))
        values["steps_offset"] = int(rng.choice([0, 1, 999]))
        values["num_train_timesteps"] = int(rng.choice([2, 50, 1000]))
        if rng.random() < 0.1:
            values["trained_betas"] = tuple(rng.uniform(0.001, 0.5, rng.integers(2, 200)).tolist())
        if rng.random() < 0.2:
            values["sigmas"] = tuple(np.sort(10 ** rng.uniform(-2, 2, 7))[::-1].tolist())
        try:
            return LaneSettings(**values)
        except SettingsError:
            continue


@pytest.mark.slow
def test_500_random_settings_give_nothing_but_findings():
    rng = np.random.default_rng(4)
    seen = set()
    for _ in range(500):
        lane, steps = random_lane(rng), int(rng.choice([1, 2, 3, 10, 20, 50, 300]))
        found = examined(lane, steps, dtype="float16", index=0)
        assert found or lane.rescale_betas_zero_snr
        for finding in found:
            seen.add(finding.code)
            assert finding.severity in SEVERITIES
            assert finding.sentence[-1] == "."
            assert len(finding.sentence) < 260
            assert all(np.isfinite(list(finding.numbers.values()))), finding
            json.dumps(asdict(finding), allow_nan=False)
            if finding.fix:
                again = examined(*mended(lane, steps, finding), dtype="float16", index=0)
                assert finding not in again
    assert len(seen) > 20


@pytest.mark.parametrize("lane", [LaneSettings(), LaneSettings(**A)], ids=["defaults", "others"])
def test_it_takes_no_more_python_for_more_steps(lane):
    counts = [
        python_calls(partial(examine, lane, lane.schedule(steps), steps, model_defaults=OWN))
        for steps in (20, 1000)
    ]
    assert counts[1] <= counts[0] < 1000  # a millisecond at the very most
