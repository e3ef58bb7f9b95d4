"""DPM++ SDE's noise: a Brownian motion per picture, in a bounded amount of memory."""

import math
import warnings
from collections.abc import Sequence

import torch
import torchsde
from diffusers.schedulers.scheduling_dpmsolver_sde import DPMSolverSDEScheduler

# torchsde rounds the ends of its range to 1e-6; diffusers queries them unrounded, which works.
warnings.filterwarnings("ignore", "Should have t[ab][<>]=t[01]", UserWarning, "torchsde")

# A motion answers from the values next to those asked for. Those that it does not keep it computes
# again; the answers are the same to the bit. With 4 of them noise takes twice as long as with 45,
# torchsde's default, which take 35 MiB for each picture of 1272 x 824.
KEPT_BYTES = 16 * 2**20  # of all of a lane's pictures
KEPT_VALUES = 4, 45  # for each picture, at least and at most
TAKEN, BESIDE = 3, 8  # values in memory per kept value, and in addition to them, as measured


def kept_values(pictures: int, elements: int) -> int:
    """How many latents each of a lane's motions keeps, with one motion per picture.

    `elements` are the numbers in one latent, channels x height x width, kept in float32.
    """
    least, most = KEPT_VALUES
    return min(most, max(least, KEPT_BYTES // (4 * pictures * elements)))


def motion_bytes(pictures: int, elements: int) -> int:
    """The most memory that a lane's motions take, in bytes; arguments as for `kept_values`."""
    values = TAKEN * kept_values(pictures, elements) + BESIDE
    return 4 * pictures * elements * values


class BrownianNoise:
    """The noise of diffusers' `BrownianTreeNoiseSampler`, by the same library and seeds.

    One motion for each picture of `sample` (latents, pictures x channels x height x width) between
    the sigmas `low` and `high`, in `sample`'s dtype and on its device; one of `seeds` a picture.
    The idea is k-diffusion's; the motion is the virtual Brownian tree of Li et al. 2020,
    "Scalable Gradients for Stochastic Differential Equations".
    """

    def __init__(self, sample: torch.Tensor, low: float, high: float, seeds: Sequence[int]):
        kept = kept_values(len(seeds), math.prod(sample.shape[1:]))
        self.motions = [
            torchsde.BrownianInterval(
                t0=torch.as_tensor(low),
                t1=torch.as_tensor(high),
                size=sample.shape[1:],
                dtype=sample.dtype,
                device=sample.device,
                entropy=seed,
                tol=1e-6,
                pool_size=24,
                halfway_tree=True,
                cache_size=kept,
            )
            for seed in seeds
        ]

    def __call__(self, sigma: float, sigma_next: float) -> torch.Tensor:
        """Noise of unit variance, in the shape of the batch, for a step between two sigmas."""
        start, end = torch.as_tensor(sigma), torch.as_tensor(sigma_next)
        low, high, sign = (start, end, 1) if start < end else (end, start, -1)
        drawn = [torch.as_tensor(motion(low, high)) for motion in self.motions]
        return torch.stack(drawn) * sign / (end - start).abs().sqrt()


class BoundedNoiseSDEScheduler(DPMSolverSDEScheduler):
    """Diffusers' scheduler with noise in a bounded amount of memory.

    With `noise_device` "cpu" it is drawn there in float32, so it is the same on every device.
    Elsewhere it is drawn as diffusers does, where the latents are and in their dtype. The config's
    `noise_sampler_seed` is a list, one a picture.
    """

    noise_device = "cpu"
    noise_sampler_seed: list[int]

    def step(self, model_output, timestep, sample, return_dict=True, s_noise=1.0):
        if self.noise_sampler is None:
            levels = self.sigmas[self.sigmas > 0]
            drawn = torch.zeros(sample.shape) if self.noise_device == "cpu" else sample
            seeds = self.noise_sampler_seed
            noise = BrownianNoise(drawn, float(levels.min()), float(levels.max()), seeds)
            self.noise_sampler = lambda *between: noise(*between).to(sample)
        return super().step(model_output, timestep, sample, return_dict, s_noise)
