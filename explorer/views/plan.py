"""What is about to run: the first message to the page about a run.

The shape: `Plan`, `{"state": "running", "message", "plan": [LanePlan], "key"}`, where a `LanePlan`
is `{"label", "steps", "group", "calls": [CallPlace]}` and a `CallPlace`
`{"step", "second_call", "sigma", "timestep"}`.
"""

import zlib
from typing import TypedDict

from explorer.settings import RunSettings
from explorer.settings.groups import groups_of
from explorer.settings.lane_names import lane_names


class CallPlace(TypedDict):
    """Where one model call stands in its schedule.

    `step` counts from 0, `second_call` is true for the second call of a step, `sigma` is the noise
    level and `timestep` the training step that the network is given.
    """

    step: int
    second_call: bool
    sigma: float
    timestep: float


class LanePlan(TypedDict):
    """One lane: lanes of one `group` are called together, and groups take turns.

    `steps` is the number of its whole schedule, `calls` are those that the run makes.
    """

    label: str
    steps: int
    group: int
    calls: list[CallPlace]


class Plan(TypedDict):
    """The lanes of a run in the form's order; `key` is that of curves.py."""

    state: str
    message: str
    plan: list[LanePlan]
    key: str


def plan_payload(settings: RunSettings) -> Plan:
    """The plan of a run; raises SettingsError, also for a lane without a schedule."""
    group_of = {lane: at for at, group in enumerate(groups_of(settings)) for lane in group.lanes}
    names, lanes = lane_names(settings.lanes), []
    for lane, step_range in zip(settings.lanes, settings.step_ranges, strict=True):
        table = lane.calls(settings.steps)
        columns = table.step, table.second_call, table.sigma, table.timestep
        calls = [call_place(*row) for row in zip(*columns, strict=True)][step_range.first_call :]
        lanes.append(
            LanePlan(
                label=names[len(lanes)],
                steps=table.steps,
                group=group_of[len(lanes)],
                calls=calls,
            )
        )
    return {"state": "running", "message": "Starting", "plan": lanes, "key": schedule_key(settings)}


def call_place(step: int, second_call: bool, sigma: float, timestep: float) -> CallPlace:
    """A call's place; the numbers may be of any type that converts to Python's."""
    return {
        "step": int(step),
        "second_call": bool(second_call),
        "sigma": float(sigma),
        "timestep": float(timestep),
    }


def schedule_key(settings: RunSettings) -> str:
    """A key that is equal for equal schedules: does the plot still show the run's?"""
    made_of = settings.steps, settings.first_step, settings.base_steps, settings.lanes
    return f"{zlib.crc32(repr(made_of).encode()):x}"
