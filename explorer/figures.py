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
X_AXES = {"step": "Step", "timestep": "Timestep", "log_sigma": "log sigma"}
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
        for lane, (label, schedule) in enumerate(lanes)
        for trace in _lane_traces(lane, label, schedule, x, log_y)
    ]
    return go.Figure(data=traces, layout=_layout(x, log_y))


def _lane_traces(lane: int, label: str, schedule: "Schedule", x: str, log_y: bool) -> list[dict]:
    """One lane: its sigmas as a line, then what happens inside a step as markers."""
    steps = np.arange(schedule.steps)
    at = _abscissas(schedule, x)
    final = [] if log_y or x != "step" else [0.0]
    style = {"lane": lane, "label": label, "steps": schedule.steps}
    traces = [
        _trace(
            style,
            "σ",
            np.append(at["sigma"], [schedule.steps] * len(final)),
            np.append(schedule.sigma, final),
            np.append(schedule.timestep, [np.nan] * len(final)),
            half=0,
            mode="lines+markers" if schedule.steps <= 200 else "lines",
            marker={"size": 6},
            line={"width": 1.5},
        ),
        _trace(
            style,
            "σ mid",
            at["mid"],
            schedule.sigma_mid,
            schedule.timestep_mid,
            half=1,
            mode="markers",
            marker={"size": 6, "symbol": "diamond-open"},
        ),
    ]
    if not schedule.sigma_up.any():
        return traces
    landing = steps[:-1]  # the last step goes straight to 0
    for name, sigma, symbol in (
        ("σ down", schedule.sigma_down, "triangle-down-open"),
        ("σ up", schedule.sigma_up, "triangle-up-open"),
    ):
        traces.append(
            _trace(
                style,
                name,
                at["sigma"][1:],
                sigma[landing],
                schedule.timestep[1:],
                half=0,
                mode="markers",
                marker={"size": 7, "symbol": symbol},
                opacity=0.75,
            )
        )
    return traces


def _abscissas(schedule: "Schedule", x: str) -> dict[str, np.ndarray]:
    """Where the sigmas and the midpoints stand on the axis `x`."""
    if x == "step":
        steps = np.arange(schedule.steps, dtype=float)
        return {"sigma": steps, "mid": steps[:-1] + 0.5}
    if x == "timestep":
        return {"sigma": schedule.timestep, "mid": schedule.timestep_mid}
    return {"sigma": schedule.sigma, "mid": schedule.sigma_mid}


def _trace(style: dict, name: str, x, y, timestep, *, half: int, **look) -> dict:
    """One scatter trace; `half` says whether its points lie within a step or at its start."""
    colour = LANE_COLOURS[style["lane"] % len(LANE_COLOURS)]
    done = [f"{step}½" if half else f"{step}" for step in range(len(x))]
    if name in ("σ down", "σ up"):
        done = [f"{step + 1}" for step in range(len(x))]
    facts = [
        f"{steps} of {style['steps']} steps done"
        + (f"<br>timestep {t:.4g}" if np.isfinite(t) else "")
        for steps, t in zip(done, timestep, strict=True)
    ]
    look["marker"] = {"color": colour} | look["marker"]
    if "line" in look:
        look["line"] = {"color": colour} | look["line"]
    return {
        "type": "scatter",
        "name": f"{style['label']} {name}",
        "meta": {"lane": style["lane"]},
        "legendgroup": str(style["lane"]),
        "x": x,
        "y": y,
        "text": facts,
        "hovertemplate": f"{name} %{{y:.4g}}<br>%{{text}}<extra>{style['label']}</extra>",
    } | look


def _layout(x: str, log_y: bool) -> dict:
    """Fonts, margins and axes of every figure; the page's theme recolours it."""
    axis = {"zeroline": False, "gridcolor": "#e6e8eb", "linecolor": "#c4c9cf", "ticks": ""}
    horizontal = {"title": {"text": X_AXES[x], "standoff": 8}}
    if x == "timestep":
        horizontal["autorange"] = "reversed"  # a run goes from much noise to none
    if x == "log_sigma":
        horizontal |= {"type": "log", "autorange": "reversed"}
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
