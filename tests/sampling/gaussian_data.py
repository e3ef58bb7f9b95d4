"""Gaussian data: its exact denoiser, its exact trajectories, and a loop that runs a scheduler."""

from dataclasses import dataclass

import pytest
import torch

from explorer.sampling.schedulers import KDPM2AncestralDiscreteScheduler, KDPM2DiscreteScheduler

CLASSES = (KDPM2DiscreteScheduler, KDPM2AncestralDiscreteScheduler)
SD = {"beta_schedule": "scaled_linear"}
FLAGS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")
every_type = pytest.mark.parametrize(
    "config", [{}, *({flag: True} for flag in FLAGS)], ids=["automatic", *FLAGS]
)


@dataclass(frozen=True)
class Gaussian:
    """Independent normal numbers; every formula below is exact."""

    mean: float = 0.3
    std: float = 0.5

    def denoise(self, x, sigma):
        """The best guess of the clean number: the mean of the posterior."""
        return (self.std**2 * x + sigma**2 * self.mean) / (self.std**2 + sigma**2)

    def solution(self, x, sigma, sigma_end):
        """Where the probability flow takes x, from sigma to sigma_end (Karras et al. 2022)."""
        shrink = ((self.std**2 + sigma_end**2) / (self.std**2 + sigma**2)) ** 0.5
        return self.mean + (x - self.mean) * shrink

    def output(self, x, sigma, prediction_type):
        """What a perfect network of this prediction type would say."""
        denoised = self.denoise(x, sigma)
        if prediction_type == "epsilon":
            return (x - denoised) / sigma
        if prediction_type == "v_prediction":
            # v = alpha * noise - beta * x0, with alpha^2 + beta^2 = 1 (Salimans & Ho 2022).
            alpha = 1 / (1 + sigma**2) ** 0.5
            return alpha * (x - denoised) / sigma - alpha * sigma * denoised
        return denoised


def run(scheduler, data, x, generator=None, calls=None):
    """Run `scheduler` over `data` from x; yields (sigma, x before the call, the step's output)."""
    for t in scheduler.timesteps[:calls]:
        scheduler.scale_model_input(x, t)
        sigma = float(scheduler.schedule.call_sigma[scheduler.step_index])
        answer = data.output(x, sigma, scheduler.config.prediction_type)
        output = scheduler.step(answer, t, x, generator=generator)
        yield sigma, x, output
        x = output.prev_sample


def final(scheduler, data, x, generator=None):
    """The sample at the end of the run."""
    return [output for *_, output in run(scheduler, data, x, generator)][-1].prev_sample


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def ready(cls, steps=6, **config):
    """A scheduler that is about to run."""
    scheduler = cls(**config)
    scheduler.set_timesteps(steps)
    return scheduler


def start(scheduler, *shape, dtype=torch.float64):
    """Pure noise at the run's first level."""
    return (noise(*(shape or (2, 4, 8, 8))) * scheduler.schedule.sigma[0]).to(dtype)
