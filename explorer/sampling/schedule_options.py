"""Every argument that shapes a schedule, beside the betas of training: said once, checked once."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from numbers import Real

from explorer.sampling.betas import LARGEST_SIGMA, MOST_TIMESTEPS, SMALLEST_SIGMA, shown, whole
from explorer.sampling.schedule_types import AYS_TABLES, SCHEDULE_TYPES
from explorer.sampling.spacings import INTERPOLATIONS, TIMESTEP_SPACINGS

FINAL_SIGMAS = ("zero", "sigma_min")
LARGEST = 1000.0  # of numbers that have no natural end
SMALLEST_RHO = 0.1  # below it sigma^(1/rho) may overflow
SMALLEST_RATIO = 0.01  # below it the two slopes of a step differ by float32's rounding alone


@dataclass(frozen=True, kw_only=True)
class ScheduleOptions:
    """The arguments of a schedule; None leaves a choice to the schedule type, or to the table.

    Raises ValueError with a sentence that names the argument and what it may be.
    """

    eta: float = 0.0
    s_noise: float = 1.0
    s_churn: float = 0.0
    s_tmin: float = 0.0
    s_tmax: float | None = None
    midpoint_ratio: float = 0.5
    schedule_type: str = "automatic"
    timestep_spacing: str = "linspace"
    steps_offset: int = 0
    rho: float | None = None
    alpha: float = 0.6
    beta: float = 0.6
    align_your_steps_table: str = "sd15"
    sigma_min: float | None = None
    sigma_max: float | None = None
    final_sigmas_type: str = "zero"
    discard_penultimate_sigma: bool = False
    round_timesteps: bool | None = None
    interpolation_type: str | None = None

    def __post_init__(self):
        self._number("eta", 0, 1)
        self._number("s_noise", 0, LARGEST)
        self._number("s_churn", 0, LARGEST)
        self._number("s_tmin", 0, LARGEST_SIGMA)
        if isinstance(self.s_tmax, Real) and self.s_tmax == math.inf:
            object.__setattr__(self, "s_tmax", None)
        self._number("s_tmax", 0, LARGEST_SIGMA, optional=True)
        if self.s_tmax is not None and self.s_tmax < self.s_tmin:
            raise ValueError(
                f"s_tmax must be at least s_tmin, {self.s_tmin:g}; got {self.s_tmax:g}."
            )
        self._number("midpoint_ratio", SMALLEST_RATIO, 1)
        self._number("rho", SMALLEST_RHO, LARGEST, optional=True)
        self._number("alpha", 0, LARGEST, above=True)
        self._number("beta", 0, LARGEST, above=True)
        self._number("sigma_min", SMALLEST_SIGMA, LARGEST_SIGMA, optional=True)
        self._number("sigma_max", SMALLEST_SIGMA, LARGEST_SIGMA, optional=True)
        if None not in (self.sigma_min, self.sigma_max) and self.sigma_min >= self.sigma_max:
            raise ValueError(
                f"sigma_min must lie below sigma_max, {self.sigma_max:g}; got {self.sigma_min:g}."
            )
        self._choice("schedule_type", SCHEDULE_TYPES)
        self._choice("timestep_spacing", TIMESTEP_SPACINGS)
        self._choice("align_your_steps_table", AYS_TABLES)
        self._choice("final_sigmas_type", FINAL_SIGMAS)
        self._choice("interpolation_type", INTERPOLATIONS, optional=True)
        self._flag("discard_penultimate_sigma")
        self._flag("round_timesteps", optional=True)
        offset = whole("steps_offset", self.steps_offset, 0, MOST_TIMESTEPS)
        object.__setattr__(self, "steps_offset", offset)

    def _number(
        self, name: str, low: float, high: float, *, above: bool = False, optional: bool = False
    ) -> None:
        """Store a finite float from `low` (with `above` not itself) to `high`."""
        value = getattr(self, name)
        if value is None and optional:
            return
        fits = isinstance(value, Real) and not isinstance(value, bool)
        if not (fits and low <= value <= high and not (above and value == low)):
            wanted = f"above {low:g} and at most {high:g}" if above else f"from {low:g} to {high:g}"
            raise ValueError(f"{name} must be a number {wanted}; got {shown(value)}.")
        object.__setattr__(self, name, float(value))

    def _choice(self, name: str, known: Collection[str], *, optional: bool = False) -> None:
        value = getattr(self, name)
        if (value is None and optional) or (isinstance(value, str) and value in known):
            return
        raise ValueError(f"{name} must be one of {', '.join(known)}; got {shown(value)}.")

    def _flag(self, name: str, *, optional: bool = False) -> None:
        value = getattr(self, name)
        if not (isinstance(value, bool) or (value is None and optional)):
            raise ValueError(f"{name} must be True or False; got {shown(value)}.")
