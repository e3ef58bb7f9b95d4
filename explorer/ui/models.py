"""The model menu: what it offers, what the page says of a model, and how a page follows a load."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from explorer.models.catalog import Entry, ModelError
from explorer.settings import LaneSettings, RunSettings
from explorer.ui.form import RUN_FIELDS, Form, Values, shown
from explorer.ui.lanes import LANE_FIELDS, group_of, held, holds, model_prop, shown_lane

LOG = logging.getLogger(__name__)

LOOK_S = 0.25  # between two looks at how far a load is
OWN_TO_A_USER = ("prompt", "negative_prompt", "seed", "init_image")
# Of a lane, with all of the training group: a model always sets them.
OWN_TO_A_MODEL = ("prediction_type", "schedule_type", "timestep_spacing", "steps_offset")
LONGEST_VALUE = 24
LONGEST_LABEL = 120  # a name that no menu offers may be of any length

Choices = list[tuple[str, str]]


def model_choices(engine) -> Choices:
    """The menu: label and name; refiners, which begin nothing, are in a menu of their own."""
    first, *others = engine.entries
    shown = [first, *(entry for entry in others if not _refines(engine, entry))]
    return [(entry.label, entry.name) for entry in shown]


def refiner_choices(engine) -> Choices:
    """The refiners among the models, after none."""
    refiners = [entry for entry in engine.entries if _refines(engine, entry)]
    return [("none", ""), *((entry.label, entry.name) for entry in refiners)]


def _refines(engine, entry: Entry) -> bool:
    identity = engine.identity(entry.name)
    if identity is None:  # not on this machine yet: by its name
        return "refiner" in entry.name.lower()
    return identity.family.is_refiner


def model_name(chosen: Any) -> str:
    """What a page sent as the menu's choice, which may be anything, as a model's name."""
    return chosen if isinstance(chosen, str) else "" if chosen is None else str(chosen)[:80]


def unfit(engine, name: str) -> list[str]:
    """The fields that mean nothing to this model on this device: a page hides them."""
    identity = engine.identity(name)
    refined = identity is not None and identity.family.key == "sdxl"
    # Before a model is there, asking for the device would import torch.
    only_cpu = engine.resident and engine.device.partition(":")[0] == "cpu"
    return [*([] if refined else ["refiner", "refiner_switch_at"]), *(["rng"] if only_cpu else [])]


def card(engine, name: str, turn: int = 0, **more: Any) -> dict[str, Any]:
    """What the page says of a model: the payload of the part under the menu.

    A page shows the newest `turn`; those of two choices may come in any order. `loading` is a
    sentence while it is on its way, with the `fraction` that is done; `problem` why it did not
    come; `said` what was set for it; `waits` whether a run must wait for that.
    """
    identity = engine.identity(name)
    facts, native = "", None
    if identity is not None:
        native = identity.width, identity.height
        facts = f"{identity.family.label}, {identity.width} × {identity.height}"
    known = {
        "facts": facts,
        "native": native,
        "notes": list(identity.notes) if identity else [],
        "examples": list(engine.examples(name)),
        "without": unfit(engine, name),
    }
    return blank_card(turn) | known | more


def blank_card(turn: int, problem: str = "") -> dict[str, Any]:
    """A card that says nothing of a model but a problem."""
    return {
        "turn": turn,
        "facts": "",
        "native": None,
        "notes": [],
        "examples": [],
        "without": [],
        "loading": "",
        "fraction": None,
        "problem": problem,
        "said": "",
        "waits": False,
    }


class Load:
    """One attempt to make a model resident, in a thread of its own."""

    def __init__(self, engine, name: str):
        self.problem = ""
        self.done = threading.Event()
        self._engine, self._name = engine, name
        labels = {entry.name: entry.label for entry in engine.entries}
        self._label = labels.get(name, name)[:LONGEST_LABEL]
        threading.Thread(target=self._work, name="load model", daemon=True).start()

    def _work(self) -> None:
        try:
            self._engine.load(self._name)
        except ModelError as error:
            self.problem = str(error)
        except Exception as error:
            LOG.exception("loading %s", self._name)
            self.problem = f"Loading broke off unexpectedly ({type(error).__name__})."
        finally:
            self.done.set()

    async def followed(self, given_up: threading.Event) -> AsyncIterator[tuple[str, float | None]]:
        """Tell how far it is, now and then, until it has ended or nobody wants it any more."""
        told = None
        while not (self.done.is_set() or given_up.is_set()):
            words, fraction = self._engine.progress
            progress = words or f"Loading {self._label}.", fraction
            if progress != told and self._engine.resident != self._name:
                told = progress
                yield progress
            await asyncio.sleep(LOOK_S)


def refill(
    form: Form, values: Values, begin: RunSettings, before: RunSettings, turn: int = 0
) -> tuple[Values, str]:
    """What the form's controls must hold for a model, and a sentence on what that changes.

    `values` is what they hold, `begin` and `before` are the defaults of this model and of the one
    before. Lanes take the model's scheduler arguments; their samplers stay, and so do their
    schedule types where it asks for none, and what else both models begin with. Of the
    run, what both models begin with stays. `turn` tells the page's fills apart.
    """
    said, own = {}, begin.lanes[0]
    names = [name for name in LANE_FIELDS if _fills(name, own, before.lanes[0])]
    fill = {name: shown_lane(own)[name] for name in names}
    wanted: Values = {form.lanes: gr.update(model=model_prop(own, fill, turn))}
    for name in names:
        value = getattr(own, name)
        if not all(holds(name, each, value) for each in held(values[form.lanes], name)):
            said[LANE_FIELDS[name].metadata["label"]] = value
    for name, spec in RUN_FIELDS.items():
        value, control = getattr(begin, name), form.run[name]
        if name not in ("model", *OWN_TO_A_USER) and value != getattr(before, name):
            wanted[control] = shown(name, value)
            if values[control] != wanted[control]:
                said[spec.metadata["label"]] = value
    listed = ", ".join(f"{label} {_short(value)}" for label, value in said.items())
    return wanted, f"Set as this model wants: {listed}." if listed else ""


def _fills(name: str, own: LaneSettings, before: LaneSettings) -> bool:
    """Whether a model sets this field of the lanes, or leaves it as the user has it."""
    value = getattr(own, name)
    if name == "sampler" or (name == "schedule_type" and value == "automatic"):
        return False
    models = name in OWN_TO_A_MODEL or group_of(LANE_FIELDS[name]) == "training"
    return models or value != getattr(before, name)


def _short(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_VALUE else "a custom list"
