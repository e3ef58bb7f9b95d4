"""DPM2 and DPM2 a as in the papers, in float64: a reference implementation, step by step.

Written from the formulas, not from the schedulers: churn comes at the beginning of its step and
ancestral noise at the end, each with separate noise. docs/algorithm.md explains the loop.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch


class Denoiser(Protocol):
    """Anything that predicts the clean data of a noisy sample."""

    def denoise(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """Return the predicted clean data of `x`, of any shape, at noise level `sigma`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Method:
    """One run's options, as numbers; sigmas are noise levels in units of the data.

    The names and formulas are those of Karras et al. 2022, algorithm 2 (churn), of k-diffusion's
    `sample_dpm_2_ancestral` (eta, s_noise) and of Lu et al. 2022, DPM-Solver-2 (ratio).
    """

    sigmas: list[float]  # of the steps, without the final one
    final: float = 0.0
    eta: float = 0.0
    s_noise: float = 1.0
    s_churn: float = 0.0
    s_tmin: float = 0.0
    s_tmax: float = math.inf
    ratio: float = 0.5

    def step_ends(self) -> list[tuple[float, float]]:
        """Return (sigma, the next sigma) of every step."""
        return list(zip(self.sigmas, [*self.sigmas[1:], self.final], strict=True))

    def hat(self, sigma: float) -> float:
        """Return the noise level to which churn raises a step's sigma."""
        inside = self.s_tmin <= sigma <= self.s_tmax
        return sigma * (1 + inside * min(self.s_churn / len(self.sigmas), math.sqrt(2) - 1))

    def churn(self, sigma: float) -> float:
        """Return the standard deviation of the noise added before a step, but for s_noise."""
        return math.sqrt(self.hat(sigma) ** 2 - sigma**2)

    def split(self, a: float, b: float) -> tuple[float, float]:
        """Return (sigma_down, sigma_up) of the step from a to b."""
        up = min(b, self.eta * b * math.sqrt(1 - b**2 / a**2))
        return math.sqrt(b**2 - up**2), up

    def run(
        self,
        data: Denoiser,
        x: torch.Tensor,
        churn_noise: Sequence[torch.Tensor],
        up_noise: Sequence[torch.Tensor],
    ) -> tuple[torch.Tensor, list[tuple[float, torch.Tensor]]]:
        """Denoise `x`, a latent of any shape at `sigmas[0]`, to the final sigma.

        `churn_noise` and `up_noise` hold unit noise of the shape of `x`: one of N steps, and one of
        N-1. Returns the last latent, and (sigma, latent) of each of the 2N-1 model calls.
        """
        calls = []

        def slope(x: torch.Tensor, sigma: float) -> torch.Tensor:
            calls.append((sigma, x))
            return (x - data.denoise(x, sigma)) / sigma

        for i, (a, b) in enumerate(self.step_ends()):
            x = x + self.churn(a) * self.s_noise * churn_noise[i]
            a = self.hat(a)
            first = slope(x, a)
            if i == len(self.sigmas) - 1:
                x = x + (b - a) * first
                break
            down, up = self.split(a, b)
            middle = a ** (1 - self.ratio) * down**self.ratio
            second = slope(x + (middle - a) * first, middle)
            both = (1 - 1 / (2 * self.ratio)) * first + 1 / (2 * self.ratio) * second
            x = x + (down - a) * both + up * self.s_noise * up_noise[i]
        return x, calls

    def shared_noise(
        self, first: torch.Tensor, draws: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
        """Return noises for `run` that sum to those of a sampler that draws once per step.

        `first` is the noise of the first latent and `draws[i]` that of step i, N-1 of them, unit
        noise of one shape. Returns (the latent at sigmas[0], churn_noise, up_noise).
        """
        steps = self.step_ends()
        churn = [self.churn(a) for a in self.sigmas]
        spread = math.hypot(self.sigmas[0], self.s_noise * churn[0])
        x = first * (self.sigmas[0] ** 2 / spread)
        churn_noise = [first * (self.s_noise * churn[0] / spread)]
        up_noise = []
        for (a, b), after, draw in zip(steps[:-1], churn[1:], draws, strict=True):
            up = self.split(self.hat(a), b)[1]
            both = math.hypot(up, after)
            up_noise.append(draw * (up / both if both else 0.0))
            churn_noise.append(draw * (after / both if both else 0.0))
        return x, churn_noise, up_noise
