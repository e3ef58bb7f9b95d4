"""Arguments that cannot be: a sentence that begins with the argument and tells what it may be."""

import math

import numpy as np
import pytest
import torch
from gaussian_data import CLASSES, SD, ready

from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.settings import LaneSettings, SettingsError

both = pytest.mark.parametrize("cls", CLASSES)
HUGE = 10**400  # no float holds it
NO_NUMBERS = ["0.5", "", b"1", math.nan, True, [0.5], {"a": 1}, np.array([0.5]), 1j, object()]
NO_NUMBERS += [np.float32("nan"), "x" * 5000, torch.tensor([0.1, 0.2])]

# name: (the range as the sentence tells it, numbers outside, whether None is allowed)
SIGMA = "from 1e-09 to 1.84467e+19"
NUMBERS = {
    "eta": ("from 0 to 1", [-0.01, 1.01, -math.inf, math.inf, HUGE], True),
    "s_noise": ("from 0 to 1000", [-0.1, 1000.1, math.inf, HUGE], False),
    "s_churn": ("from 0 to 1000", [-1e-9, 1001, math.inf], False),
    "s_tmin": ("from 0 to 1.84467e+19", [-1, math.inf], False),
    "s_tmax": ("from 0 to 1.84467e+19", [-1, -math.inf], True),
    "midpoint_ratio": ("from 0.01 to 1", [0, 1e-300, -0.5, 1.0001, math.inf], False),
    "rho": ("from 0.1 to 1000", [0, 0.09, -7, 1001, math.inf], True),
    "alpha": ("above 0 and at most 1000", [0, -0.6, 1001, math.inf], False),
    "beta": ("above 0 and at most 1000", [0, -0.6, 1001, math.inf], False),
    "sigma_min": (SIGMA, [0, -0.03, 1e-10, 1e20, math.inf], True),
    "sigma_max": (SIGMA, [0, -14, 5e-324, 1e20, math.inf, HUGE], True),
}
TYPES = ", ".join(SCHEDULE_TYPES)
CHOICES = {
    "schedule_type": (TYPES, True),
    "align_your_steps_table": ("sd15, sdxl", False),
    "final_sigmas_type": ("zero, sigma_min", False),
    "interpolation_type": ("linear, log_linear", True),
    "timestep_spacing": ("linspace, leading, trailing", False),
    "prediction_type": ("epsilon, v_prediction, sample", False),
}
NO_CHOICES = ["", "even", "Karras ", 7, 0.5, True, ["karras"], {"a": 1}, b"zero", "x" * 5000]
NO_CHOICES += [np.array(["zero"]), object()]
# name: whether None is allowed
SWITCHES = {
    "discard_penultimate_sigma": False,
    "round_timesteps": True,
    "rescale_betas_zero_snr": False,
    "use_karras_sigmas": True,
    "use_exponential_sigmas": True,
    "use_beta_sigmas": True,
}
NO_SWITCHES = ["yes", "False", "", 2, 0.0, [], ["a"], math.nan, "x" * 5000, np.array([True, False])]
WHOLE = {
    "num_train_timesteps": ("1 to 1000000", [0, -1, 10**9, HUGE]),
    "steps_offset": ("0 to 1000000", [-1, -HUGE, HUGE]),
}
NO_WHOLES = [1.0, 0.5, "7", None, True, math.nan, math.inf, [3], "x" * 5000]


def refusal(make, arguments, name, *parts):
    """Refused with one sentence that begins with the name and holds the parts; returns it."""
    with pytest.raises(ValueError) as caught:
        make(**arguments)
    sentence = str(caught.value)
    assert sentence.startswith(f"{name} "), sentence
    for part in parts:
        assert part in sentence, (part, sentence)
    assert sentence.endswith(".") and len(sentence) < 250, sentence
    assert "\n" not in sentence
    return sentence


@both
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_told_its_range(cls, name):
    wanted, outside, optional = NUMBERS[name]
    for value in [*outside, *NO_NUMBERS, *([] if optional else [None])]:
        refusal(cls, SD | {name: value}, name, "must be a number", wanted)
    if optional:
        cls(**SD, **{name: None})


@both
@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_is_told_the_choices(cls, name):
    known, optional = CHOICES[name]
    for value in [*NO_CHOICES, *([] if optional else [None])]:
        refusal(cls, SD | {name: value}, name, "must be one of", known)


@both
def test_an_unknown_beta_schedule_is_not_implemented(cls):
    for value in (*NO_CHOICES, None):
        with pytest.raises(NotImplementedError, match=r"^beta_schedule must be one of linear, "):
            cls(beta_schedule=value)


@both
@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_on_or_off(cls, name):
    for value in [*NO_SWITCHES, *([] if SWITCHES[name] else [None])]:
        refusal(cls, SD | {name: value}, name, "must be True or False")


@both
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_number_is_told_its_range(cls, name):
    wanted, outside = WHOLE[name]
    for value in [*outside, *NO_WHOLES]:
        refusal(cls, SD | {name: value}, name, "must be a whole number", wanted)


@both
@pytest.mark.parametrize("name", ["beta_start", "beta_end"])
def test_a_beta_is_told_its_range(cls, name):
    for value in [0, 1, -0.1, math.inf, HUGE, None, *NO_NUMBERS]:
        refusal(cls, SD | {name: value}, name, "must be a number above 0 and below 1")


@both
@pytest.mark.parametrize(
    ("config", "name", "part"),
    [
        ({"beta_start": 1e-30}, "beta_start and beta_end", "sigmas of at least 1e-09"),
        ({"trained_betas": [1e-30, 0.1]}, "trained_betas", "sigmas of at least 1e-09"),
        ({"trained_betas": [HUGE, 0.1]}, "trained_betas", "numbers between 0 and 1"),
        ({"trained_betas": {"a": 1}}, "trained_betas", "numbers between 0 and 1"),
        ({"s_tmin": 2.0, "s_tmax": 1.0}, "s_tmax", "at least s_tmin, 2"),
        ({"sigma_min": 2.0, "sigma_max": 1.0}, "sigma_min", "below sigma_max, 1"),
        ({"sigma_min": 2.0, "sigma_max": 2.0}, "sigma_min", "below sigma_max, 2"),
        ({"sigma_min": 15.0, "schedule_type": "karras"}, "sigma_min", "15 and 14.61"),
        ({"sigma_max": 0.02, "schedule_type": "beta"}, "sigma_min", "below sigma_max"),
    ],
    ids=str,
)
def test_arguments_that_contradict_each_other(cls, config, name, part):
    refusal(cls, SD | config, name, part)


@pytest.mark.parametrize("kind", SCHEDULE_TYPES)
@pytest.mark.parametrize("options", [{"rho": 1000.0}, {"alpha": 1e-9}, {"beta": 1000.0}], ids=str)
def test_sigmas_that_do_not_fall_are_blamed_on_their_option(kind, options):
    scheduler = CLASSES[0](schedule_type=kind, **SD, **options)
    before = scheduler.schedule
    try:
        scheduler.set_timesteps(500)
    except ValueError as error:
        assert str(error).startswith(("rho must give", "alpha and beta must give"))
        assert kind in ("polyexponential", "beta")
        assert scheduler.schedule is before
    else:
        assert np.all(np.diff(scheduler.schedule.sigma) < 0)


@both
@pytest.mark.parametrize("steps", [0, -1, 1001, HUGE, 2.0, "20", None, True, math.nan, [5]])
def test_a_refused_number_of_steps_leaves_everything(cls, steps):
    scheduler = ready(cls, 6, **SD)
    scheduler.set_begin_index(2)
    scheduler.step(torch.ones(1, 4), scheduler.timesteps[2], torch.ones(1, 4))
    before = dict(vars(scheduler))
    refusal(
        scheduler.set_timesteps, {"num_inference_steps": steps}, "num_inference_steps", "1 to 1000"
    )
    assert vars(scheduler).keys() == before.keys()
    assert all(vars(scheduler)[name] is value for name, value in before.items())


# --- lanes ---------------------------------------------------------------------------------------

LANE_NUMBERS = {
    "eta": [-0.1, 1.1],
    "s_noise": [-0.1, 1001],
    "s_churn": [-0.1, 1001],
    "s_tmin": [-0.1, 1e7],
    "s_tmax": [-0.1, 1e7],
    "midpoint_ratio": [0, -1, 1.5],
    "rho": [0.05, -7, 1001],
    "alpha": [0, -1, 1001],
    "beta": [0, -1, 1001],
    "sigma_min": [-1, 1e-12, 1e7],
    "sigma_max": [-1, 1e-12, 1e7],
    "steps_offset": [-1, 1000, 0.5],
    "num_train_timesteps": [1, 10_001, 2.5],
}
LANE_CHOICES = ("schedule_type", "align_your_steps_table", "final_sigmas_type", "round_timesteps")
LANE_CHOICES += ("interpolation_type", "timestep_spacing", "prediction_type", "beta_schedule")
NO_LANE_NUMBERS = [None, "", "many", "9" * 400, "1." + "5" * 3000 + "e9", "x" * 5000, HUGE, True]
NO_LANE_NUMBERS += [math.nan, math.inf, -math.inf, [1], {"a": 1}]
LANE_BAD = {
    **{name: [*outside, *NO_LANE_NUMBERS] for name, outside in LANE_NUMBERS.items()},
    **{name: ["even", None, 7, ["zero"], True, "x" * 5000] for name in LANE_CHOICES},
    **{name: ["yes", None, 1, [], "x" * 5000] for name in SWITCHES if not SWITCHES[name]},
    "sampler": ["zigzag", None, 7, [], "x" * 5000],
    "trained_betas": ["text", 7, [0.1], [HUGE, 0.1], [0.1, "x"], [0.1, math.nan], [[0.1], [0.2]]],
}


@pytest.mark.parametrize("name", LANE_BAD)
def test_a_lanes_bad_value_is_a_sentence_about_its_field(name):
    label = LaneSettings.__dataclass_fields__[name].metadata["label"]
    for value in LANE_BAD[name]:
        with pytest.raises(SettingsError) as caught:
            LaneSettings(**{name: value})
        assert caught.value.name == name
        refusal(LaneSettings, {name: value}, label)


def test_a_lanes_contradictions_name_a_field():
    for name, options in (
        ("s_tmax", {"s_tmin": 2, "s_tmax": 1}),
        ("sigma_min", {"sigma_min": 2, "sigma_max": 1}),
        ("sigma_min", {"sigma_min": 2, "sigma_max": 2}),
    ):
        with pytest.raises(SettingsError, match=r"Sigma (min|tmax) must .*\.$") as caught:
            LaneSettings(**options)
        assert caught.value.name == name
