"""The sigma plot: the figure of the form's settings, and the notes beside it.

The shape: `Curves`. Where a lane has no schedule, `Problems` of problems.py takes its place.
"""

import json
from dataclasses import dataclass
from typing import TypedDict

from explorer.plots.curves import QUANTITIES, Curve, curve_of
from explorer.plots.figures import X_AXES, kinds_of, schedule_figure
from explorer.plots.relative import Reference
from explorer.sampling.calls import CallTable
from explorer.sampling.schedules import Schedule
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.lane_names import lane_names
from explorer.views.a1111_sigmas import A1111Sigmas, a1111_sigmas
from explorer.views.calls_table import calls_table
from explorer.views.lanes import LANE_FIELDS, lane_id
from explorer.views.pins import Pin, pin_of, read_pins
from explorer.views.placeholders import placeholders
from explorer.views.plan import schedule_key
from explorer.views.problems import FormError, Problem, ProblemJSON
from explorer.views.summaries import summaries

UNKNOWN_MENU = "What the plot should show did not arrive whole; reload the page."


class Curves(TypedDict):
    """The plot of some settings; lists have one entry per lane.

    `figure`, `table`, `points`, `pin` and `reference` are JSON text, because Gradio's page wraps
    every object in a value, however deep, to watch it: the plotly figure, the lanes' calls
    (calls_table.py), the sigmas of each lane that can be dragged (null for a lane whose sigmas
    cannot), the lanes' schedules as pins, and what a plot `relative` to lane A is relative to
    (plots/relative.py; null where it is not). `kinds` are those of the lines and marks that the
    figure draws, `x` is the key of the axis, `labels` are the lanes' names, `a1111` their sigmas in
    other programs (a1111_sigmas.py). `scales` says whether the `quantity` may have a logarithmic
    axis, `key` is equal for equal schedules, `pins` says, by id, what is wrong with each of the
    page's pins, `listed` is how many steps a lane's custom list has (None without one),
    `placeholders` is by field what an empty box stands for, `folds` by group
    one line on what it changes. There are no `problems`.
    """

    figure: str
    kinds: list[str]
    table: str
    quantity: str
    scales: bool
    x: str
    relative: bool
    reference: str
    key: str
    labels: list[str]
    points: str
    pin: str
    pins: dict[str, str]
    listed: list[int | None]
    placeholders: list[dict[str, str]]
    folds: dict[str, str]
    a1111: list[A1111Sigmas]
    problems: list[ProblemJSON]


@dataclass(frozen=True)
class View:
    """What the page's menus show: the plot's quantity and axes, and the page's pins.

    With `relative` lanes are drawn relative to the first one.
    """

    quantity: str = "sigma"
    x: str = "step"
    log_y: bool = True
    relative: bool = False
    pins: tuple[Pin, ...] = ()

    def __post_init__(self):
        """Raise FormError for a value that no menu of the page has: a page may send anything."""
        for value, known in ((self.quantity, QUANTITIES), (self.x, X_AXES)):
            if not isinstance(value, str) or value not in known:
                raise FormError([Problem("", UNKNOWN_MENU)])


def read_view(sent: object) -> View:
    """What a page sent: {"quantity", "x", "y", "relative", "pins"}; missing ones are the defaults.

    Raises FormError for what no page sends.
    """
    if sent is None:
        return View()
    if not isinstance(sent, dict) or sent.get("y", "log") not in ("log", "linear"):
        raise FormError([Problem("", UNKNOWN_MENU)])
    return View(
        quantity=sent.get("quantity", "sigma"),
        x=sent.get("x", "step"),
        log_y=sent.get("y", "log") == "log",
        relative=sent.get("relative") is True,
        pins=tuple(read_pins(sent.get("pins"))),
    )


def plot_payload(settings: RunSettings, view: View = View()) -> Curves:
    """The plot of settings; raises FormError where a lane has no schedule."""
    tables, step_ranges = _tables(settings), settings.step_ranges
    names = lane_names(settings.lanes)
    curves = [
        curve_of(table, name, lane=index, start=step_range.start)
        for index, (name, table, step_range) in enumerate(
            zip(names, tables, step_ranges, strict=True)
        )
    ]
    pinned = [pin.curve for pin in view.pins if pin.curve]
    reference = None
    if view.relative:
        others = (*curves[1:], *pinned)
        reference = Reference(curves[0], QUANTITIES[view.quantity], view.x, others)
    figure = schedule_figure(
        [*curves, *pinned],
        view.x,
        view.log_y,
        view.quantity,
        step_ranges[0].refiner_at,
        reference,
    )
    return {
        "figure": json.dumps(figure),
        "kinds": kinds_of(figure),
        "table": json.dumps(calls_table(settings)),
        "quantity": view.quantity,
        "scales": QUANTITIES[view.quantity].log,
        "x": view.x,
        "relative": view.relative,
        "reference": json.dumps(reference and reference.to_json()),
        "key": schedule_key(settings),
        "labels": list(names),
        "points": json.dumps(list(map(_movable, settings.lanes, curves))),
        "pin": json.dumps(list(map(pin_of, settings.lanes, curves))),
        "pins": {pin.id: pin.problem for pin in view.pins},
        "listed": [len(lane.sigmas) if lane.sigmas else None for lane in settings.lanes],
        "placeholders": list(map(placeholders, settings.lanes)),
        "folds": summaries(settings),
        "a1111": a1111_sigmas(settings),
        "problems": [],
    }


def _movable(lane: LaneSettings, curve: Curve) -> list[float] | None:
    """The sigmas that can be dragged: those of a lane that takes a custom list."""
    return curve.first_calls.sigma.tolist() if lane.solver.takes("sigmas") else None


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
