"""The clean latent from a network's prediction of noise, v, or the clean latent itself."""

import numpy as np
import torch


def clean_latent(
    output: torch.Tensor, x: torch.Tensor, sigma: float, prediction_type: str
) -> torch.Tensor:
    """Return x0 of x = x0 + sigma noise, for a network's output; both and the result of one shape.

    `prediction_type` "epsilon" is the noise, "v_prediction" is
    v = (noise - sigma x0) / sqrt(1 + sigma^2) (Salimans and Ho 2022), "sample" x0, which is
    returned as it is.
    """
    if prediction_type == "epsilon":
        return x - output * sigma
    if prediction_type == "v_prediction":
        scale = float(np.hypot(sigma, 1))
        return x / scale**2 - output * (sigma / scale)
    return output
