"""The table of a run as float64 data: the levels of its N steps.

The variance-exploding convention throughout: a latent at noise level `sigma` is x0 + sigma * noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from explorer.sampling.betas import training_betas, training_sigmas, whole
from explorer.sampling.configs import PREDICTION_TYPES
from explorer.sampling.custom_lists import custom_sigmas, custom_timesteps
from explorer.sampling.one_step import ancestral_split, churned, midpoint
from explorer.sampling.schedule_options import OPTIONS, ScheduleOptions
from explorer.sampling.schedule_types import (
    SCHEDULE_FLAGS,
    SCHEDULE_TYPES,
    ScheduleContext,
    align_your_steps,
    beta,
    exponential,
    karras,
    kl_optimal,
    polyexponential,
)
from explorer.sampling.spacings import (
    TIMESTEP_SPACINGS,
    leading,
    linspace,
    sgm_uniform,
    sigma_to_timestep,
    simple,
    timestep_to_sigma,
    trailing,
)

__all__ = [
    "BETA_KEYS",
    "OPTION_KEYS",
    "PREDICTION_TYPES",
    "SCHEDULE_FLAGS",
    "SCHEDULE_TYPES",
    "TIMESTEP_SPACINGS",
    "Schedule",
    "align_your_steps",
    "ancestral_split",
    "beta",
    "build",
    "churned",
    "exponential",
    "karras",
    "kl_optimal",
    "leading",
    "linspace",
    "midpoint",
    "polyexponential",
    "sgm_uniform",
    "sigma_to_timestep",
    "simple",
    "timestep_to_sigma",
    "trailing",
]

SAME = 1 + 1e-6  # the factor within which two sigmas count as equal

BETA_KEYS = (  # the arguments of `build` about the model's training
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "rescale_betas_zero_snr",
)
OPTION_KEYS = tuple(OPTIONS)  # and the other ones


@dataclass(frozen=True, eq=False)
class Schedule:
    """The levels of a run of N steps: read-only float64 arrays, one row per step.

    Step i goes from `sigma_hat[i]` via `sigma_mid[i]` to `sigma_down[i]`, and noise of
    `sigma_up[i]` raises it to `sigma_next[i]`; with churn, more noise raises it to the next step's
    `sigma_hat`. The last step goes to the final sigma by Euler's method and has no midpoint.
    """

    sigma: np.ndarray  # N, decreasing
    sigma_hat: np.ndarray  # N, the level of each step's first call: sigma itself without churn
    sigma_next: np.ndarray  # N, the last is the final sigma, 0 by default
    sigma_down: np.ndarray  # N, the last is the final sigma
    sigma_up: np.ndarray  # N, the last is 0
    noise: np.ndarray  # N, the standard deviation of the noise added after each step
    sigma_mid: np.ndarray  # N-1
    timestep: np.ndarray  # N, of sigma_hat
    timestep_mid: np.ndarray  # N-1
    training_beta: np.ndarray  # T
    training_sigma: np.ndarray  # T, increasing: the noise level of every training timestep
    eta: float
    midpoint_ratio: float
    init_noise_sigma: float  # the standard deviation of a run's first latent

    def __post_init__(self):
        for values in vars(self).values():
            if isinstance(values, np.ndarray):
                values.setflags(write=False)

    @property
    def steps(self) -> int:
        return len(self.sigma)

    @property
    def nfe(self) -> int:
        """The number of model calls: two per step, one in the last."""
        return 2 * self.steps - 1

    @property
    def final_sigma(self) -> float:
        """The sigma at the end of the last step."""
        return float(self.sigma_next[-1])

    @cached_property
    def call_sigma(self) -> np.ndarray:
        """The noise level of the latent at each model call (2N-1)."""
        return _interleave(self.sigma_hat, self.sigma_mid)

    @cached_property
    def call_timestep(self) -> np.ndarray:
        """The timestep that the model is given at each call (2N-1)."""
        return _interleave(self.timestep, self.timestep_mid)


def build(
    num_inference_steps: int | None = None,
    *,
    sigmas: Sequence[float] | np.ndarray | None = None,
    timesteps: Sequence[float] | np.ndarray | None = None,
    beta_schedule: str = "linear",
    beta_start: float = 0.00085,
    beta_end: float = 0.012,
    trained_betas: Sequence[float] | np.ndarray | None = None,
    num_train_timesteps: int = 1000,
    rescale_betas_zero_snr: bool = False,
    **options: Any,
) -> Schedule:
    """Return the table of a run of `num_inference_steps` steps, or of a custom list.

    `sigmas` (in units of the data) or `timesteps` are N decreasing values, one a step; the final
    sigma is appended (a 0 at the end of `sigmas` is left out). `options` are the arguments of
    `ScheduleOptions`.

    Raises ValueError with a sentence that names the argument (NotImplementedError for an unknown
    `beta_schedule`).
    """
    known = ScheduleOptions(**options)
    training_beta = training_betas(
        beta_schedule,
        beta_start,
        beta_end,
        trained_betas,
        num_train_timesteps,
        rescale_betas_zero_snr,
    )
    training_sigma = training_sigmas(training_beta)
    final = 0.0
    if known.final_sigmas_type == "sigma_min":
        final = float(training_sigma[0]) if known.sigma_min is None else known.sigma_min
    if sigmas is not None and timesteps is not None:
        raise ValueError("sigmas and timesteps are two ways to say one thing; give one of them.")
    rounds = bool(known.round_timesteps)  # a custom list has no schedule type that would check it
    if sigmas is not None:
        sigma, timestep = custom_sigmas(sigmas), None
    elif timesteps is not None:
        timestep = custom_timesteps(timesteps, len(training_sigma))
        sigma = timestep_to_sigma(timestep, training_sigma, known.interpolation_type or "linear")
    else:
        context = ScheduleContext(training_sigma, known)
        sigma, timestep = _chosen(num_inference_steps, context, final)
        if known.round_timesteps is None:
            rounds = SCHEDULE_TYPES[known.schedule_type].whole_timesteps
    if num_inference_steps not in (None, len(sigma)):
        raise ValueError(
            f"num_inference_steps must be left out beside a list of {len(sigma)} steps; "
            f"got {num_inference_steps!r}."
        )
    _check_falling(sigma, final, known)
    return _table(sigma, timestep, rounds, final, training_beta, training_sigma, known)


def _chosen(
    steps: int | None, context: ScheduleContext, final: float
) -> tuple[np.ndarray, np.ndarray | None]:
    """The sigmas of N steps by the schedule type, and their timesteps if it goes by timesteps."""
    options, most = context.options, len(context.training_sigma)
    more = int(options.discard_penultimate_sigma)
    steps = whole("num_inference_steps", steps, 1, most - more)
    kind = SCHEDULE_TYPES[options.schedule_type]
    sigma, timestep = kind.points(steps + more, context)
    if final and sigma[steps - 1] <= final * SAME and steps + more < most:
        # It would end at its target: one point more, so that every step denoises.
        sigma, timestep = kind.points(steps + 1, context)
    return sigma[:steps], None if timestep is None else timestep[:steps]


def _check_falling(sigma: np.ndarray, final: float, options: ScheduleOptions) -> None:
    levels = np.append(sigma, final)
    if np.all(np.isfinite(levels)) and np.all(np.diff(levels) < 0):
        return
    step = int(np.argmax(~(np.isfinite(levels[1:]) & (np.diff(levels) < 0))))
    if step == len(sigma) - 1:
        raise ValueError(
            f"final_sigmas_type: the last sigma, {sigma[-1]:.4g}, must lie above the final one, "
            f"{final:.4g}. Take fewer steps, a smaller sigma_min, or 'zero'."
        )
    names = {"karras": "rho", "polyexponential": "rho", "beta": "alpha and beta"}
    option = names.get(options.schedule_type, "num_inference_steps")
    raise ValueError(
        f"{option} must give sigmas that fall from step to step; from step {step + 1} to "
        f"{step + 2} they go from {levels[step]:.6g} to {levels[step + 1]:.6g}. Take fewer steps "
        "or a setting nearer its default."
    )


def _table(
    sigma: np.ndarray,
    timestep: np.ndarray | None,
    rounds: bool,
    final: float,
    training_beta: np.ndarray,
    training_sigma: np.ndarray,
    options: ScheduleOptions,
) -> Schedule:
    """Everything that follows from the sigmas of the steps."""
    hat = churned(sigma, options.s_churn, options.s_tmin, options.s_tmax)
    if timestep is None:
        timestep = sigma_to_timestep(hat, training_sigma)
    elif options.s_churn:
        timestep = np.where(hat > sigma, sigma_to_timestep(hat, training_sigma), timestep)
    if rounds:
        timestep = np.round(timestep)

    sigma_next = np.append(sigma[1:], final)
    sigma_down, sigma_up = ancestral_split(hat, sigma_next, options.eta)
    sigma_down[-1], sigma_up[-1] = final, 0.0  # nothing would remove that noise
    churn = np.sqrt((hat - sigma) * (hat + sigma))  # the noise that raises sigma to sigma_hat
    sigma_mid = midpoint(hat, sigma_down, options.midpoint_ratio)[:-1]
    first = np.hypot(sigma[0], options.s_noise * churn[0])
    # Under leading the run starts below the last training timestep, where data still shows.
    init = np.hypot(first, 1) if options.timestep_spacing == "leading" else first
    return Schedule(
        sigma=sigma,
        sigma_hat=hat,
        sigma_next=sigma_next,
        sigma_down=sigma_down,
        sigma_up=sigma_up,
        noise=options.s_noise * np.hypot(sigma_up, np.append(churn[1:], 0.0)),
        sigma_mid=sigma_mid,
        timestep=timestep,
        timestep_mid=sigma_to_timestep(sigma_mid, training_sigma),
        training_beta=training_beta,
        training_sigma=training_sigma,
        eta=options.eta,
        midpoint_ratio=options.midpoint_ratio,
        init_noise_sigma=float(init),
    )


def _interleave(even: np.ndarray, odd: np.ndarray) -> np.ndarray:
    both = np.empty(len(even) + len(odd))
    both[0::2], both[1::2] = even, odd
    both.setflags(write=False)
    return both
