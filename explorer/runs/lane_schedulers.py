"""The scheduler objects of a run's lanes, as pipelines take them."""

from typing import Any

from explorer.sampling import baselines
from explorer.settings import RunSettings


def lane_scheduler(run: RunSettings, lane: int, noise_device: str) -> Any:
    """A new scheduler for a lane, counted from 0: ours, or diffusers' own for a baseline.

    `noise_device` is "cpu" or "cuda", where the run's noise is drawn.
    """
    from explorer.sampling import schedulers

    solver, config = run.lanes[lane].solver, run.lanes[lane].scheduler_config()
    if solver.baseline:
        seeds = range(run.seed, run.seed + run.batch_size)
        return baselines.scheduler(solver, config, seeds, noise_device)
    return getattr(schedulers, solver.class_name)(**config)


def custom_steps(run: RunSettings, lane: int) -> dict[str, Any]:
    """A lane's custom sigmas as the keyword argument of its `set_timesteps`; empty for none."""
    each = run.lanes[lane]
    return baselines.custom_steps(each.solver, each.sigmas) if each.sigmas else {}
