"""A run's steps as a custom list of sigmas or timesteps: validated, and converted to arrays."""

from collections.abc import Sequence

import numpy as np

from explorer.sampling.betas import LARGEST_SIGMA, SMALLEST_SIGMA

MOST = 1000  # steps


def custom_sigmas(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return N sigmas, decreasing, as float64; a 0 at the end, which is implied, is left out.

    Raises ValueError that points at the first value that will not do.
    """
    sigmas = _numbers("sigmas", values)
    if len(sigmas) > 1 and sigmas[-1] == 0:
        sigmas = sigmas[:-1]
    _check_range("sigmas", sigmas, SMALLEST_SIGMA, LARGEST_SIGMA, " (a 0 may stand at the end)")
    return _falling("sigmas", sigmas)


def custom_timesteps(values: Sequence[float] | np.ndarray, num_train_timesteps: int) -> np.ndarray:
    """Return N timesteps, decreasing, 0 to T-1, possibly fractional, as float64.

    Raises ValueError that points at the first value that will not do.
    """
    timesteps, last = _numbers("timesteps", values), num_train_timesteps - 1
    _check_range("timesteps", timesteps, 0, last)
    return _falling("timesteps", timesteps)


def _numbers(name: str, values: Sequence[float] | np.ndarray) -> np.ndarray:
    if detach := getattr(values, "detach", None):
        # A tensor: numpy has no bfloat16, some devices have no float64.
        values = detach().cpu().double().numpy()
    try:
        if np.asarray(values).dtype.kind not in "iufO":  # text, too, could be made numbers
            raise TypeError
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a list of decreasing numbers.") from None
    if numbers.ndim != 1:
        raise ValueError(f"{name} must be a plain list of numbers; got the shape {numbers.shape}.")
    if not 1 <= len(numbers) <= MOST + 1:
        raise ValueError(f"{name} must hold 1 to {MOST:,} values; got {len(numbers):,}.")
    return numbers


def _check_range(name: str, values: np.ndarray, low: float, high: float, but: str = "") -> None:
    for position in np.flatnonzero(~((values >= low) & (values <= high)))[:1]:
        raise ValueError(
            f"{name} must all be from {low:g} to {high:g}{but}; "
            f"number {position + 1} is {values[position]:g}."
        )


def _falling(name: str, values: np.ndarray) -> np.ndarray:
    for position in np.flatnonzero(~(np.diff(values) < 0))[:1]:
        raise ValueError(
            f"{name} must decrease; number {position + 2} is {values[position + 1]:g}, after "
            f"{values[position]:g}."
        )
    if len(values) > MOST:
        raise ValueError(f"{name} must hold 1 to {MOST:,} values; got {len(values):,}.")
    return values
