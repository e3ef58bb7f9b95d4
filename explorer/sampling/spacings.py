"""The training timesteps that a run visits, and conversion between timesteps and sigmas."""

import numpy as np

# --- between a sigma and a training timestep ------------------------------------------------------

INTERPOLATIONS = ("linear", "log_linear")


def sigma_to_timestep(sigma: np.ndarray, training_sigma: np.ndarray) -> np.ndarray:
    """Return the fractional timesteps of `sigma`, log-linear between the training sigmas.

    `sigma` has any shape, as the result; `training_sigma` are T increasing values.
    A sigma beyond the table has the timestep of the table's end.
    """
    return np.interp(np.log(sigma), np.log(training_sigma), np.arange(len(training_sigma)))


def timestep_to_sigma(
    timestep: np.ndarray, training_sigma: np.ndarray, interpolation: str = "linear"
) -> np.ndarray:
    """Return the sigmas of (fractional) timesteps, between the training sigmas.

    `timestep` has any shape, as the result; `training_sigma` are T increasing values.
    "linear" in sigma, as diffusers does, or "log_linear" as k-diffusion's `t_to_sigma`.
    """
    at = np.arange(len(training_sigma))
    if interpolation == "log_linear":
        whole = np.floor(timestep) == timestep  # a training sigma itself, to the last bit
        between = np.exp(np.interp(timestep, at, np.log(training_sigma)))
        return np.where(whole, np.interp(timestep, at, training_sigma), between)
    return np.interp(timestep, at, training_sigma)


# --- spacings (Lin et al. 2023, table 2), decreasing ---------------------------------------------


def linspace(n: int, num_train_timesteps: int, steps_offset: int = 0) -> np.ndarray:
    """Return n timesteps from the last of training to 0, both included; fractional; no offset."""
    return np.linspace(num_train_timesteps - 1, 0, n)


def leading(n: int, num_train_timesteps: int, steps_offset: int = 0) -> np.ndarray:
    """Return n timesteps: multiples of T // n, moved up by the offset, as far as there is room.

    A single step starts at the last training timestep.
    """
    last = num_train_timesteps - 1
    if n == 1:
        return np.array([float(last)])
    timesteps = np.arange(n - 1.0, -1, -1) * (num_train_timesteps // n)
    return timesteps + min(steps_offset, last - timesteps[0])


def trailing(n: int, num_train_timesteps: int, steps_offset: int = 0) -> np.ndarray:
    """Return n timesteps: multiples of T / n, rounded, minus one; the last included; no offset."""
    # arange, because its rounding decides ties as in diffusers; it may give one too many.
    return np.round(np.arange(num_train_timesteps, 0, -num_train_timesteps / n)[:n]) - 1


TIMESTEP_SPACINGS = {"linspace": linspace, "leading": leading, "trailing": trailing}


# --- spacings that are schedule types of their own -----------------------------------------------


def sgm_uniform(n: int, num_train_timesteps: int) -> np.ndarray:
    """Return n timesteps, even from the last to 0, which is left out (A1111, ComfyUI)."""
    return np.linspace(num_train_timesteps - 1, 0, n + 1)[:-1]


def simple(n: int, num_train_timesteps: int) -> np.ndarray:
    """Whole training timesteps, every (T/n)-th from the last down (ComfyUI's simple_scheduler)."""
    return num_train_timesteps - 1.0 - np.floor(np.arange(n) * (num_train_timesteps / n))
