"""The padded tables of diffusers' KDPM2 classes, for code that reads them."""

import numpy as np
import torch

from explorer.sampling.schedules import Schedule


class PaddedTables:
    """Read-only views of a schedule as 2N+2 float32 values on the host; no NaN, no infinity."""

    schedule: Schedule
    # Where diffusers stores a midpoint in `sigmas_interpol`: with the next sigma, or the previous.
    _midpoint_leads_to = False

    @property
    def init_noise_sigma(self) -> torch.Tensor:
        """Standard deviation of the first latent, of shape (): sigma_max, more under leading."""
        return torch.tensor(self.schedule.init_noise_sigma, dtype=torch.float32)

    @property
    def sigmas(self) -> torch.Tensor:
        """The steps' sigmas: s0, s1, s1, ..., s_{N-1}, s_{N-1}, then the final one, 0, thrice."""
        return _doubled(self.schedule.sigma, [self.schedule.final_sigma])

    @property
    def sigmas_interpol(self) -> torch.Tensor:
        """The midpoints, 2N+2 values; 0 where there is none, or sigma_max in front."""
        if self._midpoint_leads_to:
            return _doubled(self.schedule.sigma[:1], self.schedule.sigma_mid, [0.0])
        return _doubled(self.schedule.sigma_mid, [0.0, 0.0])

    @property
    def sigmas_down(self) -> torch.Tensor:
        """The sigmas that the steps denoise to (2N+2 values)."""
        return _doubled(self.schedule.sigma_down, [0.0])

    @property
    def sigmas_up(self) -> torch.Tensor:
        """The noise that the steps add (2N+2 values)."""
        return _doubled(self.schedule.sigma_up, [0.0])

    @property
    def log_sigmas(self) -> torch.Tensor:
        """The logarithms of the training sigmas (T values)."""
        return float32(np.log(self.schedule.training_sigma))


def float32(values: np.ndarray) -> torch.Tensor:
    """Return values of any shape as a float32 tensor that shares no memory with them."""
    return torch.from_numpy(values.astype(np.float32))


def _doubled(*parts) -> torch.Tensor:
    """The first value once, the others twice, the last thrice."""
    values = np.concatenate(parts)
    return float32(np.concatenate([values[:1], values[1:].repeat(2), values[-1:]]))
