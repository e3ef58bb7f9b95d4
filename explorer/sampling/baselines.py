"""Diffusers' own schedulers, for comparison: construction, supported settings, model calls.

torch and diffusers are imported only when the first of them is used.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from explorer.sampling.betas import training_betas, whole
from explorer.sampling.calls import STEP, CallTable
from explorer.sampling.samplers import DDIM, DPMPP_SDE, SAMPLERS, Sampler
from explorer.sampling.schedules import BETA_KEYS

# Arguments beyond a lane's settings; all others keep diffusers' defaults. Samples are clipped for
# pixels: latents are not limited to [-1, 1].
FIXED: dict[str, dict[str, Any]] = {DDIM.key: {"clip_sample": False}}

SHORTEST = 2  # steps of a run that is prepared only because diffusers prepares one


def scheduler(
    sampler: Sampler,
    config: Mapping[str, Any],
    seeds: Sequence[int] = (),
    noise_device: str = "cpu",
) -> Any:
    """Diffusers' scheduler of a baseline; `config` are arguments of its class.

    `seeds`, one per picture of the batch, and the device of the noise are for DPM++ SDE only, whose
    noise is a Brownian motion instead of draws from the run's generators.
    """
    import diffusers

    kind: Any = getattr(diffusers, sampler.class_name)
    more: Mapping[str, Any] = FIXED.get(sampler.key, {})
    if sampler is DPMPP_SDE and seeds:
        from explorer.sampling.brownian import BoundedNoiseSDEScheduler

        more = {"noise_sampler_seed": list(seeds)}
        made = BoundedNoiseSDEScheduler(**config, **more)
        made.noise_device = noise_device
        return made
    return kind(**config, **more)


def import_all() -> None:
    """Import all baselines' classes, and what they import: the first lane need not wait for it."""
    import diffusers

    for sampler in SAMPLERS.values():
        if sampler.baseline:
            getattr(diffusers, sampler.class_name)
    import_module("explorer.sampling.brownian")


def custom_steps(sampler: Sampler, sigmas: Sequence[float]) -> dict[str, list[float]]:
    """Custom sigmas as the keyword argument of the sampler's `set_timesteps`.

    Ours append the final 0 themselves, diffusers' expect it in the list.
    """
    return {"sigmas": [*sigmas, 0.0] if sampler.baseline else list(sigmas)}


def call_table(
    sampler: Sampler,
    config: Mapping[str, Any],
    steps: int,
    sigmas: Sequence[float] | None = None,
) -> CallTable:
    """The model calls of `steps` steps, or of custom sigmas, as diffusers makes them.

    Raises ValueError, with a sentence that begins with the argument, for what diffusers accepts
    without an error: betas that end at an infinite sigma, more steps than training timesteps or
    timesteps beyond them, sigmas that do not decrease, and a resulting number of steps that
    differs.
    """
    from explorer.sampling.levels import levels

    betas = training_betas(**{key: config[key] for key in BETA_KEYS if key in config})
    made = _planned(sampler)(**config, **FIXED.get(sampler.key, {}))
    made.is_made = True
    if hasattr(made, "_sigma_to_t"):
        made._sigma_to_t = _Timesteps(made._sigma_to_t)
    if sigmas is not None:
        steps = len(sigmas)
        made.set_timesteps(**custom_steps(sampler, sigmas))
    else:
        made.set_timesteps(whole("num_inference_steps", steps, 1, len(betas)))
    calls = len(made.timesteps)
    if calls != sampler.calls(steps):
        got = (calls + sampler.order - 1) // sampler.order
        raise ValueError(
            f"num_inference_steps must not be {steps} under {config['timestep_spacing']}: by "
            f"rounding, {sampler.label} makes {got} steps of them. Take one more or one less."
        )
    highest = float(made.timesteps.max())
    if not highest <= len(betas) - 1:
        raise ValueError(
            f"steps_offset must leave the timesteps of {sampler.label} within 0 to "
            f"{len(betas) - 1}; with {steps} steps they reach {highest:g}. Lower it."
        )
    try:
        rows = levels(made)
    except (ValueError, ArithmeticError):  # from increasing sigmas, or NaN
        rows = []
    step = np.array([row.step for row in rows])
    second = np.array([row.stage != STEP for row in rows], bool)
    sigma = np.array([row.sigma for row in rows])
    last = rows[-1].sigma_next if rows else None
    end = np.nan if last is None else last
    ladder = np.append(sigma[~second], end)
    if not (np.all(np.isfinite(ladder)) and np.all(np.diff(ladder) < 0)):
        raise ValueError(
            f"num_inference_steps must give sigmas that fall from step to step; those of "
            f"{sampler.label} with {steps} steps do not. Take fewer steps, or settings nearer "
            "their defaults."
        )
    timestep = np.array([row.timestep for row in rows], float)
    return CallTable(step, second, sigma, timestep, float(end), float(made.init_noise_sigma))


@lru_cache(maxsize=len(SAMPLERS))
def _planned(sampler: Sampler) -> Any:
    """Diffusers' class of a baseline, which prepares no run of all training timesteps at first.

    Heun's and DPM++ SDE's classes do, which takes a second for 10,000 timesteps.
    """
    import diffusers

    kind: Any = getattr(diffusers, sampler.class_name)

    class Planned(kind):
        is_made = False

        def set_timesteps(self, num_inference_steps: Any = None, *args: Any, **kwargs: Any) -> None:
            if not self.is_made:
                num_inference_steps = SHORTEST
            super().set_timesteps(num_inference_steps, *args, **kwargs)

    return Planned


class _Timesteps:
    """Timesteps of sigmas as diffusers computes them, and the same to the bit, but at once.

    Diffusers compares each sigma with those of all training timesteps and adds these comparisons
    up: for 1000 steps and 10,000 training timesteps more than a second. `theirs` is its method,
    which is asked where the training's sigmas do not rise, or are not finite.
    """

    def __init__(self, theirs: Callable[[Any, np.ndarray], Any]):
        self._theirs = theirs
        self._training: np.ndarray | None = None
        self._rises = False

    def __call__(self, sigma: Any, log_sigmas: np.ndarray) -> Any:
        if self._training is not log_sigmas:
            self._training = log_sigmas
            self._rises = bool(np.isfinite(log_sigmas).all() and (np.diff(log_sigmas) >= 0).all())
        if not (self._rises and np.ndim(sigma) == 0 and np.isfinite(sigma)):
            return self._theirs(sigma, log_sigmas)
        wanted = np.log(np.maximum(sigma, 1e-10))
        below = int(np.searchsorted(log_sigmas, wanted, side="right")) - 1
        below = min(max(below, 0), len(log_sigmas) - 2)
        low, high = log_sigmas[below], log_sigmas[below + 1]
        share = np.clip((low - wanted) / (low - high), 0, 1)
        return (1 - share) * below + share * (below + 1)
