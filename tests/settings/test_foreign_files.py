"""Settings files of every scheduler class, of other programs, and with values of other types."""

import inspect
import json

import diffusers
import pytest

from explorer.sampling.samplers import SAMPLERS
from explorer.sampling.scheduler_classes import CLASSES
from explorer.settings import SettingsError
from explorer.settings.lane import LaneSettings
from explorer.settings.scheduler_file import read_scheduler_file

COVERED = [name for name, kind in CLASSES.items() if not kind.made_for]
FOREIGN = [name for name, kind in CLASSES.items() if kind.made_for]


def said(lane, key):
    """A lane's argument as its scheduler is told it."""
    return lane.scheduler_config()[key]


def refused(text, sampler="dpm2"):
    with pytest.raises(SettingsError) as caught:
        read_scheduler_file(text if isinstance(text, str) else json.dumps(text), sampler)
    sentence = str(caught.value)
    assert sentence.startswith("Not taken over: ")
    assert sentence.endswith(".")
    assert len(sentence) < 300
    assert "\n" not in sentence
    sentence.encode()  # or no answer would reach the page
    return sentence


@pytest.mark.parametrize("name", COVERED)
def test_a_file_that_diffusers_saves_is_taken_over_with_its_values(name, tmp_path):
    getattr(diffusers, name)().save_pretrained(tmp_path)
    text = (tmp_path / "scheduler_config.json").read_text()
    read, config = read_scheduler_file(text, "dpm2_a"), json.loads(text)
    assert read.lane.sampler == (CLASSES[name].sampler or "dpm2_a")
    for key in ("beta_start", "beta_end", "beta_schedule", "prediction_type", "timestep_spacing"):
        if key in config:
            assert said(read.lane, key) == config[key]
    stays = f"{name} is not among the samplers here: the lane stays DPM2 a."
    assert (stays in read.notes) == (not CLASSES[name].sampler)
    assert not any("Not in the file" in note for note in read.notes)


@pytest.mark.parametrize("name", COVERED)
def test_what_a_file_leaves_out_is_its_own_classs_default_and_named(name):
    read = read_scheduler_file(json.dumps({"_class_name": name}))
    signature = inspect.signature(getattr(diffusers, name).__init__).parameters
    note = read.notes[-1]
    assert note.startswith(f"Not in the file, so as {name} has it: ")
    for key in ("beta_start", "beta_end", "beta_schedule", "prediction_type", "timestep_spacing"):
        if key in signature:
            default = signature[key].default
            assert said(read.lane, key) == default
            assert f"{key} {json.dumps(default)}" in note


def test_an_old_ddim_file_visits_the_timesteps_that_diffusers_visits():
    config = {
        "_class_name": "DDIMScheduler",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "prediction_type": "v_prediction",
        "set_alpha_to_one": False,
        "steps_offset": 1,
    }
    read = read_scheduler_file(json.dumps(config))
    theirs = diffusers.DDIMScheduler.from_config(config)
    theirs.set_timesteps(20)
    assert list(read.lane.calls(20).timestep) == theirs.timesteps.tolist()
    assert read.lane.calls(20).timestep[:2].tolist() == [951, 901]
    assert read.notes == (
        "Otherwise than in the file, DDIM (diffusers) has set_alpha_to_one true.",
        "Not in the file, so as DDIMScheduler has it: num_train_timesteps 1000, "
        'timestep_spacing "leading".',
    )


def test_a_ddim_file_without_clip_sample_is_clipped_by_its_class_and_not_here():
    config = {"_class_name": "DDIMScheduler", "beta_end": 0.012}
    assert diffusers.DDIMScheduler.from_config(config).config.clip_sample
    otherwise = "Otherwise than in the file, DDIM (diffusers) has clip_sample false."
    assert read_scheduler_file(json.dumps(config)).notes[0] == otherwise
    assert otherwise not in read_scheduler_file(json.dumps(config | {"clip_sample": False})).notes


def test_betas_that_matter_to_nothing_are_not_named():
    listed = {"_class_name": "DDIMScheduler", "clip_sample": False, "trained_betas": [0.1, 0.2]}
    (note,) = read_scheduler_file(json.dumps(listed)).notes
    assert "beta_start" not in note
    cosine = {"_class_name": "DDPMScheduler", "beta_schedule": "squaredcos_cap_v2"}
    assert "beta_end" not in read_scheduler_file(json.dumps(cosine)).notes[-1]


@pytest.mark.parametrize("name", FOREIGN)
def test_a_scheduler_of_other_formulas_is_refused_by_name(name):
    sentence = refused({"_class_name": name, "num_train_timesteps": 500, "beta_end": 0.01})
    assert sentence.startswith(f"Not taken over: {name} is made for ")


@pytest.mark.parametrize(
    ("flax", "sampler"),
    [
        ("FlaxDDIMScheduler", "ddim"),
        ("FlaxDPMSolverMultistepScheduler", "dpmpp_2m"),
        ("FlaxEulerDiscreteScheduler", "euler"),
        ("FlaxPNDMScheduler", "dpm2"),
    ],
)
def test_a_class_for_flax_is_the_class(flax, sampler):
    assert read_scheduler_file(json.dumps({"_class_name": flax})).lane.sampler == sampler
    assert "EulerD" in refused({"_class_name": "FlaxFlaxEulerDiscreteScheduler"})
    assert "KarrasVe" in refused({"_class_name": "FlaxKarrasVeScheduler"})


DPMPP = "DPMSolverMultistepScheduler"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (DPMPP, {"algorithm_type": "sde-dpmsolver++"}),
        (DPMPP, {"algorithm_type": "dpmsolver"}),
        (DPMPP, {"solver_order": 3}),
        (DPMPP, {"solver_order": 1}),
        (DPMPP, {"solver_type": "heun"}),
        (DPMPP, {"use_lu_lambdas": True}),
        (DPMPP, {"use_flow_sigmas": True}),
        ("UniPCMultistepScheduler", {"predict_x0": False}),
        ("UniPCMultistepScheduler", {"solver_type": "bh1"}),
        ("UniPCMultistepScheduler", {"disable_corrector": [0, 1]}),
        ("UniPCMultistepScheduler", {"use_dynamic_shifting": True}),
        ("DDIMScheduler", {"thresholding": True}),
        ("EulerDiscreteScheduler", {"timestep_type": "continuous"}),
        ("EulerDiscreteScheduler", {"prediction_type": "flow_prediction"}),
        ("DDIMScheduler", {"prediction_type": "trigflow"}),
        ("DDPMScheduler", {"beta_schedule": "sigmoid"}),
        ("DDPMScheduler", {"variance_type": "learned_range"}),
    ],
)
def test_another_method_than_the_lanes_is_refused_by_its_key(name, changes):
    (key,) = changes
    sentence = refused({"_class_name": name, "beta_end": 0.02} | changes)
    assert sentence.startswith(f"Not taken over: {key} ")


@pytest.mark.parametrize(
    ("name", "changes", "here"),
    [
        (DPMPP, {"euler_at_final": True}, "euler_at_final false"),
        (DPMPP, {"lower_order_final": False}, "lower_order_final true"),
        (DPMPP, {"final_sigmas_type": "sigma_min"}, 'final_sigmas_type "zero"'),
        (DPMPP, {"lambda_min_clipped": -5.1}, "lambda_min_clipped -inf"),
        ("DDIMScheduler", {"clip_sample": True}, "clip_sample false"),
        ("EulerDiscreteScheduler", {"interpolation_type": "log_linear"}, "interpolation_type"),
        ("DPMSolverSDEScheduler", {"noise_sampler_seed": 3}, "noise_sampler_seed null"),
        ("HeunDiscreteScheduler", {"rho": 5.0}, "rho null"),
    ],
)
def test_what_a_lane_does_otherwise_at_the_edges_is_named(name, changes, here):
    read = read_scheduler_file(json.dumps({"_class_name": name} | changes))
    label = SAMPLERS[CLASSES[name].sampler].label
    assert read.notes[0].startswith(f"Otherwise than in the file, {label} has {here}")
    untouched = LaneSettings(sampler=read.lane.sampler)
    (key,) = changes
    if hasattr(untouched, key):
        assert getattr(read.lane, key) == getattr(untouched, key)


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("ComfyUI", '{"3": {"class_type": "KSampler", "inputs": {"seed": 1}}, "4": {}}'),
        ("ComfyUI's workflow", '{"last_node_id": 9, "nodes": [{"id": 1}], "links": []}'),
        ("A1111", '{"samples_save": true, "samples_format": "png", "s_churn": 0, "eta_ddim": 0}'),
        ("A1111 ui", '{"txt2img/Prompt/visible": true, "txt2img/Prompt/value": ""}'),
        ("model index", '{"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "U"]}'),
        ("unet", '{"_class_name": "UNet2DConditionModel", "in_channels": 4, "sample_size": 64}'),
        ("tokenizer", '{"model_max_length": 77, "bos_token": "<|startoftext|>"}'),
        ("empty", "{}"),
        ("no name", '{"_class_name": 3, "beta_end": 0.01}'),
        ("a lone surrogate", '{"\\ud83d": 1}'),
    ],
)
def test_another_programs_file_is_refused(program, text):
    refused(text)


LONG = "1" * 6000
VALUES = {
    "text where a boolean belongs": [
        ("use_karras_sigmas", '"false"'),
        ("rescale_betas_zero_snr", '"true"'),
        ("discard_penultimate_sigma", '"on"'),
        ("round_timesteps", '"auto"'),
        ("use_beta_sigmas", "1"),
        ("thresholding", '"no"'),
        ("use_flow_sigmas", '"false"'),
    ],
    "numbers as text": [
        ("beta_start", '"0.00085"'),
        ("num_train_timesteps", '"1000"'),
        ("steps_offset", '"1"'),
        ("sigma_max", '"14.6"'),
        ("eta", '"1"'),
        ("trained_betas", '["0.1", "0.2"]'),
        ("sigmas", '"10, 5, 1"'),
        ("solver_order", '"2"'),
    ],
    "no numbers": [
        ("beta_end", "NaN"),
        ("rho", "Infinity"),
        ("s_tmin", "-Infinity"),
        ("sigma_min", "1e999"),
        ("trained_betas", "[0.1, NaN]"),
        ("lambda_min_clipped", "NaN"),
    ],
    "lists, objects and nulls": [
        ("beta_end", "[0.012]"),
        ("beta_end", "null"),
        ("prediction_type", "null"),
        ("timestep_spacing", "null"),
        ("timestep_spacing", '["leading"]'),
        ("steps_offset", "{}"),
        ("beta_schedule", '{"type": "linear"}'),
        ("trained_betas", '{"0": 0.1}'),
        ("trained_betas", "[[0.1, 0.2]]"),
        ("unheard_of", '{"a": 1}'),
        ("unheard_of", "[[1]]"),
    ],
    "huge numbers": [
        ("steps_offset", LONG),
        ("num_train_timesteps", "9" * 25),
        ("beta_end", LONG),
        ("trained_betas", f"[{LONG}, 0.1]"),
    ],
    "wrong words": [
        ("timestep_spacing", '"even"'),
        ("timestep_spacing", '"auto"'),
        ("interpolation_type", '"auto"'),
        ("schedule_type", '"\\ud83d"'),
        ("prediction_type", '"v-prediction"'),
        ("beta_schedule", '"scaled"'),
    ],
}


@pytest.mark.parametrize(("key", "value"), [pair for pairs in VALUES.values() for pair in pairs])
@pytest.mark.parametrize("name", ["KDPM2DiscreteScheduler", DPMPP, "PNDMScheduler", None])
def test_a_value_that_will_not_do_is_refused_by_its_key(name, key, value):
    about = f'"_class_name": "{name}", ' if name else ""
    known = '"s_noise": 1.0, "alpha": 0.6, ' if name is None else ""
    solver = {"thresholding", "use_flow_sigmas", "solver_order", "lambda_min_clipped"}
    if key in solver and name != DPMPP:
        name, about, known = DPMPP, f'"_class_name": "{DPMPP}", ', ""
    assert key in refused(f'{{{about}{known}"{key}": {value}}}')


@pytest.mark.parametrize("name", [None, "KDPM2DiscreteScheduler"])
def test_a_key_that_stands_there_twice_is_refused(name):
    about = f'"_class_name": "{name}", ' if name else ""
    assert "beta_end stands there twice" in refused(f'{{{about}"beta_end": 0.1, "beta_end": 0.2}}')


def test_a_sampler_that_is_none_is_a_sentence():
    for sampler in ("nothing", "", [], {}):
        refused({"beta_end": 0.02}, sampler)
