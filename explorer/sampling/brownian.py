"""DPM++ SDE's noise where the run's other noise is drawn: on the CPU, whatever computes."""

import warnings

import torch
from diffusers.schedulers.scheduling_dpmsolver_sde import (
    BrownianTreeNoiseSampler,
    DPMSolverSDEScheduler,
)

# torchsde rounds the ends of its range to 1e-6, diffusers asks at them unrounded, and is answered.
warnings.filterwarnings("ignore", "Should have t[ab][<>]=t[01]", UserWarning, "torchsde")


class HostNoiseSDEScheduler(DPMSolverSDEScheduler):
    """Diffusers' scheduler with the same noise on every device, in float32.

    Diffusers draws on the device of the latents, in their dtype; on a CPU in float32 this is that.
    """

    def step(self, model_output, timestep, sample, return_dict=True, s_noise=1.0):
        if self.noise_sampler is None:
            levels = self.sigmas[self.sigmas > 0]
            ends = float(levels.min()), float(levels.max())
            shape = torch.zeros(sample.shape)
            motion = BrownianTreeNoiseSampler(shape, *ends, self.noise_sampler_seed)
            self.noise_sampler = lambda *between: motion(*between).to(sample)
        return super().step(model_output, timestep, sample, return_dict, s_noise)
