"""The sigma plot's payload: the figure of the form's settings, or what is wrong with them."""

import json
import zlib
from dataclasses import asdict, dataclass
from typing import Any

from explorer.plots.curves import QUANTITIES, Curve, curve_of
from explorer.plots.figures import X_AXES, schedule_figure
from explorer.sampling.calls import CallTable
from explorer.sampling.schedules import Schedule
from explorer.settings import LaneSettings, RunSettings
from explorer.ui.form import FormError, Problem
from explorer.ui.groups import summaries
from explorer.ui.lanes import LANE_FIELDS, lane_id
from explorer.ui.pins import Pin, pin_of
from explorer.ui.placeholders import placeholders
from explorer.ui.sigma_lists import sigma_lists

UNKNOWN_SWITCH = "What the plot should show did not arrive whole; reload the page."


@dataclass(frozen=True)
class View:
    """What the page's switches show: the plot's quantity and axes, and the page's pins."""

    quantity: str = "sigma"
    x: str = "step"
    log_y: bool = True
    pins: tuple[Pin, ...] = ()

    def __post_init__(self):
        """Raise FormError for a switch that is none of the page's: a page may send anything."""
        for value, known in ((self.quantity, QUANTITIES), (self.x, X_AXES)):
            if not isinstance(value, str) or value not in known:
                raise FormError([Problem("", UNKNOWN_SWITCH)])


def plot_payload(settings: RunSettings, view: View = View()) -> dict[str, Any]:
    """The figure as JSON text, no problems; raises FormError where a lane has no schedule.

    Text, because Gradio's page wraps every object in a value, however deep, to watch it. As text
    too: `points`, the sigmas of each lane that can be dragged, and `pin`, the lanes' schedules as
    pins. `listed` is how many steps each lane's own list has, None where it has none. `pins` says,
    by id, what is wrong with each of the page's own.
    """
    tables, spans = _tables(settings), settings.spans
    curves = [
        curve_of(table, lane.label, lane=index, first=span.first)
        for index, (lane, table, span) in enumerate(zip(settings.lanes, tables, spans, strict=True))
    ]
    pinned = [pin.curve for pin in view.pins if pin.curve]
    figure = schedule_figure([*curves, *pinned], view.x, view.log_y, view.quantity, spans[0].cut)
    return {
        "figure": json.dumps(figure),
        "quantity": view.quantity,
        "scales": QUANTITIES[view.quantity].log,
        "x": view.x,
        "key": schedule_key(settings),
        "labels": [lane.label for lane in settings.lanes],
        "points": json.dumps(list(map(_movable, settings.lanes, curves))),
        "pin": json.dumps(list(map(pin_of, settings.lanes, curves))),
        "pins": {pin.id: pin.problem for pin in view.pins},
        "listed": [len(lane.sigmas) if lane.sigmas else None for lane in settings.lanes],
        "placeholders": list(map(placeholders, settings.lanes)),
        "folds": summaries(settings),
        "lists": sigma_lists(settings),
        "problems": [],
    }


def _movable(lane: LaneSettings, curve: Curve) -> list[float] | None:
    """The sigmas that can be dragged: those of a lane that takes a list of its own."""
    return curve.whole.sigma.tolist() if lane.solver.takes("sigmas") else None


def schedule_key(settings: RunSettings) -> str:
    """Equal for settings that give equal schedules: is the plot still that of the run shown?"""
    made_of = settings.steps, settings.first_step, settings.base_steps, settings.lanes
    return f"{zlib.crc32(repr(made_of).encode()):x}"


def problem_payload(error: FormError) -> dict[str, Any]:
    """No figure, so that the page keeps its last good one, and the sentences."""
    return {"figure": None, "problems": list(map(asdict, error.problems))}


def _tables(settings: RunSettings) -> list[Schedule | CallTable]:
    tables, problems = [], []
    for index, lane in enumerate(settings.lanes):
        try:
            tables.append(lane.schedule(settings.steps))
        except ValueError as error:
            problem = Problem(_blamed(str(error), index), str(error))
            if problem not in problems:
                problems.append(problem)
    if problems:
        raise FormError(problems)
    return tables


def _blamed(sentence: str, lane: int) -> str:
    """The control that a schedule's error names; its sentences begin with the argument."""
    name = sentence.split()[0]
    if name == "num_inference_steps":
        return "steps"
    return lane_id(name, lane) if name in LANE_FIELDS else ""
