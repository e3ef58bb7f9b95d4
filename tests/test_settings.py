"""Settings: bad values are sentences that name the setting, good ones survive JSON."""

import json
import math
import pickle
from dataclasses import fields

import pytest

from explorer.sampling.samplers import SAMPLERS, find_sampler
from explorer.sampling.schedules import SCHEDULE_FLAGS, SCHEDULE_TYPES
from explorer.settings import LaneSettings, RunSettings, SettingsError

BAD_RUNS = [
    ("steps", 0),
    ("steps", 5000),
    ("steps", 2.5),
    ("steps", "many"),
    ("steps", None),
    ("steps", True),
    ("steps", math.nan),
    ("seed", -2),
    ("seed", 2**32),
    ("cfg_scale", 0.5),
    ("cfg_scale", math.inf),
    ("prompt", "x" * 10_000),
    ("prompt", None),
    ("negative_prompt", 7),
    ("lanes", ()),
]
BAD_LANES = [
    ("sampler", "euler"),
    ("schedule_type", "zigzag"),
    ("prediction_type", ""),
    ("timestep_spacing", "even"),
    ("beta_schedule", "cubic"),
    ("beta_start", 0),
    ("beta_end", 2),
    ("beta_end", "0,012"),
    ("steps_offset", -1),
    ("num_train_timesteps", 1),
    ("trained_betas", [0.1, math.nan]),
    ("trained_betas", [0.1]),
    ("trained_betas", "0.1"),
    ("trained_betas", [0.5] * 10_001),
]


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [(RunSettings, *bad) for bad in BAD_RUNS] + [(LaneSettings, *bad) for bad in BAD_LANES],
)
def test_a_bad_value_is_a_sentence_about_its_setting(settings, name, value):
    with pytest.raises(SettingsError) as caught:
        settings(**{name: value})
    assert isinstance(caught.value, ValueError)
    assert caught.value.name == name
    sentence = str(caught.value)
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert len(sentence) < 200


def test_numbers_come_as_text_too():
    run = RunSettings(steps="12", cfg_scale="3.5", seed=7.0)
    assert (run.steps, run.cfg_scale, run.seed) == (12, 3.5, 7)
    assert type(run.steps) is type(run.seed) is int


def test_an_error_can_be_pickled():
    with pytest.raises(SettingsError) as caught:
        RunSettings(steps=0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.name, str(again)) == (caught.value.name, str(caught.value))


def test_every_setting_has_a_label_and_a_check():
    for settings in (RunSettings, LaneSettings):
        for spec in fields(settings):
            if spec.name != "lanes":
                assert spec.metadata["label"]
                assert callable(spec.metadata["check"])


def test_json_brings_everything_back():
    lane = LaneSettings(sampler="dpm2_a", schedule_type="beta", trained_betas=(0.1, 0.2, 0.3))
    run = RunSettings(prompt="⛵ ${x}", seed=3, lanes=(lane, LaneSettings(beta_end=0.02)))
    assert RunSettings.from_dict(json.loads(json.dumps(run.to_dict()))) == run


@pytest.mark.parametrize("data", [{"stepz": 3}, {"lanes": [{"rho": 7}]}])
def test_an_unknown_key_is_named(data):
    with pytest.raises(SettingsError, match=r"'stepz'|'rho'"):
        RunSettings.from_dict(data)


def test_a_random_seed_is_drawn_once_and_kept():
    run = RunSettings()
    assert run.seed == -1
    drawn = {run.resolved().seed for _ in range(8)}
    assert len(drawn) > 1
    assert all(0 <= seed < 2**32 for seed in drawn)
    assert RunSettings(seed=5).resolved().seed == 5


@pytest.mark.parametrize("kind", SCHEDULE_TYPES)
def test_a_lane_speaks_diffusers_and_back(kind):
    lane = LaneSettings(sampler="dpm2_a", schedule_type=kind, steps_offset=1)
    config = lane.scheduler_config()
    assert [key for key, flag in SCHEDULE_FLAGS.items() if config[flag]] == [
        key for key in SCHEDULE_FLAGS if key == kind
    ]
    assert LaneSettings.from_config("dpm2_a", config) == lane


def test_a_config_with_foreign_keys_is_read():
    config = {"_class_name": "PNDMScheduler", "skip_prk_steps": True, "beta_end": 0.02}
    assert LaneSettings.from_config("dpm2", config) == LaneSettings(beta_end=0.02)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("DPM2", "dpm2"),
        ("DPM2 a", "dpm2_a"),
        ("k_dpm_2", "dpm2"),
        ("k_dpm_2_a", "dpm2_a"),
        ("dpm_2", "dpm2"),
        ("dpm_2_ancestral", "dpm2_a"),
        ("kdpm_2", "dpm2"),
        ("kdpm_2_a", "dpm2_a"),
        ("KDPM2", "dpm2"),
        ("KDPM2 a", "dpm2_a"),
        ("KDPM2DiscreteScheduler", "dpm2"),
        ("KDPM2AncestralDiscreteScheduler", "dpm2_a"),
    ],
)
def test_a_sampler_goes_by_all_its_names(name, key):
    assert find_sampler(name) is SAMPLERS[key]
    assert LaneSettings(sampler=name).sampler == key


def test_a_label_is_what_peers_write():
    assert LaneSettings(sampler="dpm2_a", schedule_type="karras").label == "DPM2 a Karras"
    assert LaneSettings().label == "DPM2"


def test_a_lane_gives_its_schedule():
    schedule = LaneSettings(sampler="dpm2_a", schedule_type="karras").schedule(10)
    assert (schedule.steps, schedule.nfe, schedule.eta) == (10, 19, 1.0)
    assert schedule.sigma[0] == pytest.approx(14.6146, abs=1e-3)
