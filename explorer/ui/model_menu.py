"""How a page follows the loading of a model, and the updates of its form afterwards."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator

import gradio as gr

from explorer.models.catalog import ModelError
from explorer.settings import LaneSettings, RunSettings
from explorer.ui.form import Form, Values
from explorer.views.engine_protocol import EngineLike
from explorer.views.form_values import RUN_FIELDS, control_value
from explorer.views.lanes import (
    LANE_FIELDS,
    group_of,
    holds,
    lane_values,
    model_prop,
    values_of_lanes,
)

LOG = logging.getLogger(__name__)

POLL_S = 0.25  # between two polls of a load's progress
KEPT_FOR_THE_USER = ("prompt", "negative_prompt", "seed", "init_image")
# Fields of a lane that a model always sets, with all of the training group.
SET_BY_THE_MODEL = ("prediction_type", "schedule_type", "timestep_spacing", "steps_offset")
LONGEST_VALUE = 24
LONGEST_LABEL = 120  # a name that no menu offers may be of any length


class Load:
    """One attempt to make a model resident, in a separate thread, while somebody wants it."""

    def __init__(self, engine: EngineLike, name: str):
        self.problem = ""
        self.done = threading.Event()
        self._engine, self._name = engine, name
        self._wanted = True
        labels = {entry.name: entry.label for entry in engine.entries}
        self._label = labels.get(name, name)[:LONGEST_LABEL]
        threading.Thread(target=self._work, name="load model", daemon=True).start()

    def _work(self) -> None:
        try:
            self._engine.load(self._name, wanted=lambda: self._wanted)
        except ModelError as error:
            self.problem = str(error)
        except Exception as error:
            LOG.exception("loading %s", self._name)
            self.problem = f"Loading failed unexpectedly ({type(error).__name__})."
        finally:
            self.done.set()

    async def followed(
        self, cancel: threading.Event
    ) -> AsyncGenerator[tuple[str, float | None], None]:
        """Yield the progress now and then, until the load has ended or is cancelled.

        The progress is a sentence, and the fraction done or None. A load that is no longer
        followed, for whatever reason, is no longer wanted.
        """
        newest = None
        try:
            while not (self.done.is_set() or cancel.is_set()):
                message, fraction = self._engine.progress
                progress = message or f"Loading {self._label}.", fraction
                if progress != newest and self._engine.resident != self._name:
                    newest = progress
                    yield progress
                await asyncio.sleep(POLL_S)
        finally:
            self._wanted = False


def refill(
    form: Form, values: Values, begin: RunSettings, before: RunSettings, revision: int = 0
) -> tuple[Values, str]:
    """What the form's controls must hold for a model, and a sentence on what that changes.

    `values` are the controls' values, `begin` and `before` the defaults of this model and of the
    previous one. Lanes take the model's scheduler arguments; they keep their samplers, their
    schedule types where the model asks for none, and settings for which both models have the same
    default. The run, too, keeps settings with the same default. `revision` numbers the page's
    fills.
    """
    changes: dict[str, object] = {}
    defaults = begin.lanes[0]
    names = [name for name in LANE_FIELDS if _fills(name, defaults, before.lanes[0])]
    fill = {name: lane_values(defaults)[name] for name in names}
    wanted: Values = {form.lanes: gr.update(model=model_prop(defaults, fill, revision))}
    for name in names:
        value = getattr(defaults, name)
        if not all(holds(name, each, value) for each in values_of_lanes(values[form.lanes], name)):
            changes[LANE_FIELDS[name].metadata["label"]] = value
    for name, spec in RUN_FIELDS.items():
        value, control = getattr(begin, name), form.run[name]
        if name not in ("model", *KEPT_FOR_THE_USER) and value != getattr(before, name):
            wanted[control] = control_value(name, value)
            if values[control] != wanted[control]:
                changes[spec.metadata["label"]] = value
    listed = ", ".join(f"{label} {_short(value)}" for label, value in changes.items())
    return wanted, f"Set as this model wants: {listed}." if listed else ""


def _fills(name: str, defaults: LaneSettings, before: LaneSettings) -> bool:
    """Whether a model sets this field of the lanes, or leaves the user's value."""
    value = getattr(defaults, name)
    if name == "sampler" or (name == "schedule_type" and value == "automatic"):
        return False
    of_model = name in SET_BY_THE_MODEL or group_of(LANE_FIELDS[name]) == "training"
    return of_model or value != getattr(before, name)


def _short(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_VALUE else "a custom list"
