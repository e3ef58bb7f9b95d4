"""Every scheduler class of the installed diffusers is known, with its constructor's defaults."""

import inspect
import json
from pathlib import Path

import diffusers
import diffusers.schedulers
import pytest

from explorer.sampling import schedulers
from explorer.sampling.config_checks import METHOD, OUR_ARGUMENTS, check_types
from explorer.sampling.samplers import SAMPLERS
from explorer.sampling.scheduler_classes import CLASSES, EDM, find_class

DOCS = Path(__file__).resolve().parents[2] / "docs" / "schedulers.md"
CONFIGS = DOCS.parents[1] / "assets" / "configs"


def exported() -> set[str]:
    """The scheduler classes of diffusers: what it exports, and what its own package does."""
    names = {name for place in (diffusers, diffusers.schedulers) for name in dir(place)}
    return {
        name
        for name in names
        if name.endswith("Scheduler")
        and isinstance(getattr(diffusers, name, None) or getattr(diffusers.schedulers, name), type)
    }


def test_somebody_has_decided_what_each_class_of_diffusers_gives_here():
    assert exported() == CLASSES.keys()


@pytest.mark.parametrize("name", [name for name, kind in CLASSES.items() if not kind.made_for])
def test_a_class_has_the_defaults_of_its_constructor(name):
    signature = inspect.signature(getattr(diffusers, name).__init__).parameters
    truth = {key: each.default for key, each in signature.items() if key != "self"}
    assert CLASSES[name].defaults == truth
    check_types(truth, CLASSES[name].defaults)


def test_our_arguments_are_those_of_our_classes():
    ours = inspect.signature(schedulers.KDPM2DiscreteScheduler.__init__).parameters
    only = {key: each.default for key, each in ours.items() if each.kind is each.KEYWORD_ONLY}
    assert only == OUR_ARGUMENTS


def test_every_sampler_is_a_class_and_every_argument_of_its_method_is_known():
    for sampler in SAMPLERS.values():
        assert find_class(sampler.class_name).sampler == sampler.key
    known = {key for kind in CLASSES.values() for key in kind.defaults}
    assert set(METHOD) <= known


def of_single_files() -> dict[str, str]:
    """A class to what a single file of it gives, which names none: its keys and network decide."""
    kinds: dict[str, list[str]] = {}
    for file in sorted(CONFIGS.glob("*/scheduler/scheduler_config.json")):
        name = json.loads(file.read_text())["_class_name"]
        kinds.setdefault(name, []).append(file.parents[1].name)
    said = {name: f"runs: {', '.join(folders)}" for name, folders in kinds.items()}
    edm = {name: "refused by its keys" for name, kind in CLASSES.items() if kind.made_for == EDM}
    return said | edm


def rows() -> list[str]:
    """The table of docs/schedulers.md: a row a class."""
    lines, files = [], of_single_files()
    for kind in sorted(CLASSES.values(), key=lambda each: (bool(each.made_for), each.name)):
        folder = "runs" + (", noted as distilled" if kind.few_steps else "")
        lane = SAMPLERS[kind.sampler].label if kind.sampler else "the lane's sampler stays"
        if kind.made_for:
            folder, lane = f"refused: made for {kind.made_for}", "refused"
        file = files.get(kind.name, "")
        lines.append(f"| `{kind.name}` | {folder} | {file} | {lane} |")
    return lines


def test_the_docs_say_what_each_class_gives():
    said = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    assert said == rows(), "\n".join(rows())
