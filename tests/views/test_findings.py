"""The findings as the page gets them: equal ones merged, the cost of the whole run, the pace."""

import json
from dataclasses import replace

import pytest
from fake_engine import FakeEngine

from explorer.doctor.lanes import equal_lanes
from explorer.runs.paces import Estimate
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.limits import Limits
from explorer.views.findings import Doctor


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(pace=0)


def codes(found: list[dict]) -> dict[str, list[int]]:
    return {data["code"]: data["lanes"] for data in found}


def the(found: list[dict], code: str) -> dict:
    return next(data for data in found if data["code"] == code)


def test_equal_findings_of_several_lanes_are_one(engine):
    found = Doctor(engine).findings(RunSettings())
    assert codes(found) == {
        "last_step": [0, 1],
        "terminal_snr": [0, 1],
        "midpoint_is_next": [1],
        "cost": [],
    }
    assert the(found, "last_step")["all_lanes"]
    assert not the(found, "midpoint_is_next")["all_lanes"]
    assert json.loads(json.dumps(found)) == found


def test_lanes_that_differ_have_findings_of_their_own(engine):
    lanes = LaneSettings(beta_end=0.02), LaneSettings(), LaneSettings(beta_end=0.02)
    found = Doctor(engine).findings(RunSettings(lanes=lanes))
    differs = the(found, "betas_differ")
    assert differs["lanes"] == [0, 2]
    assert not differs["all_lanes"]
    assert found[0] == differs  # the worst comes first


def test_a_lane_without_a_schedule_is_a_finding_with_its_mending(engine):
    lanes = LaneSettings(beta_end=0.3), LaneSettings()
    found = Doctor(engine).findings(RunSettings(lanes=lanes))
    assert found[0]["code"] == "infinite_sigma"
    assert found[0]["lanes"] == [0]
    assert found[0]["fix"] == {"beta_end": 0.231}
    assert the(found, "terminal_snr")["lanes"] == [1]


def test_a_fix_of_the_run_is_one_for_all(engine):
    lanes = LaneSettings(num_train_timesteps=10), LaneSettings()
    found = Doctor(engine).findings(RunSettings(lanes=lanes))
    assert the(found, "steps_beyond_training")["fix"] == {"steps": 10}
    assert the(found, "steps_beyond_training")["all_lanes"]


def test_the_models_own_settings_are_what_counts(engine):
    found = Doctor(engine).findings(RunSettings(model="sdxl"))
    assert the(found, "prediction_differs")["fix"] == {"prediction_type": "v_prediction"}
    own = replace(engine.facts.defaults("sdxl"), model="sdxl")
    assert {data["severity"] for data in Doctor(engine).findings(own)} == {"note"}


def test_of_a_model_that_is_not_here_nothing_is_claimed(engine):
    lane = LaneSettings(prediction_type="sample", beta_end=0.02)
    found = Doctor(engine).findings(RunSettings(model="owner/far", lanes=(lane,)))
    assert not [
        code for code in codes(found) if code.endswith("differ") or code.endswith("differs")
    ]
    assert the(found, "cost")["numbers"] == {"lanes": 1, "calls": 39}


def test_half_precision_counts_for_the_model_that_is_there(engine):
    run = RunSettings(lanes=(LaneSettings(beta_end=0.06),))
    doctor = Doctor(engine)
    engine.dtype = "float16"
    assert "fp16_overflow" in codes(doctor.findings(run))
    engine.resident = "bundled"
    assert "fp16_overflow" in codes(doctor.findings(replace(run, model="bundled")))
    assert "fp16_overflow" not in codes(doctor.findings(replace(run, model="sdxl")))


def test_the_cost_of_a_run_has_its_estimated_time(engine):
    cost = the(Doctor(engine).findings(RunSettings(steps=5)), "cost")
    assert cost["numbers"]["seconds"] == engine.estimate(RunSettings(steps=5)).seconds
    assert "(18 in all), about 0." in cost["sentence"]
    engine.estimate = lambda settings: Estimate()
    cost = the(Doctor(engine).findings(RunSettings(steps=5)), "cost")
    assert "seconds" not in cost["numbers"]


def test_a_run_that_the_server_would_refuse_for_its_time_is_an_error_before(engine):
    engine.estimate = lambda settings: Estimate(2040, 1, "load")
    assert "too_long" not in codes(Doctor(engine).findings(RunSettings(steps=5)))
    doctor = Doctor(engine, Limits(run_s=600))
    finding = the(doctor.findings(RunSettings(steps=5)), "too_long")
    assert (finding["severity"], finding["field"]) == ("error", "steps")
    assert finding["sentence"].startswith("This run would take about 34 minutes; this server")


def test_a_recording_without_room_is_an_error(engine, monkeypatch):
    monkeypatch.setenv("EXPLORER_RECORDING_GIB", "0.01")
    found = Doctor(engine).findings(RunSettings())
    assert found[0]["code"] == "recording_too_large"
    monkeypatch.setenv("EXPLORER_RECORDING_GIB", "1")
    assert "recording_too_large" not in codes(Doctor(engine).findings(RunSettings()))
    monkeypatch.setenv("EXPLORER_RECORDING_GIB", "much")
    assert "recording_too_large" not in codes(Doctor(engine).findings(RunSettings()))


def test_equal_lanes_are_named_once_however_many_there_are():
    dpm2, euler = LaneSettings(), LaneSettings(sampler="euler")
    assert list(equal_lanes([dpm2, euler, LaneSettings(eta=0.5, sampler="dpm2_a")])) == []
    (one,) = equal_lanes([dpm2, euler, LaneSettings(timestep_spacing="linspace"), dpm2])
    assert one.code == "equal_lanes"
    assert one.sentence.startswith("Lanes A, C and D are equal")
    two = list(equal_lanes([dpm2, euler, dpm2, euler]))
    assert [finding.sentence[:15] for finding in two] == ["Lanes A and C a", "Lanes B and D a"]
