"""The lanes' sigmas beside those of A1111 and ComfyUI, and the settings to run as they do."""

from dataclasses import fields
from typing import Any, TypedDict

import numpy as np

from explorer.sampling.calls import CallTable
from explorer.sampling.schedules import Schedule
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.presets import AS_A1111
from explorer.views.lanes import cell_value

SAME = 5e-4  # relative: the difference between programs that round differently


A1111Sigmas = TypedDict(  # the key "is" cannot be an attribute of a class
    "A1111Sigmas",
    {
        "sigma": list[float] | None,
        "difference": str,
        "can": bool,
        "is": bool,
        "values": dict[str, Any],
    },
)


def a1111_sigmas(settings: RunSettings) -> list[A1111Sigmas]:
    """One entry per lane; raises ValueError if a lane has no schedule.

    `sigma` are the other programs' sigmas where they differ, one for each step of the schedule and
    the final one, and `difference` describes how. `is` says whether the lane runs as they do, `can`
    whether it is able to, and `values` are the settings that make it do so.
    """
    return [_entry(lane, settings.steps) for lane in settings.lanes]


def _entry(lane: LaneSettings, steps: int) -> A1111Sigmas:
    ours, wanted = _levels(lane, steps), lane.as_a1111()
    entry: A1111Sigmas = {
        "sigma": None,
        "difference": "",
        "can": not (lane.sigmas or lane.solver.baseline),
        "is": False,
        "values": {name: cell_value(name, getattr(wanted, name)) for name in AS_A1111},
    }
    if not entry["can"]:
        return entry
    try:
        entry["is"] = _same_run(lane.schedule(steps), wanted.schedule(steps))
        theirs = _levels(wanted, steps)
    except ValueError:  # with as many steps as in training there is no room for one more
        entry["can"] = False
        return entry
    differs = np.abs(ours - theirs) > SAME * np.maximum(ours, theirs)
    if differs.any() and not entry["is"]:
        worst = int(np.argmax(np.abs(np.log(ours[:-1] / theirs[:-1]))))
        entry["sigma"] = theirs.tolist()
        entry["difference"] = (
            f"A1111 and ComfyUI have another sigma in {differs.sum()} of {steps} steps, most so in "
            f"step {worst + 1}: {theirs[worst]:.4g}, here {ours[worst]:.4g}."
        )
    return entry


def _same_run(one: Schedule | CallTable, other: Schedule | CallTable) -> bool:
    """Whether two schedules are equal, however their settings are written."""
    names = [spec.name for spec in fields(one)]
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def _levels(lane: LaneSettings, steps: int) -> np.ndarray:
    calls = lane.calls(steps)
    return np.append(calls.sigma[~calls.second_call], calls.sigma_end)
