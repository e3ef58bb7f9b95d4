"""What the page says about a model under its menu, and the menus' choices.

The shape: `ModelCard`.
"""

from typing import Any, TypedDict, cast

from explorer.models.catalog import KNOWN, Entry
from explorer.settings.limits import LIMITS
from explorer.views.engine_protocol import EngineLike
from explorer.views.limits import limits_note

OFF = " (not on this server)"  # controls.css knows it
Choices = list[tuple[str, str]]  # label and name


class ModelCard(TypedDict):
    """A model on the page.

    A page shows the newest `revision`; the cards of two choices may arrive in any order. `facts`
    and `notes` are sentences, `native` is (width, height), `examples` are prompts, `without` lists
    the form's fields that mean nothing to the model. `loading` is a sentence while the model is
    being loaded, and `fraction` the share that is done; `problem` says why loading failed,
    `settings_note` which settings were changed for the model, and `waits` whether a run has to wait
    for it.
    """

    revision: int
    facts: str
    native: tuple[int, int] | None
    notes: list[str]
    examples: list[str]
    without: list[str]
    loading: str
    fraction: float | None
    problem: str
    settings_note: str
    waits: bool


def empty_card(revision: int, problem: str = "") -> ModelCard:
    """A card that says nothing about a model except a problem."""
    return {
        "revision": revision,
        "facts": "",
        "native": None,
        "notes": [],
        "examples": [],
        "without": [],
        "loading": "",
        "fraction": None,
        "problem": problem,
        "settings_note": "",
        "waits": False,
    }


def model_card(engine: EngineLike, name: str, revision: int = 0, **more: Any) -> ModelCard:
    """The card of one of the engine's models, with `more` of its fields."""
    card, identity = empty_card(revision), engine.facts.identity(name)
    if identity is not None:
        card["native"] = identity.width, identity.height
        card["facts"] = f"{identity.family.label}, {identity.width} × {identity.height}"
        card["notes"] = list(identity.notes)
    if note := limits_note(LIMITS, any_model=engine.catalog.anything):
        card["notes"].append(note)
    card["examples"] = list(engine.facts.examples(name))
    card["without"] = hidden_fields(engine, name)
    card.update(cast(ModelCard, more))
    return card


def hidden_fields(engine: EngineLike, name: str) -> list[str]:
    """The fields that mean nothing for this model on this device: a page hides them."""
    identity = engine.facts.identity(name)
    refined = identity is not None and identity.family.key == "sdxl"
    # Before a model is loaded, asking for the device would import torch.
    only_cpu = engine.resident and engine.device.partition(":")[0] == "cpu"
    return [*([] if refined else ["refiner", "refiner_switch_at"]), *(["rng"] if only_cpu else [])]


def model_choices(engine: EngineLike) -> Choices:
    """The model menu; refiners, which cannot start a run, have a separate menu.

    At its end are the known models of the hub that the operator has switched off: the page greys
    them, and whoever chooses one is told why it is not loaded.
    """
    first, *others = engine.entries
    entries = [first, *(entry for entry in others if not _refines(engine, entry))]
    return [*((entry.label, entry.name) for entry in entries), *_switched_off(engine)]


def _switched_off(engine: EngineLike) -> Choices:
    if LIMITS.hub_models or engine.catalog.anything:
        return []
    there = {entry.name for entry in engine.entries}
    off = {name: label for name, label in KNOWN.items() if name not in there}
    return [(f"{label}{OFF}", name) for name, label in off.items() if not _is_refiner(name)]


def refiner_choices(engine: EngineLike) -> Choices:
    """The refiners among the models, after none."""
    refiners = [entry for entry in engine.entries if _refines(engine, entry)]
    return [("none", ""), *((entry.label, entry.name) for entry in refiners)]


def _refines(engine: EngineLike, entry: Entry) -> bool:
    identity = engine.facts.identity(entry.name)
    return _is_refiner(entry.name) if identity is None else identity.family.is_refiner


def _is_refiner(name: str) -> bool:
    """Whether a model that is not on this machine yet refines, by its name."""
    return "refiner" in name.lower()


def model_name(chosen: object) -> str:
    """A model's name from the menu's choice as a page sent it, which may be anything."""
    return chosen if isinstance(chosen, str) else "" if chosen is None else str(chosen)[:80]
