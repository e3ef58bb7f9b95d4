"""The sigma plot's payload: the figure of the form's settings, or what is wrong with them."""

import zlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from explorer.figures import schedule_figure
from explorer.settings import RunSettings
from explorer.ui.form import FormError, Problem
from explorer.ui.groups import summaries
from explorer.ui.lanes import LANE_FIELDS, lane_id
from explorer.ui.sigma_lists import sigma_lists

if TYPE_CHECKING:
    from explorer.sampling.schedules import Schedule


def plot_payload(settings: RunSettings, x: str = "step", log_y: bool = True) -> dict[str, Any]:
    """The figure as JSON text, no problems; raises FormError where a lane has no schedule.

    Text, because Gradio's page wraps every object in a value, however deep, to watch it.
    """
    figure = schedule_figure(
        _schedules(settings), x, log_y, settings.first_step, settings.base_steps
    )
    return {
        "figure": figure.to_json(validate=False),
        "x": x,
        "key": schedule_key(settings),
        "labels": [lane.label for lane in settings.lanes],
        "folds": summaries(settings),
        "lists": sigma_lists(settings),
        "problems": [],
    }


def schedule_key(settings: RunSettings) -> str:
    """Equal for settings that give equal schedules: is the plot still that of the run shown?"""
    made_of = settings.steps, settings.first_step, settings.base_steps, settings.lanes
    return f"{zlib.crc32(repr(made_of).encode()):x}"


def problem_payload(error: FormError) -> dict[str, Any]:
    """No figure, so that the page keeps its last good one, and the sentences."""
    return {"figure": None, "problems": list(map(asdict, error.problems))}


def _schedules(settings: RunSettings) -> list[tuple[str, "Schedule"]]:
    schedules, problems = [], []
    for index, lane in enumerate(settings.lanes):
        try:
            schedules.append((lane.label, lane.schedule(settings.steps)))
        except ValueError as error:
            problem = Problem(_blamed(str(error), index), str(error))
            if problem.sentence not in [known.sentence for known in problems]:
                problems.append(problem)
    if problems:
        raise FormError(problems)
    return schedules


def _blamed(sentence: str, lane: int) -> str:
    """The control that a schedule's error names; its sentences begin with the argument."""
    name = sentence.split()[0]
    if name == "num_inference_steps":
        return "steps"
    return lane_id(name, lane) if name in LANE_FIELDS else ""
