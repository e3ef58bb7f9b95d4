"""Lanes as words of a command line: every argument by its name, and sentences for what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.sampling.samplers import SAMPLERS
from explorer.settings import LaneSettings, SettingsError
from explorer.settings.mending import LANE_FIELDS
from explorer.views.lane_texts import read_lane_text, write_lane_text

# A value of every argument that is not its default, as it is written and as it is.
GIVEN = {
    "schedule_type": ("karras", "karras"),
    "rho": ("5", 5.0),
    "alpha": ("0.8", 0.8),
    "beta": ("0.9", 0.9),
    "align_your_steps_table": ("sdxl", "sdxl"),
    "sigma_min": ("0.1", 0.1),
    "sigma_max": ("1e1", 10.0),
    "sigmas": ("14.6,3,0.2", (14.6, 3.0, 0.2)),
    "discard_penultimate_sigma": ("on", True),
    "final_sigmas_type": ("sigma_min", "sigma_min"),
    "timestep_spacing": ("leading", "leading"),
    "steps_offset": ("1", 1),
    "interpolation_type": ("log_linear", "log_linear"),
    "round_timesteps": ("off", "off"),
    "eta": ("0.5", 0.5),
    "s_noise": ("1.1", 1.1),
    "s_churn": ("2", 2.0),
    "s_tmin": ("0.1", 0.1),
    "s_tmax": ("9", 9.0),
    "midpoint_ratio": ("0.6", 0.6),
    "prediction_type": ("v_prediction", "v_prediction"),
    "beta_schedule": ("linear", "linear"),
    "beta_start": ("0.001", 0.001),
    "beta_end": ("0.02", 0.02),
    "trained_betas": ("0.001;0.02", (0.001, 0.02)),
    "num_train_timesteps": ("500", 500),
    "rescale_betas_zero_snr": ("yes", True),
}


def test_every_argument_has_a_case():
    assert {"sampler", *GIVEN} == set(LANE_FIELDS)


@pytest.mark.parametrize("name", GIVEN)
def test_every_argument_is_given_by_its_name(name):
    text, value = GIVEN[name]
    lane = read_lane_text(f"dpm2_a:{name}={text}")
    assert lane == LaneSettings(sampler="dpm2_a", **{name: value})
    assert lane != LaneSettings(sampler="dpm2_a")
    assert read_lane_text(write_lane_text(lane)) == lane


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_has_its_names(sampler):
    wanted = LaneSettings(sampler=sampler)
    for name in (sampler, wanted.solver.label, wanted.solver.class_name, f" {sampler} "):
        assert read_lane_text(name) == wanted


def test_several_arguments_and_lists_among_them():
    lane = read_lane_text("dpm2 : sigmas=14.6, 3,0.2 , s_churn=2, trained_betas=none")
    assert lane == LaneSettings(sigmas=(14.6, 3.0, 0.2), s_churn=2.0)
    assert read_lane_text("DPM++ 2M Karras").schedule_type == "karras"


def test_what_is_not_given_is_the_model_s():
    model = LaneSettings(steps_offset=1, prediction_type="v_prediction")
    lane = read_lane_text("euler:steps_offset=0", model)
    assert (lane.steps_offset, lane.prediction_type) == (0, "v_prediction")
    assert write_lane_text(lane, model) == "euler:steps_offset=0"


@pytest.mark.parametrize(
    ("text", "name", "sentence"),
    [
        ("dpm3", "sampler", "There is no sampler 'dpm3'; did you mean dpm2 or dpm2_a?"),
        ("nothing like it", "sampler", "Sampler must be DPM2, DPM2 a,"),
        ("dpm2:etta=1", "etta", "There is no lane argument 'etta'; did you mean eta or beta?"),
        ("dpm2:Schedule-Typ=karras", "Schedule-Typ", "did you mean schedule_type or"),
        ("dpm2:sampler=euler", "sampler", "There is no lane argument 'sampler';"),
        ("dpm2:zzzz=1", "zzzz", "there are schedule_type, rho, alpha,"),
        ("dpm2:eta=1,eta=0", "eta", "eta is given twice; leave one of them out."),
        ("dpm2:karras", "lanes", "'karras' has no value: a lane is written sampler, or"),
        ("dpm2:eta=1,", "lanes", "'' has no value"),
        ("dpm2:eta=0.1,0.2", "lanes", "'0.2' has no value"),
        ("eta=1", "lanes", "'eta=1' names no sampler"),
        ("", "lanes", "'' names no sampler"),
        ("dpm2_a:eta=2", "eta", "Eta must be a number from 0 to 1; got 2."),
        ("dpm2:eta=nan", "eta", "Eta must be a number from 0 to 1; got nan."),
        ("dpm2:schedule_type=karas", "schedule_type", "got 'karas'"),
        ("dpm2:discard_penultimate_sigma=maybe", "discard_penultimate_sigma", "on or off"),
        ("dpm2:sigmas=3,x", "sigmas", "Custom sigmas must be numbers; entry 2 is 'x'."),
        ("ddim:sigmas=3,2", "sigmas", "takes no list of sigmas"),
        ("dpm2:" + "s_churn=1," * 50_000, "lanes", "may have at most 400,000 characters"),
    ],
)
def test_what_is_wrong_is_a_sentence_with_the_field(text, name, sentence):
    with pytest.raises(SettingsError) as caught:
        read_lane_text(text)
    assert caught.value.name == name
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 800


@given(st.text(max_size=60) | st.from_regex(r"dpm2(_a)?:[a-z_]{1,12}=[0-9a-z.,;=]{0,20}"))
def test_whatever_is_written_is_a_lane_or_a_sentence(text):
    try:
        lane = read_lane_text(text)
    except SettingsError as error:
        assert str(error)[0].isprintable()
    else:
        assert read_lane_text(write_lane_text(lane)) == lane
