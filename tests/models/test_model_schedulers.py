"""Model folders of every scheduler class: run as they were meant, or refused by name."""

import inspect
import json
import shutil

import diffusers
import pytest

from explorer.engine import Engine
from explorer.models.catalog import ModelError
from explorer.models.families import identify
from explorer.runs.model_facts import MOST_EXAMPLES
from explorer.sampling.scheduler_classes import CLASSES
from explorer.settings import RunSettings

pytestmark = pytest.mark.usefixtures("untraced")  # the networks are the same for each class

COVERED = [name for name, kind in CLASSES.items() if not kind.made_for]
FOREIGN = [name for name, kind in CLASSES.items() if kind.made_for]
CONFIG = "scheduler/scheduler_config.json"


@pytest.fixture
def folder(family_folder, tmp_path):
    """A model folder, and how its scheduler's configuration is written and its index changed."""
    copy = shutil.copytree(family_folder("sd1"), tmp_path / "model")

    def write(config, in_index=None):
        text = config if isinstance(config, str) else json.dumps(config)
        (copy / CONFIG).write_text(text)
        index = json.loads((copy / "model_index.json").read_text())
        name = config.get("_class_name") if isinstance(config, dict) else "DDIMScheduler"
        index["scheduler"] = in_index or ["diffusers", name]
        (copy / "model_index.json").write_text(json.dumps(index))
        return copy

    return write


def said(lane, key):
    """A lane's argument as its scheduler is told it."""
    return lane.scheduler_config()[key]


def refused(folder) -> str:
    """The sentence of loading; the page comes up all the same."""
    engine = Engine(folder, "cpu")
    assert engine.facts.defaults().lanes == RunSettings().lanes
    with pytest.raises(ModelError) as caught:
        engine.load()
    assert engine.state == f"absent: {caught.value}"
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert str(folder.parent) not in sentence
    return sentence


@pytest.mark.parametrize("name", COVERED)
def test_a_folder_that_names_only_a_class_has_the_classs_defaults_and_says_so(name, folder):
    engine = Engine(folder({"_class_name": name}), "cpu")
    signature = inspect.signature(getattr(diffusers, name).__init__).parameters
    note = engine.facts.identity().notes[-1]
    assert note.startswith(f"Its scheduler_config.json leaves to {name}'s defaults: ")
    for key in ("beta_start", "beta_end", "beta_schedule", "prediction_type", "timestep_spacing"):
        if key in signature:
            default = signature[key].default
            assert f"{key} {json.dumps(default)}" in note
            assert {said(lane, key) for lane in engine.facts.lane_defaults()} == {default}
    assert engine.facts.identity().distilled == (name in ("LCMScheduler", "TCDScheduler"))


@pytest.mark.parametrize("name", COVERED)
def test_a_folder_that_diffusers_saved_is_whole(name, folder, tmp_path):
    getattr(diffusers, name)(beta_end=0.013).save_pretrained(tmp_path)
    engine = Engine(folder(json.loads((tmp_path / "scheduler_config.json").read_text())), "cpu")
    assert not any("leaves to" in note for note in engine.facts.identity().notes)
    assert {lane.beta_end for lane in engine.facts.lane_defaults()} == {0.013}
    engine.load()
    assert type(engine.pipeline.scheduler).__name__ == name


def test_an_old_folder_visits_the_timesteps_of_its_class(folder):
    config = {"_class_name": "DDIMScheduler", "beta_schedule": "scaled_linear", "steps_offset": 1}
    (lane, _) = Engine(folder(config), "cpu").facts.lane_defaults()
    assert lane.schedule(20).call_timestep[:3:2].tolist() == [951, 901]
    assert (lane.beta_start, lane.beta_end) == (0.0001, 0.02)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_scheduler_of_other_formulas_is_refused_by_name(name, folder):
    sentence = refused(folder({"_class_name": name, "num_train_timesteps": 1000}))
    assert f"its scheduler, {name}, is made for {CLASSES[name].made_for}, which needs" in sentence


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"use_flow_sigmas": True}, "use_flow_sigmas is for models trained by flow matching"),
        ({"prediction_type": "flow_prediction"}, "prediction_type flow_prediction is for models"),
        ({"prediction_type": "v-prediction"}, 'prediction_type "v-prediction" is not known'),
        ({"prediction_type": None}, "prediction_type null is not known"),
        ({"beta_schedule": "sigmoid"}, 'beta_schedule "sigmoid" is not known here'),
        ({"beta_schedule": "laplace"}, 'beta_schedule "laplace" is not known here'),
        ({"timestep_type": "continuous"}, 'timestep_type "continuous" tells'),
        ({"variance_type": "learned_range"}, "variance_type learned_range is for networks"),
        ({"_class_name": "MyScheduler"}, '"MyScheduler", is none of diffusers'),
        ({"_class_name": ["a", "B"]}, "is none of diffusers'"),
        ({"beta_start": "0.00085"}, 'beta_start must be a number; got "0.00085"'),
        ({"beta_start": None}, "beta_start must be a number; got null"),
        ({"clip_sample": "yes"}, 'clip_sample must be true or false; got "yes"'),
        ({"trained_betas": "0.1"}, "trained_betas must be a list of numbers"),
        ({"trained_betas": [0.1, 2.0]}, "Trained betas must all lie above 0 and below 1"),
        ({"beta_end": 2}, "Beta end must be a number above 0 and below 1; got 2"),
        ({"beta_end": float("nan")}, "beta_end must be a number; got nan"),
        ({"num_train_timesteps": 10**9}, "Train timesteps must be a whole number"),
        ({"timestep_spacing": "even"}, 'timestep_spacing "even" is not known here'),
        ({"steps_offset": -1}, "Steps offset must be a whole number"),
    ],
)
def test_a_configuration_that_no_lane_can_be_told_is_refused(changes, words, folder):
    config = {"_class_name": "DDPMScheduler", "beta_schedule": "scaled_linear"} | changes
    assert words in refused(folder(config, ["diffusers", "DDPMScheduler"]))


@pytest.mark.parametrize("text", ["", "[]", "{", "\udcff", "[" * 100_000, "7"])
def test_a_configuration_that_cannot_be_read_is_refused(text, folder, tmp_path):
    copy = folder("{}")
    (copy / CONFIG).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert refused(copy) == f"The {CONFIG} of model could not be read: it is damaged."


def test_the_index_says_which_class_it_is(folder):
    config = {"beta_schedule": "scaled_linear"}
    identity = identify(folder(config, ["diffusers", "LMSDiscreteScheduler"]), "model")
    assert "leaves to LMSDiscreteScheduler's defaults" in identity.notes[-1]
    assert "EDMEulerScheduler" in refused(folder(config, ["diffusers", "EDMEulerScheduler"]))
    edm = {"_class_name": "EDMEulerScheduler"}
    assert "EDMEulerScheduler" in refused(folder(edm, ["diffusers", "DDIMScheduler"]))
    assert "does not say which scheduler" in refused(folder(config, [None, None]))
    flax = {"_class_name": "FlaxDDIMScheduler"}
    assert "DDIMScheduler's" in identify(folder(flax, [None, None]), "model").notes[-1]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("defaults.json", "{"),
        ("defaults.json", "[]"),
        ("defaults.json", '{"steps": 0}'),
        ("defaults.json", '{"step": 3}'),
        ("defaults.json", '{"cfg_scale": "much"}'),
        ("words.json", "{"),
        ("words.json", "3"),
        ("words.json", '{"a": 1}'),
        ("examples.json", "3"),
    ],
)
def test_what_a_folder_says_beside_that_cannot_be_read_is_refused_too(file, text, folder):
    copy = folder({"_class_name": "DDIMScheduler"})
    (copy / file).write_text(text)
    engine = Engine(copy, "cpu")
    assert engine.facts.defaults().steps == RunSettings().steps
    with pytest.raises(ModelError, match=f"The {file} of model"):
        engine.load()


def test_a_network_of_more_channels_is_refused(folder):
    copy = folder({"_class_name": "DDIMScheduler"})
    unet = json.loads((copy / "unet/config.json").read_text()) | {"out_channels": 8}
    (copy / "unet/config.json").write_text(json.dumps(unet))
    assert "gives 8 channels in place of 4" in refused(copy)


def test_examples_are_texts_and_few(folder):
    copy = folder({"_class_name": "DDIMScheduler"})
    listed = [1, None, ["a"], "", "  ", " a boat ", "x" * 1000, *(f"boat {n}" for n in range(50))]
    (copy / "examples.json").write_text(json.dumps(listed))
    examples = Engine(copy, "cpu").facts.examples()
    assert examples[:2] == ("a boat", "boat 0")
    assert len(examples) == MOST_EXAMPLES
