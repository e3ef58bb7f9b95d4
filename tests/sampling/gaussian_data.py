"""What the schedulers' tests share: the classes, their configs, and runs over exact data."""

import pytest
import torch

from explorer.lab.gaussian import Gaussian, TwoPoints, final, run
from explorer.sampling.schedulers import KDPM2AncestralDiscreteScheduler, KDPM2DiscreteScheduler

__all__ = ["CLASSES", "FLAGS", "SD", "Gaussian", "TwoPoints", "every_type", "final", "run"]

CLASSES = (KDPM2DiscreteScheduler, KDPM2AncestralDiscreteScheduler)
SD = {"beta_schedule": "scaled_linear"}
FLAGS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")
every_type = pytest.mark.parametrize(
    "config", [{}, *({flag: True} for flag in FLAGS)], ids=["automatic", *FLAGS]
)


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
