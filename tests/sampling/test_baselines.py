"""Baselines as settings: their names, what they take, the calls they will make, what is refused."""

import time
from dataclasses import replace
from inspect import signature

import diffusers
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from explorer.sampling import baselines
from explorer.sampling.calls import CallTable
from explorer.sampling.samplers import OURS, SAMPLERS, find_sampler, taking
from explorer.settings import SettingsError
from explorer.settings.lane import LaneSettings, _calls_of_baseline
from explorer.settings.scheduler_file import read_scheduler_file, write_scheduler_file

# diffusers' own tables, built with numpy 2
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Should have t"),  # as brownian.py says
]

BASELINES = [sampler for sampler in SAMPLERS.values() if sampler.baseline]
TYPED = [(sampler.key, kind) for sampler in BASELINES for kind in sampler.schedule_types]
SECOND_ORDER = {"heun", "dpmpp_sde"}
SPACINGS = ("linspace", "leading", "trailing")


def by_key(samplers):
    return pytest.mark.parametrize("sampler", samplers, ids=lambda sampler: sampler.key)


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Euler", "euler"),
        ("Euler (diffusers)", "euler"),
        ("k_euler", "euler"),
        ("Euler a", "euler_a"),
        ("euler_ancestral", "euler_a"),
        ("k_euler_a", "euler_a"),
        ("Heun", "heun"),
        ("k_heun", "heun"),
        ("DPM++ 2M", "dpmpp_2m"),
        ("dpmpp_2m", "dpmpp_2m"),
        ("k_dpmpp_2m", "dpmpp_2m"),
        ("dpm++ 2m (diffusers)", "dpmpp_2m"),
        ("DPMSolverMultistepScheduler", "dpmpp_2m"),
        ("DPM++ SDE", "dpmpp_sde"),
        ("k_dpmpp_sde", "dpmpp_sde"),
        ("DDIM", "ddim"),
        ("UniPC", "unipc"),
        ("uni_pc", "unipc"),
    ],
)
def test_a_baseline_goes_by_all_its_names(name, key):
    assert find_sampler(name) is SAMPLERS[key]
    assert LaneSettings(sampler=name).sampler == key


def test_no_name_means_two_samplers():
    meant = {}
    for sampler in SAMPLERS.values():
        for name in (sampler.key, sampler.label, sampler.class_name, *sampler.aliases):
            meant.setdefault(name.lower().replace(" ", "_"), set()).add(sampler.key)
    assert [name for name, keys in meant.items() if len(keys) > 1] == []


@pytest.mark.parametrize(
    ("name", "key", "kind", "label"),
    [
        ("DPM++ 2M Karras", "dpmpp_2m", "karras", "DPM++ 2M (diffusers) Karras"),
        ("k_dpmpp_2m_ka", "dpmpp_2m", "karras", "DPM++ 2M (diffusers) Karras"),
        ("DPM++ SDE Exponential", "dpmpp_sde", "exponential", "DPM++ SDE (diffusers) Exponential"),
        ("DPM2 a Karras", "dpm2_a", "karras", "DPM2 a Karras"),
        ("DPM2 SGM Uniform", "dpm2", "sgm_uniform", "DPM2 SGM Uniform"),
        ("euler beta", "euler", "beta", "Euler (diffusers) Beta"),
    ],
)
def test_a_name_may_end_in_the_schedule_type(name, key, kind, label):
    lane = LaneSettings(sampler=name)
    assert (lane.sampler, lane.schedule_type, lane.label) == (key, kind, label)
    assert LaneSettings(sampler=name, schedule_type=kind) == lane
    with pytest.raises(SettingsError, match="contradicts") as caught:
        LaneSettings(sampler=name, schedule_type="simple")
    assert caught.value.name == "schedule_type"


# --- what each takes ------------------------------------------------------------------------------


@by_key(BASELINES)
def test_a_baseline_gets_only_arguments_that_its_class_has(sampler):
    for kind in sampler.schedule_types:
        config = LaneSettings(sampler=sampler.key, schedule_type=kind).scheduler_config()
        known = signature(getattr(diffusers, sampler.class_name).__init__).parameters
        assert set(config) <= set(known)
        flags = [key for key, on in config.items() if key.startswith("use_") and on]
        assert flags == ([] if kind == "automatic" else [f"use_{kind}_sigmas"])


@by_key(BASELINES)
def test_what_a_class_has_and_a_lane_can_say_is_said(sampler):
    known = signature(getattr(diffusers, sampler.class_name).__init__).parameters
    said = set(LaneSettings(sampler=sampler.key).scheduler_config())
    # Theirs of these names mean something else, or break in combination with the schedule type.
    other = {"interpolation_type", "final_sigmas_type"}
    for name in LaneSettings.__dataclass_fields__:
        if name in known and name not in other:
            assert name in said, name
    assert ("use_karras_sigmas" in known) == ("use_karras_sigmas" in said)


def test_ours_take_everything():
    for key in OURS:
        assert all(SAMPLERS[key].takes(name) for name in LaneSettings.__dataclass_fields__)
    assert taking("s_churn") == OURS == ("dpm2", "dpm2_a")
    assert taking("sigmas") == (*OURS, "euler")
    assert "ddim" not in taking("schedule_type")


def test_a_knob_is_shown_for_the_samplers_that_take_it():
    for name, field in LaneSettings.__dataclass_fields__.items():
        shown = field.metadata.get("when", {}).get("sampler", tuple(SAMPLERS))
        refused = {"schedule_type", "sigmas"}  # shown always: where one will not do is an error
        if name not in refused | {"eta"}:
            assert shown == taking(name), name


@pytest.mark.parametrize(
    ("settings", "name", "sentence"),
    [
        (
            {"sampler": "euler", "schedule_type": "polyexponential"},
            "schedule_type",
            "Euler (diffusers) has no schedule type Polyexponential; it has Automatic, Karras, "
            "Exponential and Beta.",
        ),
        (
            {"sampler": "ddim", "schedule_type": "karras"},
            "schedule_type",
            "DDIM (diffusers) has no schedule type Karras; it has Automatic only.",
        ),
        (
            {"sampler": "heun", "sigmas": (3.0, 1.0)},
            "sigmas",
            "Heun (diffusers) takes no list of sigmas; clear it, or choose DPM2, DPM2 a or Euler "
            "(diffusers).",
        ),
        (
            {"sampler": "dpmpp_sde", "prediction_type": "sample"},
            "prediction_type",
            "DPM++ SDE (diffusers) has no prediction type sample; it has epsilon and v_prediction.",
        ),
    ],
)
def test_what_a_baseline_cannot_do_is_a_sentence(settings, name, sentence):
    with pytest.raises(SettingsError) as caught:
        LaneSettings(**settings)
    assert (caught.value.name, str(caught.value)) == (name, sentence)


@by_key(BASELINES)
def test_prediction_types_that_are_offered_can_be_denoised(sampler):
    import torch

    for kind in ("epsilon", "v_prediction", "sample"):
        scheduler = getattr(diffusers, sampler.class_name)(prediction_type=kind)
        scheduler.set_timesteps(4)
        noise = torch.ones(1, 4, 2, 2)
        scheduler.scale_model_input(noise, scheduler.timesteps[0])
        try:
            scheduler.step(noise, scheduler.timesteps[0], noise)
        except NotImplementedError:
            assert kind not in sampler.prediction_types
        else:
            assert kind in sampler.prediction_types


def test_a_list_replaces_the_schedule_type():
    lane = LaneSettings(sampler="euler", schedule_type="simple", sigmas=(9.0, 4.0, 1.0))
    assert_allclose(lane.calls(20).sigma, (9, 4, 1), rtol=1e-6)
    assert (lane.label, lane.nfe(20)) == ("Euler (diffusers), custom sigmas", 3)


@by_key(BASELINES)
def test_a_lane_as_a_file_is_that_classs_own(sampler, tmp_path):
    kind = sampler.schedule_types[-1]
    lane = LaneSettings(sampler=sampler.key, schedule_type=kind, steps_offset=1, beta_end=0.013)
    text = write_scheduler_file(lane)
    (tmp_path / "scheduler_config.json").write_text(text)
    theirs = getattr(diffusers, sampler.class_name).from_pretrained(tmp_path)
    assert (theirs.config.beta_end, theirs.config.steps_offset) == (0.013, 1)
    # What a file says stands there: auto would be another spacing for the lanes beside it.
    wanted = replace(lane, timestep_spacing="leading") if lane.spacing == "leading" else lane
    assert read_scheduler_file(text).lane == wanted


# --- the calls of a run ---------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "kind"), TYPED)
@pytest.mark.parametrize("spacing", SPACINGS)
def test_the_calls_are_those_of_diffusers_tables(key, kind, spacing):
    lane = LaneSettings(sampler=key, schedule_type=kind, timestep_spacing=spacing)
    table = lane.calls(9)
    theirs = getattr(diffusers, lane.solver.class_name)(**lane.scheduler_config())
    theirs.set_timesteps(9)
    assert table.nfe == lane.nfe(9) == (17 if key in SECOND_ORDER else 9)
    assert table.steps == 9
    assert_array_equal(table.timestep, theirs.timesteps.double().numpy())
    if key == "ddim":
        alphas = theirs.alphas_cumprod[theirs.timesteps].double().numpy()
        assert_allclose(table.sigma, np.sqrt(1 / alphas - 1))
    else:
        whole = theirs.sigmas.double().numpy()
        whole = whole[::2][:9] if key in SECOND_ORDER else whole[:-1]
        assert_allclose(table.sigma[~table.second_call], whole)
    assert table.sigma_end == 0
    for column in (table.step, table.second_call, table.sigma, table.timestep):
        assert not column.flags.writeable


def test_a_call_inside_a_step_is_half():
    heun = LaneSettings(sampler="heun").calls(4)
    sde = LaneSettings(sampler="dpmpp_sde").calls(4)
    for table in (heun, sde):
        assert table.second_call.tolist() == [False, True] * 3 + [False]
        assert table.step.tolist() == [0, 0, 1, 1, 2, 2, 3]
    assert_allclose(heun.sigma[1::2], heun.sigma[2::2])  # Heun's stands at the step's end
    assert_allclose(sde.sigma[1::2], np.sqrt(sde.sigma[:-1:2] * sde.sigma[2::2]), rtol=1e-6)


def test_the_calls_of_our_own_are_their_schedules():
    lane = LaneSettings(sampler="dpm2_a", s_churn=5.0, final_sigmas_type="sigma_min")
    schedule, table = lane.schedule(6), lane.calls(6)
    assert isinstance(table, CallTable)
    assert_array_equal(table.sigma, schedule.call_sigma)
    assert_array_equal(table.timestep, schedule.call_timestep)
    assert (table.nfe, table.steps, lane.nfe(6)) == (schedule.nfe, 6, 11)
    assert table.second_call.tolist() == [False, True] * 5 + [False]
    assert table.sigma_end == schedule.final_sigma > 0


def test_zero_terminal_snr_has_a_finite_sigma():
    lane = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    for key in ("euler", "euler_a", "dpmpp_2m", "ddim", "unipc"):
        sigma = LaneSettings(sampler=key, **lane).calls(10).sigma
        assert sigma[0] == pytest.approx(4096, rel=1e-3)


def test_a_table_is_made_once(monkeypatch):
    lane = LaneSettings(sampler="dpmpp_sde", schedule_type="beta")
    table = lane.calls(50)
    monkeypatch.setattr("explorer.sampling.baselines.call_table", None)
    again = LaneSettings(sampler="dpmpp_sde", schedule_type="beta").calls(50)
    assert again is table


# --- no run ---------------------------------------------------------------------------------------


@by_key(BASELINES)
@pytest.mark.parametrize("spacing", SPACINGS)
def test_every_number_of_steps_is_a_run_or_a_sentence(sampler, spacing):
    lane = LaneSettings(sampler=sampler.key, timestep_spacing=spacing, num_train_timesteps=100)
    runs = 0
    for steps in range(1, 103):
        try:
            table = lane.calls(steps)
        except ValueError as error:
            assert str(error).startswith("num_inference_steps must ")
            assert str(error).endswith(".")
            continue
        runs += 1
        assert table.nfe == lane.nfe(steps)
        assert np.all(np.diff(table.sigma[~table.second_call]) < 0)
        assert np.all((table.timestep >= 0) & (table.timestep < 100))
    assert runs > 60


@pytest.mark.parametrize(
    ("settings", "steps", "sentence"),
    [
        ({"timestep_spacing": "trailing"}, 61, "Euler (diffusers) makes 62 steps of them"),
        ({"num_train_timesteps": 10}, 11, "num_inference_steps must be a whole number, 1 to 10"),
        ({"trained_betas": (0.1, 0.2, 0.3)}, 4, "1 to 3; got 4"),
        ({"beta_end": 0.9}, 20, "beta_start and beta_end must give finite, growing sigmas"),
        (
            {"timestep_spacing": "leading", "steps_offset": 60},
            20,
            "steps_offset must leave the timesteps of Euler (diffusers) within 0 to 999",
        ),
        ({"schedule_type": "karras", "sigma_min": 20.0}, 9, "must give sigmas that fall"),
    ],
)
def test_what_is_no_run_is_a_sentence(settings, steps, sentence):
    lane = LaneSettings(sampler="euler", **settings)
    for table in (lane.calls, lane.schedule):
        with pytest.raises(ValueError) as caught:
            table(steps)
        assert sentence in str(caught.value)


def test_random_baselines_are_a_run_or_a_sentence():
    random = np.random.default_rng(4)
    made = 0
    for _ in range(300):
        sampler = BASELINES[random.integers(len(BASELINES))]
        settings = {
            "sampler": sampler.key,
            "schedule_type": str(random.choice(sampler.schedule_types)),
            "prediction_type": str(random.choice(sampler.prediction_types)),
            "timestep_spacing": str(random.choice(SPACINGS)),
            "steps_offset": int(random.choice([0, 1, 30])),
            "beta_schedule": str(random.choice(["linear", "scaled_linear", "squaredcos_cap_v2"])),
            "beta_start": float(10 ** random.uniform(-5, -1)),
            "beta_end": float(10 ** random.uniform(-3, -0.1)),
            "num_train_timesteps": int(random.choice([2, 10, 100, 1000])),
            "rescale_betas_zero_snr": bool(random.integers(2)),
        }
        lane, steps = LaneSettings(**settings), int(random.integers(1, 40))
        try:
            table = lane.calls(steps)
        except ValueError as error:
            assert str(error).endswith("."), (settings, steps)
            continue
        made += 1
        assert table.nfe == lane.nfe(steps)
        assert np.isfinite(table.sigma).all()
    assert made > 80


# --- what it costs --------------------------------------------------------------------------------


@by_key([each for each in BASELINES if "beta" in each.schedule_types])
@pytest.mark.parametrize("kind", ["karras", "exponential", "beta"])
def test_timesteps_are_diffusers_own_to_the_bit(sampler, kind, monkeypatch):
    lanes = [
        LaneSettings(
            sampler=sampler.key, schedule_type=kind, beta_end=beta_end, sigma_max=sigma_max
        )
        for beta_end in (0.0121, 0.02)
        for sigma_max in (0.0, 300.0)  # beyond the training, where it has an effect
    ]
    ours = [lane.schedule(steps) for lane in lanes for steps in (1, 2, 37)]
    _calls_of_baseline.cache_clear()
    monkeypatch.setattr(baselines, "_Timesteps", lambda theirs: theirs)
    monkeypatch.setattr(
        baselines, "_planned", lambda sampler: getattr(diffusers, sampler.class_name)
    )
    theirs = [lane.schedule(steps) for lane in lanes for steps in (1, 2, 37)]
    for mine, other in zip(ours, theirs, strict=True):
        assert_array_equal(mine.timestep, other.timestep)
        assert_array_equal(mine.sigma, other.sigma)


@pytest.mark.parametrize("log_sigmas", [[0.0, 2.0, 1.0, 3.0], [-np.inf, 0.0, 1.0], [0.0, np.nan]])
def test_training_that_does_not_rise_is_left_to_diffusers(log_sigmas):
    asked = []
    timesteps = baselines._Timesteps(lambda sigma, training: asked.append(sigma))
    timesteps(np.float64(1.5), np.array(log_sigmas))
    assert asked == [1.5]


def test_the_dearest_plan_that_a_stranger_may_ask_for_takes_no_second():
    """Of DPM++ SDE it took nearly two for a lane, before any limit of runs could say no."""
    lane = LaneSettings(
        sampler="dpmpp_sde",
        schedule_type="beta",
        num_train_timesteps=10_000,
        beta_start=1e-5,
        beta_end=2e-3,
    )
    lane.schedule(10)  # imports
    began = time.process_time()
    lane.schedule(1000)
    assert time.process_time() - began < 0.8
