"""DPM2 and DPM2 a by the book, in float64: every option where its formula puts it, one step a time.

Written from the formulas, not from the schedulers: churn stands at the beginning of its step and
ancestral noise at the end, and each takes noise of its own.
"""

import math
from dataclasses import dataclass

import torch
from gaussian_data import Gaussian


@dataclass(frozen=True)
class TwoPoints(Gaussian):
    """Data at -1 and +1: a denoiser that is not linear."""

    def denoise(self, x, sigma):
        return torch.tanh(x / sigma**2)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One run's options, as numbers."""

    sigmas: list[float]  # of the steps, without the final one
    final: float = 0.0
    eta: float = 0.0
    s_noise: float = 1.0
    s_churn: float = 0.0
    s_tmin: float = 0.0
    s_tmax: float = math.inf
    ratio: float = 0.5

    def step_ends(self):
        """(sigma, the next one) of every step."""
        return list(zip(self.sigmas, [*self.sigmas[1:], self.final], strict=True))

    def hat(self, sigma):
        inside = self.s_tmin <= sigma <= self.s_tmax
        return sigma * (1 + inside * min(self.s_churn / len(self.sigmas), math.sqrt(2) - 1))

    def churn(self, sigma):
        """What is added before the step, but for s_noise."""
        return math.sqrt(self.hat(sigma) ** 2 - sigma**2)

    def split(self, a, b):
        up = min(b, self.eta * b * math.sqrt(1 - b**2 / a**2))
        return math.sqrt(b**2 - up**2), up

    def run(self, data, x, churn_noise, up_noise):
        """From a latent at sigmas[0]: the last latent, and (sigma, latent) of each model call."""
        calls = []

        def slope(x, sigma):
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

    def shared_noise(self, first, draws):
        """Noises for `run` that sum to those of a sampler which draws once a step.

        `first` is the noise of the first latent and `draws[i]` that of step i, both of spread 1.
        Returns (the latent at sigmas[0], churn_noise, up_noise).
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
