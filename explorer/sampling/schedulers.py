"""DPM2 and DPM2 a as diffusers schedulers: one method, two subclasses that hold data only.

Drop-in for diffusers' classes of the same names: the same config keys, tables and methods, so that
`from_config`, `save_pretrained` and any pipeline work both ways.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.schedulers.scheduling_utils import KarrasDiffusionSchedulers, SchedulerMixin
from diffusers.utils.outputs import BaseOutput

from explorer.sampling import samplers, schedules
from explorer.sampling.arrays import Array, checked_generator, like, tensor, working_dtype
from explorer.sampling.betas import training_betas
from explorer.sampling.configs import checked_config, chosen_type, overridden
from explorer.sampling.counting import CallCounter, half_step, to_host
from explorer.sampling.noise import drawn
from explorer.sampling.prediction import clean_latent
from explorer.sampling.tables import PaddedTables, float32


@dataclass
class KDPM2SchedulerOutput(BaseOutput):
    """The result of `step`: the next latent, and the clean latent predicted at this call."""

    prev_sample: Array
    pred_original_sample: Array | None = None


class KDPM2Scheduler(CallCounter, PaddedTables, SchedulerMixin, ConfigMixin):
    """The method of both samplers: a midpoint step in log sigma, split by the sampler's `eta`.

    A step is two model calls, the last is one: N steps are 2N-1 calls. Arithmetic is float32
    (float64 for float64 samples); the coefficients are float64 and stay on the host.

    The positional arguments are those of diffusers' KDPM2 schedulers. `trained_betas` replace the
    beta schedule, and their number replaces `num_train_timesteps`. By keyword only, a step going
    from sigma to sigma_next, and diffusers' behaviour where nothing is said:

    - `rescale_betas_zero_snr`: the betas end without signal (Lin et al. 2023, algorithm 1) but for
      an alpha_bar of 2^-24, a sigma of 4096, at the last timestep.
    - `schedule_type`: a key of SCHEDULE_TYPES; None is what the booleans say, "automatic" without.
      `karras` and `polyexponential` take `rho` (None: 7 and 1), `beta` takes `alpha` and `beta`,
      `align_your_steps` takes `align_your_steps_table` ("sd15", "sdxl"); formulas and sources stand
      in schedule_types.py.
    - `sigma_min`, `sigma_max`: the ends of karras, exponential, polyexponential, beta and
      kl_optimal; None is the table's, as far as the timestep spacing goes.
    - `eta`, 0 to 1, None being the sampler's own (DPM2 0, DPM2 a 1): sigma_up = min(sigma_next, eta
      sigma_next sqrt(1 - sigma_next^2 / sigma^2)), sigma_down = sqrt(sigma_next^2 - sigma_up^2)
      (k-diffusion's `get_ancestral_step`).
    - `s_noise`: multiplies all noise that is added, x + s_noise sigma_up z.
    - `s_churn`, `s_tmin`, `s_tmax` (Karras et al. 2022, algorithm 2): where s_tmin <= sigma <=
      s_tmax the model is called at sigma_hat = sigma (1 + min(s_churn / N, sqrt(2) - 1)) and told
      its timestep. The noise for it, sqrt(sigma_hat^2 - sigma^2), is added at the end of the step
      before, with that step's own in one draw; the first step's is part of `init_noise_sigma`.
      None for `s_tmax` is no limit.
    - `midpoint_ratio` r, 0.01 to 1: the midpoint is sigma^(1-r) sigma_down^r, and the
      step's slope weighs the two calls' 1 - 1/(2r) and 1/(2r) (DPM-Solver-2, Lu et al. 2022).
    - `final_sigmas_type`: "zero", or "sigma_min": the run ends at `sigma_min` (the table's, where
      that is None) instead; still by one call without noise, so N steps stay 2N-1 calls.
    - `discard_penultimate_sigma`: build N+1 sigmas and leave the last but the final one out, as
      A1111 and ComfyUI do for these samplers; N steps stay N steps.
    - `round_timesteps`: call the model at whole timesteps at each step's beginning; None does so
      for karras alone, and not for a custom list.
    - `interpolation_type`: "linear" or "log_linear", how a sigma is read between two training
      timesteps; None is the schedule type's own (linear, log_linear for sgm_uniform).

    Raises ValueError with a sentence that names the argument (NotImplementedError for an unknown
    `beta_schedule`), also where a run would begin at a half step.
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
        schedule_type: str | None = None,
        rho: float | None = None,
        alpha: float = 0.6,
        beta: float = 0.6,
        align_your_steps_table: str = "sd15",
        sigma_min: float | None = None,
        sigma_max: float | None = None,
        eta: float | None = None,
        s_noise: float = 1.0,
        s_churn: float = 0.0,
        s_tmin: float = 0.0,
        s_tmax: float | None = None,
        midpoint_ratio: float = 0.5,
        final_sigmas_type: str = "zero",
        discard_penultimate_sigma: bool = False,
        round_timesteps: bool | None = None,
        interpolation_type: str | None = None,
    ):
        self.register_to_config(**checked_config(self.config))
        if trained_betas is not None:
            self._register_trained_betas(trained_betas)
        self._prepare_longest_run()
        self._run_asked_for = False

    @classmethod
    def from_config(cls, config: Any = None, return_unused_kwargs: bool = False, **arguments: Any):
        """As in every diffusers class; a schedule type in the arguments replaces the config's."""
        if isinstance(config, Mapping):
            config = overridden(config, arguments)
        return super().from_config(config, return_unused_kwargs, **arguments)

    def _prepare_longest_run(self) -> None:
        """Of T steps, as diffusers does; of fewer where these arguments leave no room for so many.

        Raises ValueError where they leave room for none.
        """
        longest = self.config["num_train_timesteps"]
        try:
            self.set_timesteps(longest)
        except ValueError:
            if not isinstance(longest, int) or longest < 2:
                raise
            self.set_timesteps(min(2, longest - 1))

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
        num_inference_steps: int | None = None,
        device: str | torch.device | None = None,
        num_train_timesteps: int | None = None,
        *,
        sigmas: Sequence[float] | np.ndarray | None = None,
        timesteps: Sequence[float] | np.ndarray | None = None,
    ) -> None:
        """Prepare a run of `num_inference_steps` steps (1 to T), or of a custom list of steps.

        `self.timesteps` go to `device`. `sigmas` or `timesteps`, decreasing, one a whole step,
        replace the number and the schedule type; the final sigma is appended.
        `num_train_timesteps`, where given, replaces the config's for this run: its tables are those
        of a scheduler constructed with that number. `trained_betas` allow only their own.
        Raises ValueError, and leaves everything as it was.
        """
        config = {key: self.config[key] for key in (*schedules.BETA_KEYS, *schedules.OPTION_KEYS)}
        if num_train_timesteps is not None:
            config["num_train_timesteps"] = num_train_timesteps
        if config["eta"] is None:
            config["eta"] = self.sampler.eta
        config["schedule_type"] = chosen_type(self.config)
        schedule = schedules.build(
            num_inference_steps, sigmas=sigmas, timesteps=timesteps, **config
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
        return self.config["num_train_timesteps"]

    def scale_model_input(self, sample: Array, timestep: float | torch.Tensor) -> Array:
        """Return the latent as the network was trained to see it: over sqrt(sigma^2 + 1).

        The shape is any, and stays.
        """
        scale = float(np.hypot(self.schedule.call_sigma[self._seek(timestep)], 1))
        return like(tensor(sample).to(working_dtype(sample)) / scale, sample)

    def step(
        self,
        model_output: Array,
        timestep: float | torch.Tensor,
        sample: Array,
        generator: torch.Generator | list[torch.Generator] | None = None,
        return_dict: bool = True,
    ) -> KDPM2SchedulerOutput | tuple[Array, Array]:
        """Take one model call's output to the next latent.

        All arrays have one shape, (batch, channels, height, width) in a pipeline; those of the
        result are of the kind and dtype of `sample`. `generator` (one, or a list of one a
        sample, else ValueError) draws the noise of the second calls, where the sampler adds any.
        """
        call = self._seek(timestep)
        x = tensor(sample).to(working_dtype(sample))
        output = tensor(model_output).to(x.dtype)
        x_next, denoised = self._advance(call, output, x, checked_generator(generator, x))
        results = like(x_next, sample), like(denoised, sample)
        return KDPM2SchedulerOutput(*results) if return_dict else results

    def _advance(self, call, output, x, generator) -> tuple[torch.Tensor, torch.Tensor]:
        table, (step, second_call) = self.schedule, divmod(call, 2)
        sigma, here = float(table.sigma_hat[step]), float(table.call_sigma[call])
        denoised = clean_latent(output, x, here, self.config["prediction_type"])
        if denoised is output:
            denoised = output.clone()  # so that the caller cannot change the network's output
        step_start = first_slope = None

        if second_call:
            if self.sample is None:
                raise half_step("timestep", call)
            # The whole step, from its beginning, with the midpoint's slope; then add noise.
            slope = (x - denoised) / here
            if self._first_slope is not None:  # its weight is 0 at a ratio of 1/2
                part = 1 / (2 * table.midpoint_ratio)
                slope = part * slope + (1 - part) * self._first_slope.to(x)
            x_next = self.sample.to(x) + slope * (float(table.sigma_down[step]) - sigma)
            if noise := float(table.noise[step]):
                x_next = x_next + drawn(x, generator) * noise
        elif step < table.steps - 1:
            # To the midpoint; in this form no digits cancel when sigma is huge.
            x_next = denoised + (x - denoised) * (float(table.sigma_mid[step]) / sigma)
            step_start = (
                x.clone()
            )  # in case the caller changes the latent in place before the next call
            if table.midpoint_ratio != 0.5:
                first_slope = (x - denoised) / sigma
        else:
            # The last step: Euler to the final sigma.
            x_next = denoised + (x - denoised) * (table.final_sigma / sigma)

        self._step_index, self.sample, self._first_slope = call + 1, step_start, first_slope
        return x_next, denoised

    def add_noise(self, original_samples: Array, noise: Array, timesteps: torch.Tensor) -> Array:
        """Return the samples at the noise level of the timesteps, in their shape, kind and dtype.

        `timesteps` are one a sample, or one for all.
        With a begin index (image to image, inpainting) that is the level of the call that comes
        next. Without, a timestep of the run has its call's level, and any
        other the level of training; so have integer timesteps, and all before `set_timesteps`.
        """
        x = tensor(original_samples).to(working_dtype(original_samples))
        sigma = torch.from_numpy(self._noise_levels(timesteps)).to(x)
        sigma = sigma.reshape(-1, *[1] * (x.ndim - 1))
        return like(x + tensor(noise).to(x) * sigma, original_samples)

    def _noise_levels(self, timesteps) -> np.ndarray:
        if self.begin_index is not None:
            levels = np.append(self.schedule.call_sigma, self.schedule.final_sigma)
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
