"""The model calls of a run as a table: a row a call, with the levels of its step.

The shape: a list of `LaneTable`, one a lane.
"""

from typing import TypedDict

import numpy as np

from explorer.plots.curves import alpha_bar, log_snr
from explorer.sampling.calls import CallTable
from explorer.sampling.schedules import Schedule
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.lane_names import lane_names

Column = list[float | None]


class LaneTable(TypedDict):
    """One lane's model calls, those that the run makes: columns of one entry a call.

    `step` counts from 0, `second_call` says that a call is the second of its step. `sigma` is the
    noise level at which the model is called, `timestep` what it is told, `alpha_bar` is 1 / (1 +
    sigma^2), `log_snr` -2 ln sigma. `sigma_next`, `sigma_mid`, `sigma_down` and `sigma_up` are
    those of the step, in the row of its first call, else None. `sigma_end` is where the last step
    lands. `missing` says by column, in a sentence, why it has no entry.
    """

    label: str
    step: list[int]
    second_call: list[bool]
    sigma: Column
    sigma_next: Column
    sigma_mid: Column
    sigma_down: Column
    sigma_up: Column
    timestep: Column
    alpha_bar: Column
    log_snr: Column
    sigma_end: float
    missing: dict[str, str]


def calls_table(settings: RunSettings) -> list[LaneTable]:
    """The tables of a run's lanes; raises ValueError for a lane without a schedule."""
    return [
        _table(name, lane, lane.schedule(settings.steps), step_range.first_call)
        for name, lane, step_range in zip(
            lane_names(settings.lanes), settings.lanes, settings.step_ranges, strict=True
        )
    ]


def _table(name: str, lane: LaneSettings, schedule: Schedule | CallTable, first: int) -> LaneTable:
    calls = schedule if isinstance(schedule, CallTable) else CallTable.of(schedule)
    levels, missing = _levels(lane, schedule, calls)
    whole = ~calls.second_call

    def of_steps(values: np.ndarray | None) -> Column:
        """The values of steps, in the rows of their first calls."""
        column = np.full(calls.nfe, np.nan)
        if values is not None:
            column[np.flatnonzero(whole)[: len(values)]] = values
        return [None if each != each else each for each in column.tolist()][first:]

    def of_calls(values: np.ndarray) -> list:
        return values[first:].tolist()

    return {
        "label": name,
        "step": of_calls(calls.step),
        "second_call": of_calls(calls.second_call),
        "sigma": of_calls(calls.sigma),
        "sigma_next": of_steps(np.append(_begins(schedule)[1:], calls.sigma_end)),
        "sigma_mid": of_steps(levels.get("sigma_mid")),
        "sigma_down": of_steps(levels.get("sigma_down")),
        "sigma_up": of_steps(levels.get("sigma_up")),
        "timestep": of_calls(calls.timestep),
        "alpha_bar": of_calls(alpha_bar(calls.sigma)),
        "log_snr": of_calls(log_snr(calls.sigma)),
        "sigma_end": calls.sigma_end,
        "missing": missing,
    }


def _begins(schedule: Schedule | CallTable) -> np.ndarray:
    """The sigma at which each of N steps begins, before churn."""
    if isinstance(schedule, Schedule):
        return schedule.sigma
    return schedule.sigma[~schedule.second_call]


def _levels(
    lane: LaneSettings, schedule: Schedule | CallTable, calls: CallTable
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The levels inside the steps, and why those that are not known are not."""
    if isinstance(schedule, Schedule):
        levels = {name: getattr(schedule, name) for name in ("sigma_mid", "sigma_down", "sigma_up")}
        one_step = {"sigma_mid": "A run of one step goes to its end at once: there is no midpoint."}
        return levels, {} if schedule.steps > 1 else one_step
    name = lane.solver.label
    middle = f"{name} makes one model call a step: there is no midpoint."
    if calls.second_call.any():
        middle = f"{name}'s second call is not at a midpoint; its level is in its own row."
    inside = f"{name} is diffusers' own class: what its steps do between two calls is not shown."
    return {}, {"sigma_mid": middle, "sigma_down": inside, "sigma_up": inside}
