"""The noise levels at which a diffusers scheduler calls the model: one row per call."""

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

import torch
from diffusers.schedulers.scheduling_euler_ancestral_discrete import (
    EulerAncestralDiscreteScheduler,
)

from explorer.sampling.calls import CORRECTION, MIDPOINT, STEP
from explorer.sampling.configs import PREDICTION_TYPES
from explorer.sampling.schedules import Schedule

TERMINAL_ALPHA = 2.0**-24  # instead of zero terminal SNR's 0, as in diffusers' sigma tables


@dataclass(frozen=True, kw_only=True)
class Level:
    """The part of a `Call` that is known before the run; its fields are explained there."""

    step: int
    stage: str = STEP
    sigma: float
    timestep: float
    alpha: float = 1.0
    sigma_next: float | None = None
    sigma_mid: float | None = None
    sigma_down: float | None = None
    sigma_up: float | None = None


def refuse_unknown(scheduler: Any):
    """Raise ValueError, naming the class, for a scheduler whose model calls cannot be read."""
    name = type(scheduler).__name__
    config = getattr(scheduler, "config", {})
    if config.get("use_flow_sigmas") or config.get("prediction_type") not in PREDICTION_TYPES:
        raise ValueError(
            f"{name} cannot be recorded: its prediction type is none of "
            f"{', '.join(PREDICTION_TYPES)}. Flow-matching schedulers are not supported."
        )
    if not (hasattr(scheduler, "sigmas") or hasattr(scheduler, "alphas_cumprod")):
        raise ValueError(f"{name} cannot be recorded: it keeps no table of its noise levels.")


def levels(scheduler: Any) -> list[Level]:
    """The run prepared by `set_timesteps`: a row for each entry of `scheduler.timesteps`."""
    if hasattr(scheduler, "schedule"):
        return _from_schedule(scheduler.schedule)
    timesteps = _host(scheduler.timesteps)
    if not hasattr(scheduler, "sigmas"):
        return _from_alphas(timesteps, _host(scheduler.alphas_cumprod))
    if hasattr(scheduler, "state_in_first_order"):
        return _second_order(scheduler, timesteps)
    return _first_order(scheduler, timesteps)


def row_of_call(scheduler: Any, timestep: Any, rows: list[Level]) -> int:
    """The row of the call that `scheduler.step` has just finished.

    Counters are used before timesteps, because rounded timesteps repeat. Schedulers without a
    counter look `timestep` up themselves, so reading it adds no synchronization.
    """
    for counter in ("call_index", "step_index"):
        finished = getattr(scheduler, counter, None)
        if finished is not None:
            return finished - 1
    wanted = float(timestep)
    return min(range(len(rows)), key=lambda row: abs(rows[row].timestep - wanted))


def _from_schedule(schedule: Schedule) -> list[Level]:
    """Our own schedulers' table; see explorer.sampling.schedules.Schedule."""
    rows = []
    for call, (sigma, timestep) in enumerate(
        zip(schedule.call_sigma, schedule.call_timestep, strict=True)
    ):
        step, second_call = divmod(call, 2)
        has_midpoint = step < len(schedule.sigma_mid)
        rows.append(
            Level(
                step=step,
                stage=MIDPOINT if second_call else STEP,
                sigma=float(sigma),
                timestep=float(timestep),
                sigma_next=float(schedule.sigma_next[step]),
                sigma_mid=float(schedule.sigma_mid[step]) if has_midpoint else None,
                sigma_down=float(schedule.sigma_down[step]),
                sigma_up=float(schedule.sigma_up[step]),
            )
        )
    return rows


def _first_order(scheduler: Any, timesteps: list[float]) -> list[Level]:
    """One call per step at `sigmas[row]`: Euler, LMS, the DPM-Solver++ and UniPC families."""
    units = getattr(scheduler, "_sigma_to_alpha_sigma_t", None)  # of variance-preserving ones
    table = []
    for sigma in _host(scheduler.sigmas):
        alpha, spread = (1.0, sigma) if units is None else map(float, units(sigma))
        table.append((alpha, spread / alpha))
    ancestral = isinstance(scheduler, EulerAncestralDiscreteScheduler)
    rows = []
    for row, timestep in enumerate(timesteps):
        (alpha, sigma), (_, after) = table[row], table[row + 1]
        rows.append(
            Level(
                step=row,
                sigma=sigma,
                timestep=timestep,
                alpha=alpha,
                sigma_next=after,
                sigma_down=after**2 / sigma if ancestral else None,
                sigma_up=after * sqrt(1 - (after / sigma) ** 2) if ancestral else None,
            )
        )
    return rows


def _second_order(scheduler: Any, timesteps: list[float]) -> list[Level]:
    """Two calls per step, one in the last. The tables repeat each sigma, one row per call.

    The KDPM2 pair calls the model at `sigmas_interpol` (which the ancestral one indexes by the
    step's first row, the other by its second), DPMSolverSDE at the geometric mean, and Heun at
    the step's end.
    """
    sigmas = _host(scheduler.sigmas)
    between = getattr(scheduler, "sigmas_interpol", None)
    ups, downs = (getattr(scheduler, name, None) for name in ("sigmas_up", "sigmas_down"))
    rows = []
    for row, timestep in enumerate(timesteps):
        step, second_call = divmod(row, 2)
        first = 2 * step
        sigma, after, mid, down, up = sigmas[first], sigmas[first + 1], None, None, None
        if first + 1 < len(timesteps):
            if between is not None:
                mid = _number(between, first if ups is not None else first + 1)
            elif hasattr(scheduler, "mid_point_sigma"):
                mid = sqrt(sigma * after)
        if ups is not None:
            last = after == 0  # the table's tail holds NaN
            down, up = (0.0, 0.0) if last else (_number(downs, first), _number(ups, first))
        second = after if mid is None else mid
        rows.append(
            Level(
                step=step,
                stage=(CORRECTION if mid is None else MIDPOINT) if second_call else STEP,
                sigma=second if second_call else sigma,
                timestep=timestep,
                sigma_next=after,
                sigma_mid=mid,
                sigma_down=down,
                sigma_up=up,
            )
        )
    return rows


def _from_alphas(timesteps: list[float], alphas_cumprod: list[float]) -> list[Level]:
    """Schedulers that read `alphas_cumprod` at whole timesteps: DDIM, DDPM, LCM, PNDM, TCD.

    PNDM's two calls at one timestep count as one step.
    """
    distinct = list(dict.fromkeys(timesteps))
    alphas = [max(alphas_cumprod[int(timestep)], TERMINAL_ALPHA) for timestep in distinct]
    sigmas = [sqrt(1 / alpha - 1) for alpha in alphas] + [0.0]
    rows = []
    for timestep in timesteps:
        step = distinct.index(timestep)
        sigma = sigmas[step]
        rows.append(
            Level(
                step=step,
                sigma=sigma,
                timestep=timestep,
                alpha=1 / sqrt(1 + sigma**2),
                sigma_next=sigmas[step + 1],
            )
        )
    return rows


def _host(table: Any) -> list[float]:
    return torch.as_tensor(table).to("cpu", torch.float64).tolist()


def _number(table: Any, row: int) -> float | None:
    value = float(table[row])
    return value if isfinite(value) else None
