"""Options in a config: defaults that change nothing, files that everyone can read, overrides."""

import inspect
import json
from fractions import Fraction

import diffusers
import numpy as np
import pytest
import torch
from gaussian_data import CLASSES, FLAGS, SD, Gaussian, final, ready, start

from explorer.sampling.schedule_types import SCHEDULE_FLAGS, SCHEDULE_TYPES
from explorer.sampling.schedules import OPTION_KEYS
from explorer.settings import LaneSettings

both = pytest.mark.parametrize("cls", CLASSES)
ADDED = {
    name: parameter.default
    for name, parameter in inspect.signature(CLASSES[0].__init__).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY
}
CHANGED = {  # every added option away from its default
    "rescale_betas_zero_snr": True,
    "schedule_type": "polyexponential",
    "rho": 1.3,
    "alpha": 0.5,
    "beta": 0.7,
    "align_your_steps_table": "sdxl",
    "sigma_min": 0.05,
    "sigma_max": 12.5,
    "eta": 0.25,
    "s_noise": 1.01,
    "s_churn": 2.5,
    "s_tmin": 0.1,
    "s_tmax": 9.0,
    "midpoint_ratio": 0.75,
    "final_sigmas_type": "sigma_min",
    "discard_penultimate_sigma": True,
    "round_timesteps": True,
    "interpolation_type": "log_linear",
}
OLD_CONFIGS = [{}, *({flag: True} for flag in FLAGS), {"timestep_spacing": "leading"}]
old_configs = pytest.mark.parametrize("old", OLD_CONFIGS, ids=str)


def strict(text):
    """JSON without NaN and Infinity, which are no JSON."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def arguments(scheduler):
    names = list(inspect.signature(type(scheduler).__init__).parameters)[1:]
    return {name: scheduler.config[name] for name in names}


def assert_same_run(one, other):
    for name, values in vars(one.schedule).items():
        assert np.array_equal(getattr(other.schedule, name), values), name
    for table in ("timesteps", "sigmas", "sigmas_interpol", "sigmas_up", "sigmas_down", "betas"):
        assert torch.equal(getattr(one, table), getattr(other, table)), table
    assert torch.equal(one.init_noise_sigma, other.init_noise_sigma)
    for dtype in (torch.float16, torch.float32, torch.float64):
        x = start(one, dtype=dtype)
        ends = [final(s, Gaussian(), x, torch.Generator().manual_seed(1)) for s in (one, other)]
        assert torch.equal(*ends)


def test_every_added_knob_is_here():
    assert CHANGED.keys() == ADDED.keys()
    assert all(CHANGED[name] != default for name, default in ADDED.items())
    assert set(OPTION_KEYS) < set(inspect.signature(CLASSES[0].__init__).parameters)


# --- defaults ------------------------------------------------------------------------------------


@both
@old_configs
@pytest.mark.parametrize("steps", [1, 2, 20])
def test_knobs_at_their_defaults_change_no_bit(cls, old, steps):
    said = {name: value for name, value in ADDED.items() if name not in old}
    assert_same_run(ready(cls, steps, **SD, **old), ready(cls, steps, **SD, **old, **said))


@both
@old_configs
def test_a_config_from_before_the_knobs_is_the_same_run(cls, old, tmp_path):
    scheduler = ready(cls, 12, **SD, **old)
    scheduler.save_pretrained(tmp_path)
    file = tmp_path / "scheduler_config.json"
    before = {k: v for k, v in strict(file.read_text()).items() if k not in ADDED}
    file.write_text(json.dumps(before))
    again = cls.from_pretrained(tmp_path)
    again.set_timesteps(12)
    assert arguments(again) == arguments(scheduler)
    assert_same_run(scheduler, again)


@both
@pytest.mark.parametrize("name", [name for name in ADDED if name != "schedule_type"])
def test_every_knob_can_be_set_alone_and_says_so(cls, name):
    alone = {name: CHANGED[name]}
    assert arguments(cls(**SD, **alone))[name] == CHANGED[name]
    assert arguments(cls(**SD, **alone)) | {name: ADDED[name]} == arguments(cls(**SD))


# --- files ---------------------------------------------------------------------------------------


@both
def test_a_saved_config_comes_back_whole(cls, tmp_path):
    scheduler = ready(cls, 9, **SD, **CHANGED)
    scheduler.save_pretrained(tmp_path)
    saved = strict((tmp_path / "scheduler_config.json").read_text())
    assert {name: saved[name] for name in CHANGED} == CHANGED
    for again in (cls.from_pretrained(tmp_path), cls.from_config(scheduler.config)):
        again.set_timesteps(9)
        assert arguments(again) == arguments(scheduler)
        assert_same_run(scheduler, again)


@both
def test_numbers_of_other_kinds_are_saved_as_plain_ones(cls, tmp_path):
    scheduler = cls(
        num_train_timesteps=np.int64(500),
        beta_end=np.float32(0.0125),
        steps_offset=np.uint8(1),
        eta=np.float16(0.5),
        s_noise=Fraction(3, 2),
        s_churn=2,
        s_tmax=float("inf"),
        rho=np.float64(5),
    )
    scheduler.save_pretrained(tmp_path)
    saved = strict((tmp_path / "scheduler_config.json").read_text())
    wanted = {"num_train_timesteps": 500, "beta_end": 0.0125, "steps_offset": 1, "eta": 0.5}
    wanted |= {"s_noise": 1.5, "s_churn": 2, "s_tmax": None, "rho": 5}
    assert {name: saved[name] for name in wanted} == pytest.approx(wanted)
    assert arguments(cls.from_pretrained(tmp_path)) == arguments(scheduler)


@both
@pytest.mark.parametrize("kind", SCHEDULE_TYPES)
def test_diffusers_reads_every_config_and_gives_it_back(cls, kind, tmp_path):
    peer = getattr(diffusers, cls.__name__)
    # Euler's own words are no options of diffusers' class, which takes them for attributes.
    changed = {k: v for k, v in CHANGED.items() if k not in ("sigma_min", "sigma_max")}
    scheduler = cls(**SD, **changed | {"schedule_type": kind})
    scheduler.save_pretrained(tmp_path / "ours")
    theirs = peer.from_pretrained(tmp_path / "ours")
    theirs.set_timesteps(10)
    assert theirs.timesteps.isfinite().all()
    for key, flag in SCHEDULE_FLAGS.items():
        assert theirs.config[flag] == (key == kind)
    assert arguments(cls.from_config(theirs.config)) == arguments(scheduler)


@both
@pytest.mark.parametrize("kind", SCHEDULE_FLAGS)
def test_a_type_and_its_boolean_are_one(cls, kind):
    flag = SCHEDULE_FLAGS[kind]
    by_name, by_flag = ready(cls, schedule_type=kind), ready(cls, **{flag: True})
    assert by_name.config[flag] is by_flag.config[flag] is True
    assert_same_run(by_name, by_flag)
    assert_same_run(by_name, ready(cls, schedule_type=kind, **{flag: True}))


# --- contradictions, and overrides ----------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"schedule_type": "beta", "use_karras_sigmas": True},
            "schedule_type 'beta' contradicts use_karras_sigmas=True",
        ),
        (
            {"schedule_type": "automatic", "use_beta_sigmas": True},
            "schedule_type 'automatic' contradicts use_beta_sigmas=True",
        ),
        (
            {"schedule_type": "karras", "use_karras_sigmas": False},
            "schedule_type 'karras' contradicts use_karras_sigmas=False",
        ),
        (
            {"use_karras_sigmas": True, "use_exponential_sigmas": True},
            "use_karras_sigmas and use_exponential_sigmas are True, but only one",
        ),
        (
            {"schedule_type": "karras", "use_karras_sigmas": True, "use_beta_sigmas": True},
            "use_karras_sigmas and use_beta_sigmas are True, but only one",
        ),
    ],
    ids=str,
)
def test_a_type_and_booleans_that_contradict_it_are_refused(cls, config, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        cls(**config)


OVERRIDES = [
    ({}, {"schedule_type": "karras"}, "karras"),
    ({}, {"use_karras_sigmas": True}, "karras"),
    ({"use_karras_sigmas": True}, {"schedule_type": "polyexponential"}, "polyexponential"),
    ({"use_karras_sigmas": True}, {"use_beta_sigmas": True}, "beta"),
    ({"use_karras_sigmas": True}, {"use_karras_sigmas": False}, "automatic"),
    ({"use_karras_sigmas": True}, {"use_beta_sigmas": False}, "karras"),
    ({"schedule_type": "karras"}, {"schedule_type": "beta"}, "beta"),
    ({"schedule_type": "karras"}, {"use_exponential_sigmas": True}, "exponential"),
    ({"schedule_type": "karras"}, {"use_karras_sigmas": False}, "automatic"),
    ({"schedule_type": "karras"}, {"schedule_type": "automatic"}, "automatic"),
    ({"schedule_type": "simple"}, {"use_karras_sigmas": True}, "karras"),
    ({"schedule_type": "simple"}, {"use_karras_sigmas": False}, "simple"),
    ({"schedule_type": "simple"}, {"eta": 0.5}, "simple"),
]


@both
@pytest.mark.parametrize(("config", "override", "kind"), OVERRIDES, ids=str)
def test_an_override_replaces_the_configs_type(cls, config, override, kind, tmp_path):
    scheduler = cls(**SD, **config)
    scheduler.save_pretrained(tmp_path)  # a file says every default, as if it were chosen
    want = ready(cls, schedule_type=kind, **SD).schedule.sigma
    for changed in (
        cls.from_config(scheduler.config, **override),
        cls.from_config(cls.from_pretrained(tmp_path).config, **override),
        cls.from_pretrained(tmp_path, **override),
    ):
        changed.set_timesteps(6)
        assert np.array_equal(changed.schedule.sigma, want)
        flags = [key for key, flag in SCHEDULE_FLAGS.items() if changed.config[flag]]
        assert flags == [kind] * (kind in SCHEDULE_FLAGS)
    assert arguments(scheduler) == arguments(cls(**SD, **config))  # untouched


@both
def test_overrides_that_contradict_each_other_are_refused(cls):
    scheduler = cls()
    with pytest.raises(ValueError, match="schedule_type 'beta' contradicts use_karras_sigmas=True"):
        cls.from_config(scheduler.config, schedule_type="beta", use_karras_sigmas=True)


# --- lanes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["dpm2", "dpm2_a"])
@pytest.mark.parametrize("kind", SCHEDULE_TYPES)
@pytest.mark.parametrize("changed", [False, True])
def test_a_lane_its_schedule_and_its_scheduler_are_one(sampler, kind, changed):
    options = CHANGED | {"schedule_type": kind, "round_timesteps": "on"} if changed else {}
    lane = LaneSettings(sampler=sampler, **{"schedule_type": kind} | options)
    cls = CLASSES[sampler == "dpm2_a"]
    scheduler = ready(cls, 9, **lane.scheduler_config())
    for name, values in vars(lane.schedule(9)).items():
        assert np.array_equal(getattr(scheduler.schedule, name), values), name
    again = LaneSettings.from_config(sampler, scheduler.config)
    if sampler == "dpm2_a":
        assert again == lane
    strict(json.dumps(lane.scheduler_config()))


def test_a_schedulers_limit_of_0_is_no_churn_in_a_lane_too():
    config = {"s_churn": 5.0, "s_tmax": 0.0}
    scheduler = ready(CLASSES[0], 8, **SD, **config)
    lane = LaneSettings.from_config("dpm2", scheduler.config)
    assert np.array_equal(lane.schedule(8).sigma_hat, scheduler.schedule.sigma_hat)
    assert np.array_equal(lane.schedule(8).sigma_hat, lane.schedule(8).sigma)
