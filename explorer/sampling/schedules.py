"""Noise schedules as pure float64 functions: spacings, schedule types, and one table a run.

The variance-exploding convention throughout: a latent at noise level `sigma` is x0 + sigma * noise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from explorer.sampling.betas import training_betas, training_sigmas, whole

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


# --- between a sigma and a training timestep ------------------------------------------------------


def sigma_to_timestep(sigma: np.ndarray, training_sigma: np.ndarray) -> np.ndarray:
    """Return the fractional timesteps of `sigma`, log-linear between the training sigmas."""
    return np.interp(np.log(sigma), np.log(training_sigma), np.arange(len(training_sigma)))


def timestep_to_sigma(timestep: np.ndarray, training_sigma: np.ndarray) -> np.ndarray:
    """Return the sigmas of (fractional) timesteps, linear between the training sigmas."""
    return np.interp(timestep, np.arange(len(training_sigma)), training_sigma)


# --- spacings: which training timesteps a run visits (Lin et al. 2023, table 2), decreasing -------


def linspace(n: int, num_train_timesteps: int, steps_offset: int = 0) -> np.ndarray:
    """From the last training timestep to 0, both included; fractional; no offset."""
    return np.linspace(num_train_timesteps - 1, 0, n)


def leading(n: int, num_train_timesteps: int, steps_offset: int = 0) -> np.ndarray:
    """Multiples of T // n, moved up by the offset, or by as much of it as the table has room for.

    A single step starts at the last training timestep: there is nothing to lead.
    """
    last = num_train_timesteps - 1
    if n == 1:
        return np.array([float(last)])
    timesteps = np.arange(n - 1.0, -1, -1) * (num_train_timesteps // n)
    return timesteps + min(steps_offset, last - timesteps[0])


def trailing(n: int, num_train_timesteps: int, steps_offset: int = 0) -> np.ndarray:
    """Multiples of T / n, rounded, minus one; the last training timestep included; no offset."""
    # arange for its own rounding, which decides the ties as in diffusers; it may give one too many.
    return np.round(np.arange(num_train_timesteps, 0, -num_train_timesteps / n)[:n]) - 1


TIMESTEP_SPACINGS = {"linspace": linspace, "leading": leading, "trailing": trailing}


# --- schedule types: the sigmas of a run, decreasing, no trailing zero ---------------------------


def karras(n: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> np.ndarray:
    """Return n sigmas, evenly spaced in sigma^(1/rho) (Karras et al. 2022, eq. 5)."""
    return np.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), n) ** rho


def exponential(n: int, sigma_min: float, sigma_max: float) -> np.ndarray:
    """Return n sigmas, evenly spaced in log sigma."""
    return np.geomspace(sigma_max, sigma_min, n)


def beta(
    n: int, sigma_min: float, sigma_max: float, alpha: float = 0.6, beta: float = 0.6
) -> np.ndarray:
    """Return n sigmas at the quantiles of a beta distribution (Lee et al. 2024)."""
    from scipy.special import betaincinv

    return sigma_min + (sigma_max - sigma_min) * betaincinv(alpha, beta, np.linspace(1, 0, n))


def _between_ends(curve: Callable) -> Callable[[np.ndarray], np.ndarray]:
    return lambda spaced: curve(len(spaced), spaced[-1], spaced[0])


# Each takes the training sigmas at the spaced timesteps and returns as many sigmas.
SCHEDULE_TYPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "automatic": lambda spaced: spaced,
    "karras": _between_ends(karras),
    "exponential": _between_ends(exponential),
    "beta": _between_ends(beta),
}
SCHEDULE_FLAGS = {
    "karras": "use_karras_sigmas",
    "exponential": "use_exponential_sigmas",
    "beta": "use_beta_sigmas",
}
# Rounded as in diffusers: the network is then called at whole training timesteps.
WHOLE_TIMESTEPS = ("karras",)


# --- one step of the method ----------------------------------------------------------------------


def ancestral_split(
    sigma: np.ndarray, sigma_next: np.ndarray, eta: float
) -> tuple[np.ndarray, np.ndarray]:
    """Split the step sigma -> sigma_next into (sigma_down, sigma_up): denoise to, noise back by.

    sigma_down^2 + sigma_up^2 = sigma_next^2. Written in the ratio of the sigmas, so that nothing
    cancels: eta = 1 gives sigma_next^2 / sigma, eta = 0 gives sigma_next itself.
    """
    ratio = sigma_next / sigma
    up = np.minimum(1.0, eta * np.sqrt((1 - ratio) * (1 + ratio)))
    down = np.sqrt(np.maximum(0.0, (1 - eta**2) + (eta * ratio) ** 2))
    return sigma_next * down, sigma_next * up


def midpoint(sigma: np.ndarray, sigma_down: np.ndarray) -> np.ndarray:
    """Return the sigma half way in log sigma (Karras et al. 2022, algorithm 2; Lu et al. 2022)."""
    return np.sqrt(sigma * sigma_down)


@dataclass(frozen=True, eq=False)
class Schedule:
    """Everything a run of N steps will visit: float64 arrays, one row a step, read-only.

    Step i goes from `sigma[i]` by way of `sigma_mid[i]` to `sigma_down[i]`, and noise of
    `sigma_up[i]` lifts it to `sigma_next[i]`. The last step goes to 0 and has no midpoint.
    """

    sigma: np.ndarray  # N, decreasing
    sigma_next: np.ndarray  # N, the last is 0
    sigma_down: np.ndarray  # N, the last is 0
    sigma_up: np.ndarray  # N, the last is 0
    sigma_mid: np.ndarray  # N-1
    timestep: np.ndarray  # N
    timestep_mid: np.ndarray  # N-1
    training_beta: np.ndarray  # T
    training_sigma: np.ndarray  # T, increasing: the noise level of every training timestep
    eta: float
    init_noise_sigma: float  # the standard deviation of a run's first latent

    def __post_init__(self):
        for values in vars(self).values():
            if isinstance(values, np.ndarray):
                values.setflags(write=False)

    @property
    def steps(self) -> int:
        return len(self.sigma)

    @property
    def nfe(self) -> int:
        """Model calls: two a step, one for the last."""
        return 2 * self.steps - 1

    @cached_property
    def call_sigma(self) -> np.ndarray:
        """The noise level of the latent at each model call (2N-1)."""
        return _interleave(self.sigma, self.sigma_mid)

    @cached_property
    def call_timestep(self) -> np.ndarray:
        """The timestep that the model is given at each call (2N-1)."""
        return _interleave(self.timestep, self.timestep_mid)


def build(
    num_inference_steps: int,
    *,
    eta: float = 0.0,
    schedule_type: str = "automatic",
    timestep_spacing: str = "linspace",
    steps_offset: int = 0,
    beta_schedule: str = "linear",
    beta_start: float = 0.00085,
    beta_end: float = 0.012,
    trained_betas: Sequence[float] | np.ndarray | None = None,
    num_train_timesteps: int = 1000,
    rescale_betas_zero_snr: bool = False,
) -> Schedule:
    """Return the table of a run of `num_inference_steps` steps.

    Raises ValueError with a sentence that names the argument (NotImplementedError for an unknown
    `beta_schedule`).
    """
    _choice("schedule_type", schedule_type, SCHEDULE_TYPES)
    _choice("timestep_spacing", timestep_spacing, TIMESTEP_SPACINGS)
    offset = whole("steps_offset", steps_offset, 0)
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must lie from 0 to 1; got {eta}.")
    training_beta = training_betas(
        beta_schedule,
        beta_start,
        beta_end,
        trained_betas,
        num_train_timesteps,
        bool(rescale_betas_zero_snr),
    )
    training_sigma = training_sigmas(training_beta)
    steps = whole("num_inference_steps", num_inference_steps, 1, len(training_sigma))
    spaced = TIMESTEP_SPACINGS[timestep_spacing](steps, len(training_sigma), offset)
    sigma = SCHEDULE_TYPES[schedule_type](timestep_to_sigma(spaced, training_sigma))
    automatic = schedule_type == "automatic"
    timestep = spaced if automatic else sigma_to_timestep(sigma, training_sigma)
    if schedule_type in WHOLE_TIMESTEPS:
        timestep = np.round(timestep)

    sigma_next = np.append(sigma[1:], 0.0)
    sigma_down, sigma_up = ancestral_split(sigma, sigma_next, eta)
    sigma_mid = midpoint(sigma, sigma_down)[:-1]
    return Schedule(
        sigma=sigma,
        sigma_next=sigma_next,
        sigma_down=sigma_down,
        sigma_up=sigma_up,
        sigma_mid=sigma_mid,
        timestep=timestep,
        timestep_mid=sigma_to_timestep(sigma_mid, training_sigma),
        training_beta=training_beta,
        training_sigma=training_sigma,
        eta=float(eta),
        init_noise_sigma=_init_noise_sigma(sigma[0], timestep_spacing),
    )


def _init_noise_sigma(sigma_max: float, timestep_spacing: str) -> float:
    # Under leading the run starts below the last training timestep, where data still shows.
    return float(np.hypot(sigma_max, 1) if timestep_spacing == "leading" else sigma_max)


def _interleave(even: np.ndarray, odd: np.ndarray) -> np.ndarray:
    both = np.empty(len(even) + len(odd))
    both[0::2], both[1::2] = even, odd
    both.setflags(write=False)
    return both


def _choice(name: str, value: str, known) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}.")
