"""The noise of training as pure float64 functions: betas, zero terminal SNR, sigmas."""

import operator
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

# Beyond this sigma, alpha_bar = 1 / (1 + sigma^2) is no longer a normal float32 number.
LARGEST_SIGMA = float(np.finfo(np.float32).max) ** 0.5
SMALLEST_SIGMA = 1e-9  # so that sigma^2 / LARGEST_SIGMA, a fully ancestral step's end, is one
MOST_TIMESTEPS = 1_000_000
TERMINAL_ALPHA_BAR = 2.0**-24  # of betas rescaled to zero terminal SNR


def linear(start: float, end: float, n: int) -> np.ndarray:
    """Return n betas that grow linearly (Ho et al. 2020)."""
    return np.linspace(start, end, n)


def scaled_linear(start: float, end: float, n: int) -> np.ndarray:
    """Return n betas whose square roots grow linearly (Rombach et al. 2022, latent diffusion)."""
    return np.linspace(start**0.5, end**0.5, n) ** 2


def squaredcos_cap_v2(start: float, end: float, n: int) -> np.ndarray:
    """Return n betas of the cosine schedule, at most 0.999 (Nichol & Dhariwal 2021).

    It has no start and no end: those arguments only keep the signature uniform.
    """
    alpha_bar = np.cos((np.arange(n + 1) / n + 0.008) / 1.008 * np.pi / 2) ** 2
    return np.minimum(1 - alpha_bar[1:] / alpha_bar[:-1], 0.999)


BETA_SCHEDULES = {
    "linear": linear,
    "scaled_linear": scaled_linear,
    "squaredcos_cap_v2": squaredcos_cap_v2,
}


def training_betas(
    beta_schedule: str = "linear",
    beta_start: float = 0.00085,
    beta_end: float = 0.012,
    trained_betas: Sequence[float] | np.ndarray | None = None,
    num_train_timesteps: int = 1000,
    rescale_betas_zero_snr: bool = False,
) -> np.ndarray:
    """Return T noise variances of training, one a timestep; `trained_betas` override the rest.

    `rescale_betas_zero_snr` applies `zero_snr` to them.

    Raises ValueError, or NotImplementedError for an unknown `beta_schedule`, naming the argument.
    """
    if trained_betas is not None:
        betas, source = _listed_betas(trained_betas), "trained_betas"
    elif not isinstance(beta_schedule, str) or beta_schedule not in BETA_SCHEDULES:
        known = ", ".join(BETA_SCHEDULES)
        raise NotImplementedError(
            f"beta_schedule must be one of {known}; got {quoted(beta_schedule)}."
        )
    else:
        source = "beta_start and beta_end"
        for name, beta in (("beta_start", beta_start), ("beta_end", beta_end)):
            if not (isinstance(beta, Real) and 0 < beta < 1):
                raise ValueError(
                    f"{name} must be a number above 0 and below 1; got {quoted(beta)}."
                )
        steps = whole("num_train_timesteps", num_train_timesteps, 1, MOST_TIMESTEPS)
        betas = BETA_SCHEDULES[beta_schedule](beta_start, beta_end, steps)
    if not isinstance(rescale_betas_zero_snr, bool):
        raise ValueError(
            f"rescale_betas_zero_snr must be True or False; got {quoted(rescale_betas_zero_snr)}."
        )
    if rescale_betas_zero_snr:
        betas = zero_snr(betas)
    sigmas = training_sigmas(betas)
    if not (sigmas[-1] < LARGEST_SIGMA and np.all(np.diff(sigmas) > 0)):
        raise ValueError(
            f"{source} must give finite, growing sigmas over {len(betas)} training timesteps; "
            f"these end at sigma {sigmas[-1]:g}. Lower the betas or take fewer timesteps."
        )
    if sigmas[0] < SMALLEST_SIGMA:
        raise ValueError(
            f"{source} must give sigmas of at least {SMALLEST_SIGMA:g}; these begin at "
            f"{sigmas[0]:g}. Raise the first beta."
        )
    return betas


def zero_snr(betas: np.ndarray) -> np.ndarray:
    """Return T betas rescaled to end without signal (Lin et al. 2023, algorithm 1).

    sqrt(alpha_bar) is shifted to end at 0 and stretched to begin where it did. At 0 sigma would be
    infinite, so the last alpha_bar stays at 2^-24 (sigma 4096); where the one before is no more
    than that, at a quarter of it: sigmas must grow.
    """
    if len(betas) < 2:
        raise ValueError("rescale_betas_zero_snr needs at least 2 training timesteps; got 1.")
    signal = np.exp(np.cumsum(np.log1p(-betas)) / 2)
    alpha_bar = ((signal - signal[-1]) * signal[0] / (signal[0] - signal[-1])) ** 2
    alpha_bar[-1] = TERMINAL_ALPHA_BAR if alpha_bar[-2] > TERMINAL_ALPHA_BAR else alpha_bar[-2] / 4
    return np.append(betas[0], 1 - alpha_bar[1:] / alpha_bar[:-1])


def training_sigmas(betas: np.ndarray) -> np.ndarray:
    """Return sqrt((1 - alpha_bar) / alpha_bar) of T betas: T increasing sigmas, one per timestep.

    Accurate for tiny betas, too.
    """
    with np.errstate(over="ignore"):
        return np.sqrt(np.expm1(-np.cumsum(np.log1p(-betas))))


def _listed_betas(trained_betas) -> np.ndarray:
    try:
        betas = np.array(trained_betas, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("trained_betas must be a list of numbers between 0 and 1.") from None
    if betas.ndim != 1 or not betas.size:
        raise ValueError(f"trained_betas must be a list of numbers; got the shape {betas.shape}.")
    for position in np.flatnonzero(~((betas > 0) & (betas < 1)))[:1]:
        raise ValueError(
            "trained_betas must all lie above 0 and below 1; "
            f"number {position + 1} is {betas[position]:g}."
        )
    return betas


def whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return a whole number as an int; raises ValueError, naming the argument, for others."""
    wanted = f"at least {low}" if high is None else f"{low} to {high}"
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1  # not a whole number
    fits = low <= number and (high is None or number <= high)
    if isinstance(value, bool) or not fits:
        raise ValueError(f"{name} must be a whole number, {wanted}; got {quoted(value)}.")
    return number


def quoted(value: object) -> str:
    """A wrong value, shortened for a sentence."""
    return repr(value)[:40]
