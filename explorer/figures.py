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
X_TITLES = {"step": "Step", "timestep": "Timestep", "log_sigma": "Sigma, log scale"}
MANY = 200  # more points than that are a line: markers would hide each other, and take their time
LOG_TICKS = [digit * 10.0**power for power in range(-4, 6) for digit in (1, 2, 5)]
SYMBOLS = {
    "sigma": "circle",
    "midpoint": "diamond-open",
    "sigma down": "triangle-down-open",
    "sigma up": "triangle-up-open",
    "left out": "circle",
}
FONT = 'system-ui, -apple-system, "Segoe UI", sans-serif'


def plotly_script() -> Path:
    """The plotly.js that the installed plotly package ships: the one its figures are made for."""
    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def schedule_figure(
    lanes: Sequence[tuple[str, "Schedule"]],
    x: str = "step",
    log_y: bool = True,
    first_step: int = 0,
    base_steps: int | None = None,
) -> go.Figure:
    """Draw the schedules of all lanes on one axis: sigmas, midpoints, sigma_down and sigma_up.

    `lanes` pairs a label with a schedule; `x` is a key of X_AXES. A logarithmic axis has no room
    for the final 0, which stands at the end of a linear one. The steps before `first_step`, which a
    start picture leaves out, are a faint line; `base_steps`, where fewer than all, is the step that
    a refiner takes over at, counted from 0. Each trace carries its lane's index in `meta`, so that
    a page can give the lanes the colours of its own theme.
    """
    if x not in X_AXES:
        raise ValueError(f"x must be one of {', '.join(X_AXES)}; got {x!r}.")
    traces = [
        trace
        for lane, (label, schedule) in reversed(list(enumerate(lanes)))
        for trace in _lane_traces(lane, label, schedule, x, log_y, first_step)
    ]
    beginnings = {"the run begins here": first_step, "the refiner takes over": base_steps or 0}
    layout = _layout(x, log_y)
    layout["annotations"] = [
        _note(text, step, lanes[0][1], x, log_y)
        for text, step in beginnings.items()
        if 0 < step < lanes[0][1].steps
    ]
    return go.Figure(data=traces, layout=layout)


def _lane_traces(
    lane: int, label: str, schedule: "Schedule", x: str, log_y: bool, first: int
) -> list[dict]:
    """One lane: its sigmas as a line, then what happens inside each step as markers."""
    whole = np.arange(1, schedule.steps + 1)  # steps count from 1, as progress does
    columns = ("step", "timestep", "log_sigma")
    at = dict(zip(columns, (whole, schedule.timestep, schedule.sigma), strict=True))
    halves = (whole[:-1] + 0.5, schedule.timestep_mid, schedule.sigma_mid)
    at_mid = dict(zip(columns, halves, strict=True))

    sigma = {"x": at[x], "y": schedule.sigma, "text": _facts(whole, schedule.timestep)}
    if x == "step" and not log_y:
        end = {"x": schedule.steps + 1, "y": 0.0, "text": "the end"}
        sigma = {key: np.append(values, end[key]) for key, values in sigma.items()}
    middle = {"x": at_mid[x], "y": schedule.sigma_mid, "text": _facts(*halves[:2])}
    points = {"sigma": sigma, "midpoint": middle}
    if schedule.sigma_up.any():
        landing = {"x": at[x][1:], "text": _facts(whole, schedule.timestep)[1:]}
        points["sigma down"] = landing | {"y": schedule.sigma_down[:-1]}
        points["sigma up"] = landing | {"y": schedule.sigma_up[:-1]}
    if first:
        skipped = {key: values[: first + 1] for key, values in sigma.items()}
        points = {
            kind: {key: values[first:] for key, values in data.items()}
            for kind, data in points.items()
        } | {"left out": skipped}
    return [_trace(lane, label, kind, data) for kind, data in points.items()]


def _note(text: str, step: int, schedule: "Schedule", x: str, log_y: bool) -> dict:
    """Words above a step, counted from 0, of a lane's line, with an arrow down to it."""
    at = {"step": step + 1, "timestep": schedule.timestep[step], "log_sigma": schedule.sigma[step]}
    sigma = schedule.sigma[step]
    return {
        "text": f"{text}: step {step + 1}",
        # annotations, unlike traces, stand on a logarithmic axis by the logarithm
        "x": float(np.log10(at[x]) if x == "log_sigma" else at[x]),
        "y": float(np.log10(sigma) if log_y else sigma),
        "ax": 0,
        "ay": -34,
        "arrowhead": 0,
        "arrowwidth": 1,
        "standoff": 6,
    }


def _facts(steps: np.ndarray, timesteps: np.ndarray) -> list[str]:
    return [
        f"step {step:g}<br>timestep {timestep:.4g}"
        for step, timestep in zip(steps, timesteps, strict=True)
    ]


def _trace(lane: int, label: str, kind: str, data: dict) -> dict:
    """One scatter trace; the first lane's thin lines stay visible over the others' broad ones."""
    colour = LANE_COLOURS[lane % len(LANE_COLOURS)]
    line = {"width": 1, "dash": "dot"}
    marker = {"size": 7, "symbol": SYMBOLS[kind]}
    mode = "markers"
    if kind == "sigma":
        line = {"width": 5 if lane else 1.5}
        marker["size"] = 9 if lane else 5
        mode = "lines+markers"
    if kind == "left out":
        mode = "lines"
    return data | {
        "type": "scatter",
        "name": f"{label} {kind}",
        "meta": {"lane": lane, "kind": kind},
        "mode": mode if len(data["x"]) <= MANY else "lines",
        "line": line | {"color": colour},
        "marker": marker | {"color": colour},
        "opacity": 0.5 if kind == "left out" or (kind == "sigma" and lane) else 1,
        "hovertemplate": f"{label}: {kind} %{{y:.4g}}<br>%{{text}}<extra></extra>",
    }


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
        "hoverlabel": {"bgcolor": "#ffffff", "font": {"color": "#15181c"}},
        "hovermode": "closest",
        "dragmode": False,
        "uirevision": f"{x} {log_y}",
    }
