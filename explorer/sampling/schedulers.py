"""DPM2 and DPM2 a as diffusers schedulers: one method, two leaves that hold data only.

Drop-in for diffusers' classes of the same names: the same config keys, tables and methods, so that
`from_config`, `save_pretrained` and any pipeline work both ways.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from diffusers import ConfigMixin, SchedulerMixin
from diffusers.configuration_utils import register_to_config
from diffusers.schedulers.scheduling_utils import KarrasDiffusionSchedulers
from diffusers.utils import BaseOutput

from explorer.sampling import samplers, schedules
from explorer.sampling.betas import training_betas
from explorer.sampling.counting import CallCounter, to_host
from explorer.sampling.noise import drawn
from explorer.sampling.tables import PaddedTables, float32

Array = torch.Tensor | np.ndarray


@dataclass
class KDPM2SchedulerOutput(BaseOutput):
    """What one call of `step` returns: the next latent, and the clean latent as predicted here."""

    prev_sample: Array
    pred_original_sample: Array | None = None


class KDPM2Scheduler(CallCounter, PaddedTables, SchedulerMixin, ConfigMixin):
    """The method of both samplers: a midpoint step in log sigma, split by the sampler's `eta`.

    A step is two model calls, the last is one: N steps are 2N-1 calls. A run that begins at a
    midpoint goes on from there by Euler's method to the end of that step. Arithmetic is float32
    (float64 for float64 samples); the coefficients are float64 and stay on the host.

    Arguments are those of diffusers' KDPM2 schedulers, in their order. `trained_betas` replace the
    beta schedule, and their number replaces `num_train_timesteps`. One more, by keyword only:
    `rescale_betas_zero_snr` rescales the betas to end without signal (Lin et al. 2023, algorithm
    1) but for an alpha_bar of 2^-24, a sigma of 4096, at the last timestep.

    Raises ValueError with a sentence that names the argument (NotImplementedError for an unknown
    `beta_schedule`).
    """

    sampler: ClassVar[samplers.Sampler]
    order = 2
    _compatibles: ClassVar[list[str]] = [kind.name for kind in KarrasDiffusionSchedulers]

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.00085,
        beta_end: float = 0.012,
        beta_schedule: str = "linear",
        trained_betas: np.ndarray | list[float] | None = None,
        use_karras_sigmas: bool | None = False,
        use_exponential_sigmas: bool | None = False,
        use_beta_sigmas: bool | None = False,
        prediction_type: str = "epsilon",
        timestep_spacing: str = "linspace",
        steps_offset: int = 0,
        *,
        rescale_betas_zero_snr: bool = False,
    ):
        flags = {flag: bool(self.config[flag]) for flag in schedules.SCHEDULE_FLAGS.values()}
        if sum(flags.values()) > 1:
            chosen = " and ".join(flag for flag, on in flags.items() if on)
            raise ValueError(f"Only one schedule type can be used at a time; got {chosen}.")
        if prediction_type not in schedules.PREDICTION_TYPES:
            known = ", ".join(schedules.PREDICTION_TYPES)
            raise ValueError(f"prediction_type must be one of {known}; got {prediction_type!r}.")
        self.register_to_config(**flags)
        if trained_betas is not None:
            self._register_trained_betas(trained_betas)
        self.set_timesteps(self.config.num_train_timesteps)
        self._run_asked_for = False

    def _register_trained_betas(self, trained_betas) -> None:
        if isinstance(trained_betas, torch.Tensor):
            trained_betas = trained_betas.tolist()
        betas = training_betas(trained_betas=trained_betas).tolist()
        # Their number is no default, or from_config would put the class's default in its place.
        defaults = set(self.config.get("_use_default_values", ())) - {"num_train_timesteps"}
        self.register_to_config(
            trained_betas=betas, num_train_timesteps=len(betas), _use_default_values=list(defaults)
        )

    def set_timesteps(
        self,
        num_inference_steps: int,
        device: str | torch.device | None = None,
        num_train_timesteps: int | None = None,
    ) -> None:
        """Prepare a run of `num_inference_steps` steps (1 to T); `timesteps` go to `device`.

        `num_train_timesteps`, where given, replaces the config's for this run: its tables are those
        of a scheduler constructed with that number. `trained_betas` allow only their own.
        Raises ValueError, and leaves everything as it was.
        """
        config = {key: self.config[key] for key in _SCHEDULE_KEYS}
        if num_train_timesteps is not None:
            config["num_train_timesteps"] = num_train_timesteps
        flags = schedules.SCHEDULE_FLAGS.items()
        kinds = [kind for kind, flag in flags if self.config[flag]]
        schedule = schedules.build(
            num_inference_steps,
            eta=self.sampler.eta,
            schedule_type=kinds[0] if kinds else "automatic",
            **config,
        )
        if num_train_timesteps not in (None, len(schedule.training_beta)):
            raise ValueError(
                f"num_train_timesteps must be {len(schedule.training_beta)}, the number of the "
                f"trained_betas; got {num_train_timesteps}."
            )
        self.timesteps = float32(schedule.call_timestep).to(device)
        self.schedule = schedule
        self.num_inference_steps = schedule.steps
        self.betas = float32(schedule.training_beta)
        self.alphas = float32(1 - schedule.training_beta)
        self.alphas_cumprod = float32(1 / (1 + schedule.training_sigma**2))
        self._run_asked_for = True
        self.set_begin_index(None)

    def __len__(self) -> int:
        return self.config.num_train_timesteps

    def scale_model_input(self, sample: Array, timestep: float | torch.Tensor) -> Array:
        """Return the latent as the network was trained to see it: over sqrt(sigma^2 + 1)."""
        scale = float(np.hypot(self.schedule.call_sigma[self._seek(timestep)], 1))
        return _like(_tensor(sample).to(_working_dtype(sample)) / scale, sample)

    def step(
        self,
        model_output: Array,
        timestep: float | torch.Tensor,
        sample: Array,
        generator: torch.Generator | list[torch.Generator] | None = None,
        return_dict: bool = True,
    ) -> KDPM2SchedulerOutput | tuple[Array, Array]:
        """Take one model call's output to the next latent.

        Arrays come back in the kind and dtype of `sample`. `generator` (one, or a list of one a
        sample, else ValueError) draws the noise of the second calls, where the sampler adds any.
        """
        call = self._seek(timestep)
        x = _tensor(sample).to(_working_dtype(sample))
        output = _tensor(model_output).to(x.dtype)
        results = self._advance(call, output, x, _checked_generator(generator, x))
        results = tuple(_like(result, sample) for result in results)
        return KDPM2SchedulerOutput(*results) if return_dict else results

    def _advance(self, call, output, x, generator) -> tuple[torch.Tensor, torch.Tensor]:
        table, (step, half) = self.schedule, divmod(call, 2)
        sigma, here = float(table.sigma[step]), float(table.call_sigma[call])
        denoised = self._denoised(output, x, here)
        begun = None

        if half:
            # The whole step, from its beginning, with the midpoint's slope; then noise back up.
            start, sigma = (x, here) if self.sample is None else (self.sample.to(x), sigma)
            slope = (x - denoised) / here
            x_next = start + slope * (float(table.sigma_down[step]) - sigma)
            if sigma_up := float(table.sigma_up[step]):
                noise = drawn(x, generator)
                x_next = x_next + noise * sigma_up
        elif step < table.steps - 1:
            # To the midpoint; in this form no digits cancel when sigma is huge.
            x_next = denoised + (x - denoised) * (float(table.sigma_mid[step]) / sigma)
            begun = x.clone()  # lest the caller edits the latent in place before the next call
        else:
            # The last step: Euler to zero.
            x_next = denoised.clone()

        self._step_index, self.sample = call + 1, begun
        return x_next, denoised

    def _denoised(self, output: torch.Tensor, x: torch.Tensor, sigma: float) -> torch.Tensor:
        if self.config.prediction_type == "epsilon":
            return x - output * sigma
        if self.config.prediction_type == "v_prediction":
            scale = float(np.hypot(sigma, 1))
            return x / scale**2 - output * (sigma / scale)
        return output.clone()

    def add_noise(self, original_samples: Array, noise: Array, timesteps: torch.Tensor) -> Array:
        """Return the samples at the noise level of the timesteps, in their kind and dtype.

        With a begin index (image to image, inpainting) that is the level of the call that comes
        next, half steps included. Without, a timestep of the run has its call's level, and any
        other the level of training; so have integer timesteps, and all before `set_timesteps`.
        """
        x = _tensor(original_samples).to(_working_dtype(original_samples))
        sigma = torch.from_numpy(self._noise_levels(timesteps)).to(x)
        sigma = sigma.reshape(-1, *[1] * (x.ndim - 1))
        return _like(x + _tensor(noise).to(x) * sigma, original_samples)

    def _noise_levels(self, timesteps) -> np.ndarray:
        if self.begin_index is not None:
            levels = np.append(self.schedule.call_sigma, 0.0)
            return levels[[self.call_index]]
        timesteps = to_host(timesteps).reshape(-1)
        last = len(self.schedule.training_sigma) - 1
        if not np.all((timesteps >= 0) & (timesteps <= last)):
            raise ValueError(f"timesteps must lie from 0 to {last}; got {timesteps}.")
        levels = schedules.timestep_to_sigma(timesteps, self.schedule.training_sigma)
        if self._run_asked_for and not np.issubdtype(timesteps.dtype, np.integer):
            calls = to_host(self.timesteps)
            for row in np.flatnonzero(np.isin(timesteps.astype(np.float32), calls)):
                levels[row] = self._level_of(timesteps[row])
        return levels


class KDPM2DiscreteScheduler(KDPM2Scheduler):
    """DPM2: deterministic, second order; two model calls a step. Also k_dpm_2, KDPM2.

    Karras et al. 2022, algorithm 2, without churn; k-diffusion's `sample_dpm_2`.
    """

    sampler = samplers.DPM2
    _midpoint_leads_to = True


class KDPM2AncestralDiscreteScheduler(KDPM2Scheduler):
    """DPM2 a: the same step to sigma_down, then noise back up to sigma_next. Also k_dpm_2_a.

    Two model calls a step; k-diffusion's `sample_dpm_2_ancestral`.
    """

    sampler = samplers.DPM2_A


_SCHEDULE_KEYS = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "timestep_spacing",
    "steps_offset",
    "rescale_betas_zero_snr",
)


def _tensor(values: Array) -> torch.Tensor:
    if isinstance(values, torch.Tensor):
        return values
    return torch.tensor(np.ascontiguousarray(values))


def _working_dtype(values: Array) -> torch.dtype:
    return torch.float64 if values.dtype in (torch.float64, np.float64) else torch.float32


def _like(result: torch.Tensor, sample: Array) -> Array:
    if isinstance(sample, torch.Tensor):
        return result.to(sample.dtype)
    return result.numpy().astype(sample.dtype)


def _checked_generator(generator, x: torch.Tensor):
    if not isinstance(generator, list | tuple):
        return generator
    if len(generator) != len(x):
        raise ValueError(
            f"generator must be one generator or a list of {len(x)}, one for each sample; "
            f"got a list of {len(generator)}."
        )
    return list(generator)
