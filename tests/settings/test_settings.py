"""Settings: bad values are sentences that name the setting, good ones survive JSON."""

import json
import math
import pickle
import re
from dataclasses import fields, replace

import pytest
from PIL import Image

from explorer.sampling.samplers import SAMPLERS, find_sampler
from explorer.sampling.schedule_options import ScheduleOptions
from explorer.sampling.schedules import SCHEDULE_FLAGS, SCHEDULE_TYPES
from explorer.sampling.wording import counted
from explorer.settings import LaneSettings, RunSettings, SettingsError, picture_url

START = picture_url(Image.new("RGB", (16, 16), "red"))

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
    ("model", 7),
    ("model", "x" * 501),
    ("cfg_rescale", -0.1),
    ("cfg_rescale", 1.1),
    ("rng", "tpu"),
    ("rng", ["cpu"]),
    ("width", 100),
    ("width", 56),
    ("width", 2056),
    ("height", -8),
    ("height", "tall"),
    ("batch_size", 0),
    ("batch_size", 17),
    ("init_image", "start.png"),
    ("init_image", b"PNG"),
    ("strength", 0),
    ("strength", 1.01),
    ("refiner", None),
    ("refiner_switch_at", -0.1),
    ("refiner_switch_at", math.nan),
]
BAD_LANES = [
    ("sampler", "plms"),
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
    ("rescale_betas_zero_snr", "yes"),
    ("rescale_betas_zero_snr", 1),
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


@pytest.mark.parametrize(
    ("given", "blamed", "sentence"),
    [
        (("s_tmin", 2.0, "s_tmax", 1.0), "s_tmax", "{2} must be at least {0}, 2; got 1."),
        (("sigma_min", 3.0, "sigma_max", 3.0), "sigma_min", "{0} must lie below {2}, 3; got 3."),
    ],
)
def test_two_ends_in_the_wrong_order_are_one_sentence_of_lane_and_schedule(given, blamed, sentence):
    low, least, high, most = given
    named = {spec.name: spec.metadata["label"] for spec in fields(LaneSettings)}
    with pytest.raises(SettingsError) as caught:
        LaneSettings(**{low: least, high: most})
    assert caught.value.name == blamed
    assert str(caught.value) == sentence.format(named[low], least, named[high])
    with pytest.raises(ValueError, match=f"^{sentence.format(low, least, high)}$"):
        ScheduleOptions(**{low: least, high: most})
    assert getattr(LaneSettings(**{low: least, high: 0}), high) == 0  # no limit


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
    run = RunSettings(
        prompt="⛵ ${x}",
        seed=3,
        lanes=(lane, LaneSettings(rescale_betas_zero_snr=True)),
        model="sdxl",
        refiner="refiner",
        width=512,
        batch_size=3,
        init_image=START,
        rng="gpu",
    )
    assert RunSettings.from_dict(json.loads(json.dumps(run.to_dict()))) == run


@pytest.mark.parametrize("data", [{"stepz": 3}, {"lanes": [{"rhoo": 7}]}])
def test_an_unknown_key_is_named(data):
    with pytest.raises(SettingsError, match=r"'stepz'|'rhoo'"):
        RunSettings.from_dict(data)


def test_a_random_seed_is_drawn_once_and_kept():
    run = RunSettings(seed=-1)
    drawn = {run.resolved().seed for _ in range(8)}
    assert len(drawn) > 1
    assert all(0 <= seed < 2**32 for seed in drawn)
    assert RunSettings(seed=5).resolved().seed == 5


def test_runs_are_repeated_unless_asked_otherwise():
    assert RunSettings().resolved() == RunSettings(seed=7)


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


def test_a_file_from_before_a_setting_was_there_is_read():
    old = {"prompt": "a red house", "seed": 3, "lanes": [{"sampler": "dpm2_a", "beta_end": 0.02}]}
    lane = LaneSettings(sampler="dpm2_a", beta_end=0.02)
    assert RunSettings.from_dict(old) == RunSettings(prompt="a red house", seed=3, lanes=(lane,))


def diffusers_first_step(steps: int, strength: float) -> int:
    """The step that diffusers' own image to image begins at."""
    import torch
    from diffusers import StableDiffusionImg2ImgPipeline

    class Scheduler:
        order = 2
        timesteps = torch.arange(2 * steps - 1)

    class Pipeline:
        scheduler = Scheduler()

    given = steps, strength, "cpu"
    timesteps, _ = StableDiffusionImg2ImgPipeline.get_timesteps(Pipeline, *given)
    return int(timesteps[0]) // 2


@pytest.mark.parametrize("steps", [1, 2, 7, 20, 50, 100])
@pytest.mark.parametrize("strength", [0.01, 0.29, 0.3, 0.55, 0.75, 0.999, 1])
def test_strength_leaves_out_the_steps_that_diffusers_does(steps, strength):
    settings = {"steps": steps, "strength": strength}
    assert RunSettings(**settings).first_step == 0  # without a start picture
    if int(steps * strength) == 0:
        with pytest.raises(
            SettingsError, match=f"nothing to do of {counted(steps, 'step')};"
        ) as caught:
            RunSettings(**settings, init_image=START)
        assert caught.value.name == "strength"
        return
    run = RunSettings(**settings, init_image=START)
    assert run.first_step == diffusers_first_step(steps, strength)
    assert run.nfe == 2 * (steps - run.first_step) - 1


@pytest.mark.parametrize("steps", [3, 7, 20, 49, 999])
def test_the_strength_that_the_sentence_names_is_enough(steps):
    with pytest.raises(SettingsError) as caught:
        RunSettings(steps=steps, strength=0.0001, init_image=START)
    named = float(re.search(r"at least (\d\.\d+)", str(caught.value))[1])
    assert RunSettings(steps=steps, strength=named, init_image=START).nfe >= 1


def test_a_refiner_takes_over_on_a_whole_step():
    assert RunSettings(steps=20).base_steps == 20  # without a refiner
    run = RunSettings(steps=20, refiner="r", refiner_switch_at=0.77)
    assert (run.base_steps, run.nfe) == (15, 39)


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"refiner_switch_at": 0.01}, "the model before it"),
        ({"refiner_switch_at": 0.99}, "the refiner"),
        ({"refiner_switch_at": 0.5, "init_image": START, "strength": 0.5}, "the model before it"),
        ({"steps": 1}, "the refiner"),
    ],
)
def test_a_switch_that_leaves_one_of_them_no_step_is_refused(options, left):
    with pytest.raises(SettingsError, match=f"leaves {left} none") as caught:
        RunSettings(**{"steps": 20, "refiner": "r"} | options)
    assert caught.value.name == "refiner_switch_at"


def test_a_lane_may_end_without_signal():
    lane = LaneSettings(timestep_spacing="trailing", rescale_betas_zero_snr=True)
    assert lane.schedule(20).sigma[0] == pytest.approx(4096, rel=1e-6)
    assert lane.scheduler_config()["rescale_betas_zero_snr"] is True
    assert LaneSettings.from_config("dpm2", lane.scheduler_config()) == lane


def test_every_picture_of_a_batch_has_a_seed_that_the_field_takes(monkeypatch):
    highest = 2**32 - 1
    assert RunSettings(seed=highest).seed == highest
    assert RunSettings(seed=highest - 3, batch_size=4).batch_size == 4
    with pytest.raises(SettingsError, match=f"for 4 pictures take at most {highest - 3}") as caught:
        RunSettings(seed=highest - 2, batch_size=4)
    assert caught.value.name == "seed"
    monkeypatch.setattr("explorer.settings.run.secrets.randbelow", lambda below: below - 1)
    drawn = RunSettings(seed=-1, batch_size=16).resolved()
    assert drawn.seed + drawn.batch_size - 1 == highest
    assert RunSettings(seed=-1).resolved().seed == highest


def test_a_lane_makes_its_schedule_once_and_refuses_wrong_steps_each_time():
    lane = LaneSettings(sampler="dpm2_a")
    assert lane.schedule(1) is lane.schedule(1)
    for wrong in (True, 0, 1.0, [1], None):
        with pytest.raises(ValueError, match="num_inference_steps"):
            lane.schedule(wrong)
    assert replace(lane, rho=3.0, schedule_type="karras").schedule(1) is not lane.schedule(1)
