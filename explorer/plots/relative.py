"""Curves relative to one lane's line: the ratio to it, or the difference from it, at the same x."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

import numpy as np

from explorer.plots.curves import SECOND_LINES, Curve, Quantity, Series, along

FEW_TIMES, MANY_TIMES = 3, 60  # the largest ratio by the smallest, for labels in even steps, or all


class ReferenceJSON(TypedDict):
    """A reference for a page: values `y` at increasing places `x`.

    A place is a step, a timestep or ln sigma; with `share` it is a share of the run. `ratio` says
    that values are divided by them, which between two places follow the logarithm, else they are
    subtracted.
    """

    x: list[float]
    y: list[float]
    ratio: bool
    share: bool


@dataclass(frozen=True, eq=False)
class Reference:
    """One lane's line of a quantity, to which others are drawn relative.

    A quantity with a logarithmic scale is compared by ratios, others by differences. Others are
    compared at the same step, timestep or sigma, as `x` says; by step, where `others` have not all
    as many steps, at the same share of the run. Between its points the line is interpolated.
    """

    curve: Curve
    quantity: Quantity
    x: str
    others: tuple[Curve, ...] = ()

    @cached_property
    def by_share(self) -> bool:
        """Whether lanes of different lengths are compared by step."""
        return self.x == "step" and any(each.steps != self.curve.steps for each in self.others)

    @cached_property
    def lines(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """(places, values) by kind, n values each; the places increase. Empty if not known."""
        lines = {}
        for series in self.quantity.series(self.curve):
            if lines and series.kind not in SECOND_LINES:
                continue
            places, values = self._places(series, self.curve.steps), series.values
            fits = np.isfinite(places) & np.isfinite(values)
            if self.quantity.log:
                fits &= values > 0
            order = np.argsort(places[fits], kind="stable")
            lines[series.kind] = places[fits][order], values[fits][order]
        return lines

    @property
    def _line(self) -> tuple[np.ndarray, np.ndarray]:
        return next(iter(self.lines.values()), (np.empty(0), np.empty(0)))

    def relative(self, series: Series, steps: int) -> np.ndarray:
        """Return a series' values relative to the line, of their shape; NaN beyond its ends.

        A second line is compared with that of its kind. `steps` is the number of steps of the lane
        that the series is of.
        """
        places, values = self.lines.get(series.kind, self._line)
        if not len(places):
            return np.full(np.shape(series.values), np.nan)
        ratio = self.quantity.log
        known = np.log(values) if ratio else values
        there = np.interp(self._places(series, steps), places, known, left=np.nan, right=np.nan)
        return series.values / np.exp(there) if ratio else series.values - there

    def _places(self, series: Series, steps: int) -> np.ndarray:
        if self.by_share:
            return (series.at.step - 1) / steps
        if self.x == "log_sigma":
            with np.errstate(divide="ignore"):
                return np.log(series.at.sigma)
        return along(self.x, series.at)

    def y_title(self, title: str) -> str:
        """The y axis's title, from that of the quantity alone."""
        return f"{title} / A's" if self.quantity.log else f"{title} minus A's"

    def x_title(self, title: str) -> str:
        """The x axis's title, which says where lanes are compared."""
        if self.by_share:
            return f"{title}; A interpolated at the same share of its run"
        return f"{title} (A's at the same step)" if self.x == "step" else f"{title}; A interpolated"

    def to_json(self) -> ReferenceJSON:
        """The reference as plain JSON."""
        places, values = self._line
        return {
            "x": places.tolist(),
            "y": values.tolist(),
            "ratio": self.quantity.log,
            "share": self.by_share,
        }


def ratio_ticks(ratios: np.ndarray) -> list[float]:
    """Return where a logarithmic axis of ratios, n values above 0, is labelled.

    Plotly's own labels of less than a few decades are bare digits.
    """
    low, high = float(ratios.min()), float(ratios.max())
    if high / low > MANY_TIMES:
        return [digit * 10.0**power for power in range(-9, 10) for digit in (1, 2, 5)]
    if high / low > FEW_TIMES:
        return [digit * 10.0**power for power in range(-3, 3) for digit in (1, 1.5, 2, 3, 5, 7)]
    rough = max(high - low, 1e-6) / 4
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= rough)
    first, last = np.floor(low / step), np.ceil(high / step)
    return [round(float(at * step), 9) for at in np.arange(first, last + 1) if at > 0]
