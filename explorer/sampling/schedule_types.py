"""Schedule types: pure functions that return the sigmas of a run, decreasing, no trailing zero."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.sampling.spacings import TIMESTEP_SPACINGS, sgm_uniform, simple, timestep_to_sigma

if TYPE_CHECKING:  # that module imports this one
    from explorer.sampling.schedule_options import ScheduleOptions

RHO = 7.0  # Karras et al. 2022
DEFAULT_RHO = {"karras": RHO, "polyexponential": 1.0}

# Sigmas of ten steps that minimise an upper bound of the discretisation error
# (Sabour et al. 2024, Align Your Steps).
AYS_TABLES = {
    "sd15": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
    "sdxl": (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
}


def karras(n: int, sigma_min: float, sigma_max: float, rho: float = RHO) -> np.ndarray:
    """Return n sigmas, evenly spaced in sigma^(1/rho) (Karras et al. 2022, eq. 5)."""
    return np.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), n) ** rho


def exponential(n: int, sigma_min: float, sigma_max: float) -> np.ndarray:
    """Return n sigmas, evenly spaced in log sigma."""
    return np.geomspace(sigma_max, sigma_min, n)


def polyexponential(n: int, sigma_min: float, sigma_max: float, rho: float = 1.0) -> np.ndarray:
    """Return n sigmas whose logarithm is a polynomial of degree rho; 1 is exponential.

    k-diffusion's `get_sigmas_polyexponential`.
    """
    low, high = np.log(sigma_min), np.log(sigma_max)
    return np.exp(np.linspace(1, 0, n) ** rho * (high - low) + low)


def beta(
    n: int, sigma_min: float, sigma_max: float, alpha: float = 0.6, beta: float = 0.6
) -> np.ndarray:
    """Return n sigmas at the quantiles of a beta distribution (Lee et al. 2024)."""
    from scipy.special import betaincinv

    return sigma_min + (sigma_max - sigma_min) * betaincinv(alpha, beta, np.linspace(1, 0, n))


def kl_optimal(n: int, sigma_min: float, sigma_max: float) -> np.ndarray:
    """Return n sigmas with evenly spaced arc tangents (Sabour et al. 2024).

    The n-th step ends at sigma_min, which is not among them.
    """
    part = np.arange(n) / n
    # The angle from a right one: in the angle itself a huge sigma_max would lose its digits.
    return 1 / np.tan(part * np.arctan(1 / sigma_min) + (1 - part) * np.arctan(1 / sigma_max))


def align_your_steps(n: int, table: str = "sd15") -> np.ndarray:
    """Return n sigmas, log-linear between those of AYS_TABLES[table] (Sabour et al. 2024)."""
    levels = np.log(AYS_TABLES[table])
    return np.exp(np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(levels)), levels))


@dataclass(frozen=True, eq=False)
class ScheduleContext:
    """The inputs of a schedule type: the training sigmas and the options."""

    training_sigma: np.ndarray
    options: "ScheduleOptions"

    def spaced(self, n: int) -> np.ndarray:
        """The n timesteps of the timestep spacing."""
        spacing = TIMESTEP_SPACINGS[self.options.timestep_spacing]
        return spacing(n, len(self.training_sigma), self.options.steps_offset)

    def ends(self, n: int) -> tuple[float, float]:
        """(sigma_min, sigma_max) from the options, or else from the spaced timesteps, as in
        diffusers.

        Raises ValueError if they are in the wrong order.
        """
        low, high = self.options.sigma_min, self.options.sigma_max
        spaced = timestep_to_sigma(self.spaced(n)[[-1, 0]], self.training_sigma)
        ends = float(spaced[0] if low is None else low), float(spaced[1] if high is None else high)
        lowest = self.training_sigma[0] if n == 1 and low is None else ends[0]
        if lowest >= ends[1] and (low, high) != (None, None):
            raise ValueError(
                f"sigma_min must lie below sigma_max; with these settings they are {lowest:.4g} "
                f"and {ends[1]:.4g}."
            )
        return ends


@dataclass(frozen=True, eq=False)
class ScheduleType:
    """One way to choose a run's noise levels: by training timesteps, or by sigmas.

    `continuous` ones go from sigma_max to sigma_min. `flag` is diffusers' argument for it.
    """

    label: str
    sigmas: Callable[[int, ScheduleContext], np.ndarray] | None = None
    timesteps: Callable[[int, ScheduleContext], np.ndarray] | None = None
    interpolation: str = "linear"  # from timesteps to sigmas
    continuous: bool = False
    flag: str | None = None
    whole_timesteps: bool = False  # as diffusers calls the network

    def points(self, n: int, context: ScheduleContext) -> tuple[np.ndarray, np.ndarray | None]:
        """n sigmas, and their timesteps if the type goes by timesteps."""
        if self.sigmas is not None:
            return self.sigmas(n, context), None
        assert self.timesteps is not None, f"{self.label} has neither sigmas nor timesteps"
        timesteps = self.timesteps(n, context)
        interpolation = context.options.interpolation_type or self.interpolation
        return timestep_to_sigma(timesteps, context.training_sigma, interpolation), timesteps


SCHEDULE_TYPES: dict[str, ScheduleType] = {
    "automatic": ScheduleType("Automatic", timesteps=lambda n, context: context.spaced(n)),
    "karras": ScheduleType(
        "Karras",
        lambda n, context: karras(
            n, *context.ends(n), context.options.rho or DEFAULT_RHO["karras"]
        ),
        continuous=True,
        flag="use_karras_sigmas",
        whole_timesteps=True,
    ),
    "exponential": ScheduleType(
        "Exponential",
        lambda n, context: exponential(n, *context.ends(n)),
        continuous=True,
        flag="use_exponential_sigmas",
    ),
    "polyexponential": ScheduleType(
        "Polyexponential",
        lambda n, context: polyexponential(
            n, *context.ends(n), context.options.rho or DEFAULT_RHO["polyexponential"]
        ),
        continuous=True,
    ),
    "beta": ScheduleType(
        "Beta",
        lambda n, context: beta(n, *context.ends(n), context.options.alpha, context.options.beta),
        continuous=True,
        flag="use_beta_sigmas",
    ),
    "sgm_uniform": ScheduleType(
        "SGM Uniform",
        timesteps=lambda n, context: sgm_uniform(n, len(context.training_sigma)),
        interpolation="log_linear",
    ),
    "simple": ScheduleType(
        "Simple", timesteps=lambda n, context: simple(n, len(context.training_sigma))
    ),
    "kl_optimal": ScheduleType(
        "KL Optimal", lambda n, context: kl_optimal(n, *context.ends(n)), continuous=True
    ),
    "align_your_steps": ScheduleType(
        "Align Your Steps",
        lambda n, context: align_your_steps(n, context.options.align_your_steps_table),
    ),
}
SCHEDULE_FLAGS = {key: kind.flag for key, kind in SCHEDULE_TYPES.items() if kind.flag}
