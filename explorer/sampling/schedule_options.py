"""All arguments that shape a schedule, except the betas of training, with their validation."""

import math
import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any

from explorer.sampling.betas import LARGEST_SIGMA, MOST_TIMESTEPS, SMALLEST_SIGMA, quoted, whole
from explorer.sampling.schedule_types import AYS_TABLES, SCHEDULE_TYPES
from explorer.sampling.spacings import INTERPOLATIONS, TIMESTEP_SPACINGS

FINAL_SIGMAS = ("zero", "sigma_min")
LARGEST = 1000.0  # of numbers without a natural limit
SMALLEST_RHO = 0.1  # below it sigma^(1/rho) may overflow
SMALLEST_RATIO = 0.01  # below it the two slopes of a step differ by float32's rounding alone


@dataclass(frozen=True)
class Number:
    """A finite number from `low` (excluded with `above`) to `high`."""

    low: float
    high: float
    above: bool = False

    def check(self, name: str, value: Any) -> float:
        number: Any = value if isinstance(value, Real) and not isinstance(value, bool) else math.nan
        if not self.low <= number <= self.high or (self.above and number == self.low):
            low, high = f"{self.low:g}", f"{self.high:g}"
            wanted = f"above {low} and at most {high}" if self.above else f"from {low} to {high}"
            raise ValueError(f"{name} must be a number {wanted}; got {quoted(value)}.")
        return float(value)


@dataclass(frozen=True)
class WholeNumber:
    """A whole number from `low` to `high`."""

    low: int
    high: int

    def check(self, name: str, value: object) -> int:
        return whole(name, value, self.low, self.high)


@dataclass(frozen=True)
class Choice:
    """One of the known names."""

    known: Collection[str]

    def check(self, name: str, value: object) -> str:
        if not isinstance(value, str) or value not in self.known:
            raise ValueError(f"{name} must be one of {', '.join(self.known)}; got {quoted(value)}.")
        return value


@dataclass(frozen=True)
class Flag:
    """True or False."""

    def check(self, name: str, value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False; got {quoted(value)}.")
        return value


def _option(default: Any, allowed: Number | WholeNumber | Choice | Flag) -> Any:
    """A field with its validation; one whose default is None may also be None."""
    return field(default=default, metadata={"allowed": allowed})


@dataclass(frozen=True, kw_only=True)
class ScheduleOptions:
    """The arguments of a schedule; None leaves the choice to the schedule type, or to the table.

    The schedulers' signature, the fields of a lane and the checks of configurations follow from
    these: a new argument starts here (CONTRIBUTING.md has all steps). Raises ValueError with a
    sentence that names the argument and its allowed values.
    """

    eta: float = _option(0.0, Number(0, 1))
    s_noise: float = _option(1.0, Number(0, LARGEST))
    s_churn: float = _option(0.0, Number(0, LARGEST))
    s_tmin: float = _option(0.0, Number(0, LARGEST_SIGMA))
    s_tmax: float | None = _option(None, Number(0, LARGEST_SIGMA))
    midpoint_ratio: float = _option(0.5, Number(SMALLEST_RATIO, 1))
    schedule_type: str = _option("automatic", Choice(SCHEDULE_TYPES))
    timestep_spacing: str = _option("linspace", Choice(TIMESTEP_SPACINGS))
    steps_offset: int = _option(0, WholeNumber(0, MOST_TIMESTEPS))
    rho: float | None = _option(None, Number(SMALLEST_RHO, LARGEST))
    alpha: float = _option(0.6, Number(0, LARGEST, above=True))
    beta: float = _option(0.6, Number(0, LARGEST, above=True))
    align_your_steps_table: str = _option("sd15", Choice(AYS_TABLES))
    sigma_min: float | None = _option(None, Number(SMALLEST_SIGMA, LARGEST_SIGMA))
    sigma_max: float | None = _option(None, Number(SMALLEST_SIGMA, LARGEST_SIGMA))
    final_sigmas_type: str = _option("zero", Choice(FINAL_SIGMAS))
    discard_penultimate_sigma: bool = _option(False, Flag())
    round_timesteps: bool | None = _option(None, Flag())
    interpolation_type: str | None = _option(None, Choice(INTERPOLATIONS))

    def __post_init__(self):
        if isinstance(self.s_tmax, Real) and self.s_tmax == math.inf:
            object.__setattr__(self, "s_tmax", None)
        for name, spec in OPTIONS.items():
            if (value := getattr(self, name)) is not None or spec.default is not None:
                object.__setattr__(self, name, spec.metadata["allowed"].check(name, value))
        if wrong := wrong_order(vars(self)):
            raise ValueError(wrong[1])


# An argument, how it must stand to another, and when it does not.
ORDERS = (
    ("s_tmax", "must be at least", "s_tmin", operator.lt),
    ("sigma_min", "must lie below", "sigma_max", operator.ge),
)


def wrong_order(
    arguments: Mapping[str, Any], label: Callable[[str], str] = str
) -> tuple[str, str] | None:
    """The argument that contradicts another, and a sentence that names both by their `label`.

    None where none does; an argument that is None has no limit.
    """
    for name, relation, other, is_wrong in ORDERS:
        value, bound = arguments[name], arguments[other]
        if value is not None and bound is not None and is_wrong(value, bound):
            return name, f"{label(name)} {relation} {label(other)}, {bound:g}; got {value:g}."
    return None


OPTIONS = {spec.name: spec for spec in fields(ScheduleOptions)}  # by name, in order
