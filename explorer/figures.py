"""Records to plotly figures; the only place that knows plotly. Pure functions, no torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import plotly
import plotly.graph_objects as go

if TYPE_CHECKING:
    from explorer.sampling.schedules import Schedule

LANE_COLOURS = ("#1b6ac9", "#bf5209")  # the page's --lane-a and --lane-b, light theme
X_AXES = {"step": "step", "timestep": "timestep", "log_sigma": "log sigma"}  # as a switch says it
X_TITLES = {"step": "Steps done", "timestep": "Timestep", "log_sigma": "Sigma, log scale"}
MANY = 200  # more points than that are a line: markers would hide each other, and take their time
LOG_TICKS = [digit * 10.0**power for power in range(-4, 6) for digit in (1, 2, 5)]
SYMBOLS = {
    "sigma": "circle",
    "midpoint": "diamond-open",
    "sigma down": "triangle-down-open",
    "sigma up": "triangle-up-open",
}
FONT = 'system-ui, -apple-system, "Segoe UI", sans-serif'


def plotly_script() -> Path:
    """The plotly.js that the installed plotly package ships: the one its figures are made for."""
    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def schedule_figure(
    lanes: Sequence[tuple[str, "Schedule"]], x: str = "step", log_y: bool = True
) -> go.Figure:
    """Draw the schedules of all lanes on one axis: sigmas, midpoints, sigma_down and sigma_up.

    `lanes` pairs a label with a schedule; `x` is a key of X_AXES. A logarithmic axis has no room
    for the final 0, which stands at the end of a linear one. Each trace carries its lane's index in
    `meta`, so that a page can give the lanes the colours of its own theme.
    """
    if x not in X_AXES:
        raise ValueError(f"x must be one of {', '.join(X_AXES)}; got {x!r}.")
    traces = [
        trace
        for lane, (label, schedule) in reversed(list(enumerate(lanes)))
        for trace in _lane_traces(lane, label, schedule, x, log_y)
    ]
    return go.Figure(data=traces, layout=_layout(x, log_y))


def _lane_traces(lane: int, label: str, schedule: "Schedule", x: str, log_y: bool) -> list[dict]:
    """One lane: its sigmas as a line, then what happens inside each step as markers."""
    steps = np.arange(schedule.steps)
    at = {"step": steps, "timestep": schedule.timestep, "log_sigma": schedule.sigma}[x]
    at_mid = {
        "step": steps[:-1] + 0.5,
        "timestep": schedule.timestep_mid,
        "log_sigma": schedule.sigma_mid,
    }[x]
    sigma, timestep = schedule.sigma, schedule.timestep
    if x == "step" and not log_y:
        at, sigma = np.append(at, schedule.steps), np.append(sigma, 0)
        timestep = np.append(timestep, np.nan)
    below = lane > 0  # equal schedules hide each other, so the first is drawn thin over the others
    line = {"width": 5 if below else 1.5}
    traces = [
        _trace(lane, label, "sigma", at, sigma, timestep, line=line, size=9 if below else 5),
        _trace(lane, label, "midpoint", at_mid, schedule.sigma_mid, schedule.timestep_mid),
    ]
    if schedule.sigma_up.any():
        landed = at[1 : schedule.steps]  # the last step lands at 0
        for name, values in (("sigma down", schedule.sigma_down), ("sigma up", schedule.sigma_up)):
            traces.append(_trace(lane, label, name, landed, values[:-1], schedule.timestep[1:]))
    return traces


def _trace(
    lane: int, label: str, name: str, x, y, timestep, line: dict | None = None, size: int = 7
) -> dict:
    """One scatter trace of the kind `name`; the hover says its numbers."""
    colour = LANE_COLOURS[lane % len(LANE_COLOURS)]
    trace = {
        "type": "scatter",
        "name": f"{label} {name}",
        "meta": {"lane": lane, "kind": name},
        "x": x,
        "y": y,
        "customdata": timestep,
        "mode": ("lines+markers" if line else "markers") if len(x) <= MANY else "lines",
        "marker": {"color": colour, "size": size, "symbol": SYMBOLS[name]},
        "opacity": 0.5 if line and lane else 1,
        "hovertemplate": f"{name} %{{y:.4g}}<br>timestep %{{customdata:.4g}}<extra>{label}</extra>",
    }
    line = line or {"width": 1, "dash": "dot"}
    return trace | {"line": line | {"color": colour}}


def _layout(x: str, log_y: bool) -> dict:
    """Fonts, margins and axes of every figure; the page's theme recolours it."""
    axis = {"zeroline": False, "gridcolor": "#e6e8eb", "linecolor": "#c4c9cf", "ticks": ""}
    horizontal = {"title": {"text": X_TITLES[x], "standoff": 8}}
    if x == "timestep":
        horizontal["autorange"] = "reversed"  # a run goes from much noise to none
    if x == "log_sigma":
        horizontal |= {"type": "log", "autorange": "reversed", "tickvals": LOG_TICKS}
    vertical = {"title": {"text": "Sigma", "standoff": 8}, "type": "log" if log_y else "linear"}
    if log_y:
        vertical["dtick"] = 1
    return {
        "template": "none",
        "font": {"family": FONT, "size": 12, "color": "#3c434a"},
        "margin": {"l": 52, "r": 12, "t": 8, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "xaxis": axis | horizontal,
        "yaxis": axis | vertical,
        "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "font": {"size": 11}},
        "hovermode": "closest",
        "dragmode": False,
        "uirevision": f"{x} {log_y}",
    }
