"""Data with an exactly known optimal denoiser, and a loop that runs a scheduler on it."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from explorer.sampling.arrays import tensor
from explorer.sampling.schedulers import KDPM2Scheduler, KDPM2SchedulerOutput

Step = tuple[float, torch.Tensor, KDPM2SchedulerOutput]


@dataclass(frozen=True)
class Gaussian:
    """Independent normal numbers of this mean and standard deviation; every formula is exact."""

    mean: float = 0.3
    std: float = 0.5

    def denoise(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """Return the mean of the posterior of x, of any shape, at noise level sigma."""
        return (self.std**2 * x + sigma**2 * self.mean) / (self.std**2 + sigma**2)

    def solution(self, x: torch.Tensor, sigma: float, sigma_end: float) -> torch.Tensor:
        """Return x, of any shape, moved by the probability flow from sigma to sigma_end.

        Karras et al. 2022, eq. 1, solved for normal data.
        """
        shrink = ((self.std**2 + sigma_end**2) / (self.std**2 + sigma**2)) ** 0.5
        return self.mean + (x - self.mean) * shrink

    def output(self, x: torch.Tensor, sigma: float, prediction_type: str) -> torch.Tensor:
        """Return the output of a perfect network of this prediction type for x, in the shape of x.

        v = alpha * noise - beta * x0, with alpha^2 + beta^2 = 1 (Salimans & Ho 2022).
        """
        denoised = self.denoise(x, sigma)
        if prediction_type == "epsilon":
            return (x - denoised) / sigma
        if prediction_type == "v_prediction":
            alpha = 1 / (1 + sigma**2) ** 0.5
            return alpha * (x - denoised) / sigma - alpha * sigma * denoised
        return denoised


@dataclass(frozen=True)
class TwoPoints(Gaussian):
    """Data at -1 and +1: a denoiser that is not linear."""

    def denoise(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """Return the mean of the posterior of x, of any shape, at noise level sigma."""
        return torch.tanh(x / sigma**2)


def run(
    scheduler: KDPM2Scheduler,
    data: Gaussian,
    x: torch.Tensor,
    generator: torch.Generator | None = None,
    calls: int | None = None,
) -> Iterator[Step]:
    """Run a prepared `scheduler` over `data` from x, a batch of any shape (batch first).

    Yields (sigma, x before the call, the step's output) of each model call, of all by default.
    """
    for t in scheduler.timesteps[:calls]:
        scheduler.scale_model_input(x, t)
        sigma = float(scheduler.schedule.call_sigma[scheduler.step_index])
        answer = data.output(x, sigma, scheduler.config["prediction_type"])
        output = scheduler.step(answer, t, x, generator=generator)
        assert isinstance(output, KDPM2SchedulerOutput)
        yield sigma, x, output
        x = tensor(output.prev_sample)


def final(
    scheduler: KDPM2Scheduler,
    data: Gaussian,
    x: torch.Tensor,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Return the sample at the end of a run from x, in the shape of x."""
    *_, (_, _, output) = run(scheduler, data, x, generator)
    return tensor(output.prev_sample)
