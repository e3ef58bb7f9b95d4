"""The lines of the sigma plot as numbers: levels, step sizes and noise of a table of calls.

One record, `Curve`, describes a lane's schedule, a lane of which only the calls are known, or a
pinned schedule; a `Quantity` says what is drawn. No plotly, no torch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from explorer.sampling.calls import CallTable
from explorer.sampling.schedules import Schedule

SECOND_LINES = ("new since the start",)  # beside a curve's own line


class Points(NamedTuple):
    """The positions of some model calls: float64 arrays of equal length; steps count from 1."""

    step: np.ndarray  # plus 0.5 for a call inside a step
    timestep: np.ndarray
    sigma: np.ndarray

    def rows(self, which) -> "Points":
        return Points(*(column[which] for column in self))


def along(x: str, points: Points) -> np.ndarray:
    """Return where points stand on an axis, "step", "timestep" or "log_sigma": of their shape."""
    return points.sigma if x == "log_sigma" else getattr(points, x)


class Series(NamedTuple):
    """One trace: its kind, its positions, its values, and the step of each.

    Arrays of n rows; where they have a second dimension, each row is a line of its own, and its
    columns are that line's corners.
    """

    kind: str
    at: Points
    values: np.ndarray
    of: np.ndarray  # n, from 0: the step that makes the value, so that a start can be cut off

    def rows(self, which) -> "Series":
        return Series(self.kind, self.at.rows(which), self.values[which], self.of[which])


@dataclass(frozen=True, eq=False)
class Curve:
    """One line of the plot, and the events inside its steps.

    `first_calls` has a row for each step, `second_calls` one for each step with two model calls.
    Noise arrays are None if unknown. A curve belongs to a lane or is a pin; the other of the two is
    None.
    """

    label: str
    first_calls: Points  # N
    second_calls: Points  # at most N
    sigma_end: float  # the end of the last step
    lane: int | None = None
    pin: str | None = None
    sigma_down: np.ndarray | None = None  # N: what each step denoises to
    sigma_up: np.ndarray | None = None  # N: the noise that raises it to the next sigma
    noise: np.ndarray | None = None  # N: all the noise added after each step, including churn's
    sigma_hat: np.ndarray | None = None  # N: the sigma to which churn raises each step's sigma
    start: int = 0  # the run's first step, from 0; earlier ones are left out
    inside: str = "midpoint"  # the role of a call inside a step

    @property
    def steps(self) -> int:
        return len(self.first_calls.step)


def curve_of(table: Schedule | CallTable, label: str, **owner: Any) -> Curve:
    """The curve of a lane or a pin, which `owner` names, and its first step.

    For a table of calls the noise is not known.
    """
    if isinstance(table, CallTable):
        step = table.step + 1 + 0.5 * table.second_call
        points = Points(step, table.timestep, table.sigma)
        first, second = points.rows(~table.second_call), points.rows(table.second_call)
        return Curve(label, first, second, table.sigma_end, inside="second call", **owner)
    step = np.arange(1.0, table.steps + 1)  # from 1, as progress counts
    return Curve(
        label,
        first_calls=Points(step, table.timestep, table.sigma),
        second_calls=Points(step[:-1] + 0.5, table.timestep_mid, table.sigma_mid),
        sigma_end=table.final_sigma,
        sigma_down=table.sigma_down,
        sigma_up=table.sigma_up,
        noise=table.noise,
        sigma_hat=table.sigma_hat,
        **owner,
    )


# --- what is drawn of a curve --------------------------------------------------------------------


def log_snr(sigma: np.ndarray) -> np.ndarray:
    """Return the log signal-to-noise ratio -2 ln sigma (Kingma et al. 2021); infinite at 0.

    `sigma` is an array of any shape, in units of the data; the result has its shape.
    """
    with np.errstate(divide="ignore"):
        return -2 * np.log(sigma)


def alpha_bar(sigma: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + sigma^2): the share of the signal in the variance (Ho et al. 2020).

    `sigma` is an array of any shape, in units of the data; the result has its shape.
    """
    return 1 / (1 + np.square(sigma))


def step_size(curve: Curve) -> np.ndarray:
    """Return ln(sigma_i / sigma_{i+1}) of every step, N values: its length for the solver.

    The last step is infinite where it goes to 0.
    """
    sigma_next = np.append(curve.first_calls.sigma[1:], curve.sigma_end)
    with np.errstate(divide="ignore"):
        return np.log(curve.first_calls.sigma / sigma_next)


def new_noise(curve: Curve) -> np.ndarray:
    """Return the share of the latent's noise that each step draws anew.

    noise^2 / (sigma_down^2 + noise^2), variances: what the step leaves of the noise is sigma_down.
    Without churn and at s_noise = 1 that is sigma_up^2 / sigma_next^2. One value a step, 0 in one
    without noise; the curve's noise must be known.
    """
    assert curve.noise is not None and curve.sigma_down is not None
    drawn = np.square(curve.noise)
    total = np.square(curve.sigma_down) + drawn
    return np.divide(drawn, total, out=np.zeros_like(total), where=total > 0)


def noise_since_start(curve: Curve) -> np.ndarray:
    """Return the share of the latent's noise, after each step, that was drawn during the run.

    1 - prod_{j <= i} (1 - new_noise_j), from the step that the run begins at: denoising shrinks
    what is left of the start noise by sigma_down / sigma, and new noise is added to it.
    """
    kept = 1 - new_noise(curve)
    kept[: curve.start] = 1
    return 1 - np.cumprod(kept)


def _levels(kind: str, of_sigma: Callable) -> Callable[[Curve], Iterator[Series]]:
    """Series of a quantity that depends on sigma only: of steps, then of the calls inside them."""

    def series(curve: Curve) -> Iterator[Series]:
        # The end has no call, hence no timestep: it is only on the axis of steps.
        end = Points(*map(np.append, curve.first_calls, (curve.steps + 1, np.nan, curve.sigma_end)))
        yield Series(kind, end, of_sigma(end.sigma), np.arange(curve.steps + 1))
        if len(curve.second_calls.step):
            inside = np.floor(curve.second_calls.step).astype(int) - 1
            yield Series(
                curve.inside, curve.second_calls, of_sigma(curve.second_calls.sigma), inside
            )

    return series


def _sigmas(curve: Curve) -> Iterator[Series]:
    yield from _levels("sigma", lambda sigma: sigma)(curve)
    down, up = curve.sigma_down, curve.sigma_up
    if down is not None and up is not None and up.any():
        yield _way_down(curve, down)
        yield _way_up(curve, down)
    if curve.sigma_hat is not None and (lifted := curve.sigma_hat > curve.first_calls.sigma).any():
        steps = np.arange(curve.steps)
        yield Series("sigma hat", curve.first_calls, curve.sigma_hat, steps).rows(lifted)


def _way_down(curve: Curve, down: np.ndarray) -> Series:
    """From each step's first call by its midpoint to sigma_down: what the model takes away.

    It lands where the next step begins. The last step is left out: it goes to the end of the line.
    """
    first, inside = curve.first_calls, curve.second_calls
    hat = first.sigma if curve.sigma_hat is None else curve.sigma_hat
    begins, lands = first.rows(slice(None, -1)), first.rows(slice(1, None))
    at = Points(*(np.stack(each, axis=1) for each in zip(begins, inside, lands, strict=True)))
    values = np.stack([hat[:-1], inside.sigma, down[:-1]], axis=1)
    return Series("sigma down", at, values, np.arange(curve.steps - 1))


def _way_up(curve: Curve, down: np.ndarray) -> Series:
    """From sigma_down up to the next sigma: the noise of each step, whose deviation is sigma_up."""
    lands = curve.first_calls.rows(slice(1, None))
    at = Points(*(np.stack([each, each], axis=1) for each in lands))
    values = np.stack([down[:-1], lands.sigma], axis=1)
    return Series("sigma up", at, values, np.arange(curve.steps - 1))


def _step_sizes(curve: Curve) -> Iterator[Series]:
    yield Series("step size", curve.first_calls, step_size(curve), np.arange(curve.steps))


def _noise(curve: Curve) -> Iterator[Series]:
    if curve.noise is not None:
        yield _landing("new in this step", curve, new_noise(curve))
        yield _landing("new since the start", curve, noise_since_start(curve))


def _landing(kind: str, curve: Curve, values: np.ndarray) -> Series:
    """Values at the end of each step; of the last one only the end would be left."""
    return Series(
        kind, curve.first_calls.rows(slice(1, None)), values[:-1], np.arange(curve.steps - 1)
    )


@dataclass(frozen=True)
class Quantity:
    """A quantity on the plot's y axis: its labels, its series, and its scales."""

    label: str  # as a switch says it
    title: str  # of the axis
    series: Callable[[Curve], Iterator[Series]]
    formula: str  # for the hover
    log: bool = False  # has a logarithmic scale, and compares by ratios
    share: bool = False  # lies from 0 to 1
    form: str = ".4g"  # of a number, as d3 writes it
    ticks: str = ""  # of those at the axis


QUANTITIES = {
    "sigma": Quantity("sigma", "Sigma", _sigmas, "", log=True),
    "log_snr": Quantity("log SNR", "log SNR", _levels("log SNR", log_snr), "−2 ln sigma"),
    "alpha_bar": Quantity(
        "alpha-bar",
        "alpha-bar",
        _levels("alpha-bar", alpha_bar),
        "1 / (1 + sigma²)",
        share=True,
    ),
    "step_size": Quantity(
        "step size",
        "Step in log sigma",
        _step_sizes,
        "ln(sigma / next sigma)",
        log=True,
    ),
    "noise": Quantity(
        "noise",
        "New noise",
        _noise,
        "noise² / (sigma down² + noise²) in a step",
        share=True,
        form=".1%",
        ticks=".0%",
    ),
}
