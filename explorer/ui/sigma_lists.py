"""The lanes' sigmas as lists, each beside what A1111 and ComfyUI would run in its place."""

from typing import Any

import gradio as gr
import numpy as np

from explorer.settings import LaneSettings, RunSettings
from explorer.ui.lanes import shown
from explorer.ui.parts import part

LONGEST = 200  # rows of a list; nobody reads more, and every redraw sends them
SAME = 5e-4  # relative: how far programs that round differently are apart


def sigma_lists_part() -> gr.HTML:
    """The lists, and a switch that makes a lane run as those programs do."""
    default = LaneSettings()
    wanted = default.as_a1111()
    names = [name for name in vars(default) if getattr(default, name) != getattr(wanted, name)]
    names.append("timestep_spacing")  # a model's own may be another
    values = {name: shown(name, getattr(wanted, name)) for name in names}
    return part("sigmas", {"values": values})


def sigma_lists(settings: RunSettings) -> list[dict[str, Any]]:
    """One entry a lane; raises ValueError where a lane has no schedule.

    `sigma` is its list, the final one included; `a1111` the other programs' list where it differs,
    and `difference` says how. `is` tells whether the lane runs as they do, `can` whether it may.
    """
    return [_entry(lane, settings.steps) for lane in settings.lanes]


def _entry(lane: LaneSettings, steps: int) -> dict[str, Any]:
    ours = _levels(lane, steps)
    entry = {"label": lane.label, "sigma": _text(ours), "a1111": None, "difference": ""}
    can = not (lane.sigmas or lane.solver.baseline)
    entry |= {"can": can, "is": can and lane == lane.as_a1111()}
    if not can or entry["is"]:
        return entry
    try:
        theirs = _levels(lane.as_a1111(), steps)
    except ValueError:  # as many steps as training had leave no room for one more
        return entry | {"can": False}
    apart = np.abs(ours - theirs) > SAME * np.maximum(ours, theirs)
    if apart.any():
        worst = int(np.argmax(np.abs(np.log(ours[:-1] / theirs[:-1]))))
        entry["a1111"] = _text(theirs)
        entry["difference"] = (
            f"A1111 and ComfyUI have another sigma in {apart.sum()} of {steps} steps, most so in "
            f"step {worst + 1}: {theirs[worst]:.4g}, here {ours[worst]:.4g}."
        )
    return entry


def _levels(lane: LaneSettings, steps: int) -> np.ndarray:
    calls = lane.calls(steps)
    return np.append(calls.sigma[~calls.half], calls.sigma_end)


def _text(levels: np.ndarray) -> list[str]:
    return [f"{level:.5g}" for level in levels[:LONGEST]]
