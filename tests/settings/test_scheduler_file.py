"""scheduler_config.json in and out: nothing is lost, and what is not known is named."""

import json

import diffusers
import pytest

from explorer.sampling import schedulers
from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.settings import SettingsError
from explorer.settings.lane import LaneSettings
from explorer.settings.scheduler_file import read_scheduler_file, write_scheduler_file

EVERYTHING = LaneSettings(
    sampler="dpm2_a",
    schedule_type="polyexponential",
    rho=2.0,
    sigma_min=0.05,
    sigma_max=12.0,
    eta=0.7,
    s_noise=1.01,
    s_churn=4.0,
    s_tmin=0.1,
    s_tmax=9.0,
    midpoint_ratio=0.6,
    final_sigmas_type="sigma_min",
    discard_penultimate_sigma=True,
    round_timesteps="on",
    interpolation_type="log_linear",
    timestep_spacing="trailing",
    beta_end=0.02,
    trained_betas=(0.1, 0.2, 0.3),
    num_train_timesteps=3,
    prediction_type="v_prediction",
    sigmas=(10.0, 3.0, 0.5),
)


@pytest.mark.parametrize("kind", SCHEDULE_TYPES)
def test_every_schedule_type_comes_back(kind):
    lane = LaneSettings(schedule_type=kind)
    assert read_scheduler_file(write_scheduler_file(lane)).lane == lane


def test_every_setting_comes_back_without_a_note():
    assert read_scheduler_file(write_scheduler_file(EVERYTHING)).lane == EVERYTHING
    assert read_scheduler_file(write_scheduler_file(EVERYTHING)).notes == ()


def test_the_file_is_strict_json_that_diffusers_and_our_class_read(tmp_path):
    def refuse(word):
        raise AssertionError(word)

    lane = LaneSettings(sampler="dpm2_a", schedule_type="karras", steps_offset=1)
    text = write_scheduler_file(lane)
    json.loads(text, parse_constant=refuse)
    (tmp_path / "scheduler_config.json").write_text(text)
    theirs = diffusers.KDPM2AncestralDiscreteScheduler.from_pretrained(tmp_path)
    ours = schedulers.KDPM2AncestralDiscreteScheduler.from_pretrained(tmp_path)
    for scheduler in (theirs, ours):
        assert scheduler.config.use_karras_sigmas
        scheduler.set_timesteps(7)
    assert (ours.sigmas - theirs.sigmas).abs().max() < 1e-4


def test_a_schedulers_own_file_is_read(tmp_path):
    scheduler = schedulers.KDPM2DiscreteScheduler(schedule_type="beta", alpha=0.5, s_churn=3.0)
    scheduler.save_pretrained(tmp_path)
    read = read_scheduler_file((tmp_path / "scheduler_config.json").read_text())
    wanted = LaneSettings(schedule_type="beta", alpha=0.5, s_churn=3.0, beta_schedule="linear")
    assert (read.lane, read.notes) == (wanted, ())


@pytest.mark.parametrize("name", ["KDPM2DiscreteScheduler", "DDIMScheduler"])
def test_trained_betas_of_another_length_than_the_training_are_noted(name):
    config = {"_class_name": name, "clip_sample": False, "trained_betas": [0.1, 0.2, 0.3]}
    noted = read_scheduler_file(json.dumps(config | {"num_train_timesteps": 1000})).notes
    sentence = (
        "num_train_timesteps 1000 is not used: the training has as many timesteps as there are "
        "trained_betas, 3."
    )
    assert sentence in noted
    for alike in ({}, {"num_train_timesteps": 3}):
        notes = read_scheduler_file(json.dumps(config | alike)).notes
        assert not any("is not used" in note for note in notes)


@pytest.mark.parametrize("sampler", ["dpm2", "ddim"])
def test_a_file_with_trained_betas_states_their_number(sampler):
    lane = LaneSettings(sampler=sampler, trained_betas=(0.1, 0.2, 0.3))
    assert json.loads(write_scheduler_file(lane))["num_train_timesteps"] == 3


def test_what_is_not_known_is_named():
    config = {"_class_name": "PNDMScheduler", "skip_prk_steps": True, "beta_end": 0.02, "x" * 99: 1}
    read = read_scheduler_file(json.dumps(config), sampler="dpm2_a")
    wanted = {"beta_start": 0.0001, "beta_schedule": "linear", "timestep_spacing": "leading"}
    assert read.lane == LaneSettings(sampler="dpm2_a", beta_end=0.02, **wanted)
    assert read.notes == (
        "PNDMScheduler is not among the samplers here: the lane stays DPM2 a.",
        f"Not known here, and left out: skip_prk_steps, {'x' * 40}.",
        'Not in the file, so as PNDMScheduler has it: prediction_type "epsilon", beta_schedule '
        '"linear", beta_start 0.0001, num_train_timesteps 1000, timestep_spacing "leading", '
        "steps_offset 0.",
    )


def test_many_unknown_keys_are_counted():
    config = {"_class_name": "LMSDiscreteScheduler"} | {f"key{n}": n for n in range(30)}
    _, note, _ = read_scheduler_file(json.dumps(config)).notes
    assert note.endswith("key11 and 18 more.")


def test_dpm2_with_noise_is_dpm2_a():
    read = read_scheduler_file('{"_class_name": "KDPM2DiscreteScheduler", "eta": 0.5}')
    assert (read.lane.sampler, read.lane.eta) == ("dpm2_a", 0.5)
    assert "DPM2 a" in read.notes[0]


def test_infinity_is_no_limit():
    assert read_scheduler_file('{"s_tmax": Infinity}').lane == LaneSettings()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not JSON"),
        ("{" * 100_000, "not JSON"),
        ("<b>hello</b>", "not JSON"),
        ("[1, 2]", "JSON object"),
        ("3", "JSON object"),
        ("{" + " " * 400_001 + "}", "at most 400,000 characters"),
        ('{"beta_end": 2}', "beta_end: Beta end must be"),
        ('{"beta_end": NaN}', "beta_end: Beta end must be"),
        ('{"rho": "seven"}', "rho: Rho must be"),
        ('{"round_timesteps": "yes"}', "round_timesteps: Round timesteps must be"),
        ('{"trained_betas": "0.1"}', "trained_betas: Trained betas must be"),
        ('{"sigmas": [1, 2]}', "sigmas: Custom sigmas must decrease"),
        ('{"schedule_type": ["karras"]}', "schedule_type: Schedule type must be"),
        ('{"use_karras_sigmas": true, "use_beta_sigmas": true}', "beta and karras"),
        ('{"use_karras_sigmas": true, "schedule_type": "simple"}', "karras and simple"),
        ('{"sigma_min": 3, "sigma_max": 2}', "sigma_min: Sigma min must lie below"),
    ],
)
def test_a_file_that_will_not_do_is_a_sentence(text, sentence):
    with pytest.raises(SettingsError, match=sentence) as caught:
        read_scheduler_file(text)
    assert caught.value.name == "settings_file"
    assert str(caught.value).startswith("Not taken over: ")
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 250
