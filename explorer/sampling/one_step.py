"""One step of the method as pure functions of its sigmas: the split, the midpoint, the churn."""

import numpy as np

MOST_CHURN = 2**0.5 - 1  # Karras et al. 2022: more noise than the latent has is never added


def ancestral_split(
    sigma: np.ndarray, sigma_next: np.ndarray, eta: float
) -> tuple[np.ndarray, np.ndarray]:
    """Split the step sigma -> sigma_next: denoise to sigma_down, add noise of sigma_up.

    Returns (sigma_down, sigma_up). Arrays of one shape, a value per step, in units of the data.
    sigma_down^2 + sigma_up^2 = sigma_next^2. Computed from the ratio of the sigmas, so that nothing
    cancels: eta = 1 gives sigma_next^2 / sigma, eta = 0 gives sigma_next itself.
    """
    ratio = sigma_next / sigma
    up = np.minimum(1.0, eta * np.sqrt((1 - ratio) * (1 + ratio)))
    down = np.sqrt(np.maximum(0.0, (1 - eta**2) + (eta * ratio) ** 2))
    return sigma_next * down, sigma_next * up


def midpoint(sigma: np.ndarray, sigma_down: np.ndarray, ratio: float = 0.5) -> np.ndarray:
    """Return sigma^(1-r) sigma_down^r: the point at the fraction `ratio` in log sigma.

    Arrays of one shape, a value per step, in units of the data. r = 1/2 is Karras et al. 2022,
    algorithm 2; the general r is DPM-Solver-2's (Lu et al. 2022).
    """
    if ratio == 0.5:
        return np.sqrt(sigma * sigma_down)
    return sigma ** (1 - ratio) * sigma_down**ratio


def churned(
    sigma: np.ndarray, s_churn: float, s_tmin: float = 0.0, s_tmax: float | None = None
) -> np.ndarray:
    """Return sigma_hat = sigma (1 + gamma) of each step (Karras et al. 2022, algorithm 2).

    gamma is s_churn / N, at most sqrt(2) - 1, where s_tmin <= sigma <= s_tmax, and 0 elsewhere.
    """
    inside = (sigma >= s_tmin) & (sigma <= (np.inf if s_tmax is None else s_tmax))
    return sigma * (1 + np.where(inside, min(s_churn / len(sigma), MOST_CHURN), 0.0))
