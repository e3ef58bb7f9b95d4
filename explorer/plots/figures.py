"""Curves to plotly figures; the only module that uses plotly. Pure functions, no torch.

A figure is a plain dict, plotly's JSON: creating plotly's objects would take ten times as long, so
tests validate the figures against plotly's schema instead. The page gives the lanes and the pins
the colours of its theme.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly

from explorer.plots.curves import QUANTITIES, SECOND_LINES, Curve, Quantity, Series, along
from explorer.plots.relative import Reference, ratio_ticks

X_AXES = {"step": "step", "timestep": "timestep", "log_sigma": "log sigma"}  # as a switch says it
X_TITLES = {"step": "Step", "timestep": "Timestep", "log_sigma": "Sigma, log scale"}
MANY = 200  # beyond this, no markers: they would hide each other, and take long
CROWDED = 24  # steps beyond which marks are smaller
LOG_TICKS = [digit * 10.0**power for power in range(-4, 6) for digit in (1, 2, 5)]
SYMBOLS = {  # of what is no line
    "midpoint": "diamond-open",
    "second call": "diamond-open",
    "sigma hat": "cross-thin-open",
}
WAYS = {"sigma down": "solid", "sigma up": "dot"}  # of lines from corner to corner, one a step
LEFT_OUT = "left out"  # the kind of the steps before those that a run makes
FONT = 'system-ui, -apple-system, "Segoe UI", sans-serif'

Trace = dict[str, Any]


def plotly_script() -> Path:
    """The plotly.js that the installed plotly package ships: the one its figures are made for."""
    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def schedule_figure(
    curves: Sequence[Curve],
    x: str = "step",
    log_y: bool = True,
    quantity: str = "sigma",
    base_steps: int | None = None,
    reference: Reference | None = None,
) -> dict[str, Any]:
    """Draw one quantity of all curves on one axis: the lanes' and, thin and under them, the pins'.

    `x` is a key of X_AXES, `quantity` one of QUANTITIES, which say whether `log_y` has an effect. A
    logarithmic axis has no room for the final 0, which stands at the end of a linear one. The steps
    before a curve's `first`, which a start picture leaves out, are a faint line; `base_steps`,
    where fewer than all, is the step that a refiner takes over at, counted from 0. With a
    `reference`, the first lane's line, everything is drawn relative to it. The `meta` of each trace
    holds its kind, its curve's lane or pin, and its first step, from 0. Raises ValueError for an
    unknown key.
    """
    for name, value, known in (("x", x, X_AXES), ("quantity", quantity, QUANTITIES)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}.")
    shows = QUANTITIES[quantity]
    log_y = log_y and shows.log
    lanes = [curve for curve in curves if curve.lane is not None]
    pins = [curve for curve in curves if curve.lane is None]
    drawn = {id(curve): list(_series(curve, shows, x, log_y, reference)) for curve in curves}

    traces = [_pin_trace(pin, drawn[id(pin)][0], shows, x) for pin in pins if drawn[id(pin)]]
    for index, lane in reversed(list(enumerate(lanes))):
        under = sum(_same_line(drawn[id(lane)], drawn[id(before)]) for before in lanes[:index])
        traces += _lane_traces(lane, drawn[id(lane)], shows, x, under)

    layout = _layout(x, log_y, shows, reference)
    if reference and log_y:
        shown = [series.values for each in drawn.values() for series in each]
        layout["yaxis"]["tickvals"] = ratio_ticks(np.concatenate([each.ravel() for each in shown]))
    layout["annotations"] = []
    if lanes and drawn[id(lanes[0])]:
        line = drawn[id(lanes[0])][0]
        beginnings = {"the run begins here": lanes[0].start, "the refiner takes over": base_steps}
        layout["annotations"] += [
            _note(text, step, line.rows(line.of == step), x, log_y)
            for text, step in beginnings.items()
            if step and step in line.of and step < lanes[0].steps
        ]
    if unknown := [lane.label for lane in lanes if not drawn[id(lane)]]:
        layout["annotations"].append(_remark(f"Not known of {', '.join(unknown)}."))
    return {"data": traces, "layout": layout}


def kinds_of(figure: dict[str, Any]) -> list[str]:
    """The kinds of lines and marks that a figure draws of its lanes, each once, in its order."""
    metas = [trace["meta"] for trace in figure["data"]]
    kinds = [meta["kind"] for meta in metas if "lane" in meta and meta["kind"] != LEFT_OUT]
    return list(dict.fromkeys(kinds))


def _series(
    curve: Curve, shows: Quantity, x: str, log_y: bool, reference: Reference | None
) -> Iterator[Series]:
    """The series of a curve without the points that the axes cannot show."""
    for series in shows.series(curve):
        if reference:
            series = series._replace(values=reference.relative(series, curve.steps))
        fits = np.isfinite(series.values) & np.isfinite(along(x, series.at))
        if log_y:
            fits &= series.values > 0
        if x == "log_sigma":
            fits &= series.at.sigma > 0
        if fits.ndim == 2:
            fits = fits.all(axis=1)
        if fits.any():
            yield series.rows(fits)


def _same_line(one: list[Series], other: list[Series]) -> bool:
    """Whether two curves' lines hide each other."""
    if not one or not other or len(one[0].values) != len(other[0].values):
        return False
    return np.allclose(one[0].values, other[0].values)


def _lane_traces(
    lane: Curve, drawn: list[Series], shows: Quantity, x: str, under: int
) -> list[Trace]:
    """One lane: its line, then what happens inside each step.

    Where the way inside each step is drawn, down and up again, it takes the place of the line. A
    line under `under` equal ones is wider by as much, so that all are visible.
    """
    first, traces = lane.start, []
    size, inside = (4, 5) if lane.steps > CROWDED else (5, 7)
    ways = any(series.kind in WAYS for series in drawn)
    for series in drawn:
        ran = series.rows(series.of >= first)
        style = {"mode": "markers", "marker": {"size": inside, "symbol": SYMBOLS.get(series.kind)}}
        if dash := WAYS.get(series.kind):
            style = {"mode": "lines", "line": {"width": 1.25, "dash": dash}}
        elif series.kind in SECOND_LINES:
            style = {"mode": "lines", "line": {"width": 1.25, "dash": "dot"}}
        elif series.kind not in SYMBOLS:
            style = {
                "mode": "markers" if ways else "lines+markers",
                "line": {"width": 1.5 + 3.5 * under},
                "marker": {"size": size + 4 * under},
                "opacity": 0.5 if under else 1,
            }
        if len(ran.values) > MANY and series.kind not in WAYS:
            style["mode"] = "lines"
        traces.append(_trace(lane, ran, shows, x) | style)
    if first and drawn:
        line = drawn[0]
        left_out = line.rows(line.of <= first)._replace(kind=LEFT_OUT)
        style = {"mode": "lines", "line": {"width": 1, "dash": "dot"}, "opacity": 0.5}
        traces.append(_trace(lane, left_out, shows, x) | style)
    return traces


def _pin_trace(pin: Curve, line: Series, shows: Quantity, x: str) -> Trace:
    """One pin: its line alone."""
    return _trace(pin, line, shows, x) | {"mode": "lines", "line": {"width": 1.25, "dash": "dash"}}


def _trace(curve: Curve, series: Series, shows: Quantity, x: str) -> Trace:
    """The properties that every trace has."""
    owner = {"pin": curve.pin} if curve.lane is None else {"lane": curve.lane}
    hover = f"%{{fullData.name}} %{{y:{shows.form}}}<br>{shows.formula}<extra></extra>"
    return {
        "type": "scatter",
        "name": _literal(f"{curve.label}: {series.kind}"),
        "meta": owner | {"kind": series.kind, "first": curve.start},
        "x": _numbers(along(x, series.at)),
        "y": _numbers(series.values),
        "hovertemplate": hover.replace("<br><extra>", "<extra>"),
    }


def _numbers(values: np.ndarray) -> list[float | None]:
    """Values as JSON has them; lines of several corners one after the other, with gaps between."""
    if values.ndim == 1:
        return values.tolist()
    return [each for line in values.tolist() for each in (*line, None)][:-1]


def _literal(text: str) -> str:
    """Plotly reads a little HTML in every text."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _note(text: str, step: int, there: Series, x: str, log_y: bool) -> dict:
    """Words above a step, counted from 0, of a lane's line, with an arrow down to it."""
    place, value = along(x, there.at)[0], there.values[0]
    return {
        "text": f"{text}: step {step + 1}",
        # annotations, unlike traces, are placed on a logarithmic axis by the logarithm
        "x": float(np.log10(place) if x == "log_sigma" else place),
        "y": float(np.log10(value) if log_y else value),
        "ax": 0,
        "ay": -34,
        "arrowhead": 0,
        "arrowwidth": 1,
        "standoff": 6,
    }


def _remark(text: str) -> dict:
    """Words at the right, above the lowest line."""
    place = {"x": 1, "y": 0.1, "xref": "paper", "yref": "paper", "xanchor": "right"}
    return place | {"text": _literal(text), "yanchor": "bottom", "showarrow": False}


def _layout(x: str, log_y: bool, shows: Quantity, reference: Reference | None) -> dict:
    """Fonts, margins and axes of every figure."""
    # "allow": Plotly measures every label anew for each label that it places; the page hides those
    # that would be cut (assets/page/plot/plot.js)
    axis = {"zeroline": False, "ticks": "", "ticklabeloverflow": "allow"}
    horizontal: dict[str, Any] = {"title": {"text": X_TITLES[x], "standoff": 8}}
    if x == "timestep":
        horizontal["autorange"] = "reversed"  # a run goes from high noise to none
    if x == "log_sigma":
        horizontal |= {"type": "log", "autorange": "reversed", "tickvals": LOG_TICKS}
    vertical = {"title": {"text": shows.title, "standoff": 8}, "type": "log" if log_y else "linear"}
    if log_y:
        vertical |= {"dtick": 1} if shows is QUANTITIES["sigma"] else {"tickvals": LOG_TICKS}
    if reference:
        horizontal["title"] |= {"text": reference.x_title(X_TITLES[x])}
        vertical = {"title": {"text": reference.y_title(shows.title), "standoff": 8}}
        vertical |= {"type": "log" if log_y else "linear"}
    elif shows.share:
        vertical |= {"range": [-0.03, 1.03], "dtick": 0.25, "tickformat": shows.ticks}
    return {
        "font": {"family": FONT, "size": 12},
        "margin": {"l": 52, "r": 12, "t": 8, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "xaxis": axis | horizontal,
        "yaxis": axis | vertical,
        "showlegend": False,  # the page has its own legend
        "hovermode": "closest",
        "dragmode": False,
        "uirevision": f"{shows.label} {x} {log_y} {bool(reference)}",
    }
