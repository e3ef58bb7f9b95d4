"""What diffusers alone can express of a lane, and sentences on what it cannot."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from explorer.sampling import baselines
from explorer.sampling.baselines import FIXED
from explorer.sampling.calls import CallTable
from explorer.sampling.config_checks import OUR_ARGUMENTS
from explorer.sampling.samplers import DIFFUSERS_TYPES
from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.sampling.scheduler_classes import CLASSES
from explorer.sampling.schedules import Schedule
from explorer.settings import LaneSettings, RunSettings

SAME = 1e-4  # relative, of sigmas: diffusers' tables are float32
SAME_TIMESTEP = 0.01  # of the thousand; between two training timesteps sigma is read from both


@dataclass(frozen=True, kw_only=True)
class SchedulerCode:
    """A scheduler as code has it: its class, and those arguments that are not its defaults."""

    class_name: str
    arguments: Mapping[str, Any]
    is_ours: bool


def missing_of(settings: RunSettings, lane: int) -> tuple[str, ...]:
    """Sentences on what diffusers alone cannot do of a lane's run, one a setting; else none."""
    return (*missing_of_lane(settings.lanes[lane], settings.steps), *_missing_of_run(settings))


def needs_engine(settings: RunSettings, lane: int) -> bool:
    """Whether no single call of a pipeline makes this lane's run, with whatever scheduler."""
    has_list = bool(settings.lanes[lane].sigmas) and not settings.lanes[lane].solver.baseline
    from_picture = bool(settings.init_image)
    return bool(settings.refiner) or (from_picture and (has_list or settings.cfg_rescale > 0))


def scheduler_code(lane: LaneSettings, is_ours: bool) -> SchedulerCode:
    """The scheduler of a lane: our class of that name, or diffusers'."""
    config = lane.scheduler_config()
    defaults = dict(CLASSES[lane.solver.class_name].defaults)
    if is_ours:
        defaults |= OUR_ARGUMENTS | {"eta": lane.solver.eta}
    elif not lane.solver.baseline:
        config = {name: value for name, value in config.items() if name in defaults}
    config |= FIXED.get(lane.solver.key, {})
    if config.get("schedule_type") in DIFFUSERS_TYPES:
        config.pop("schedule_type")  # its flag says it, or nothing does
    if config.get("eta", 0) is None:
        config.pop("eta")
    if config.get("trained_betas"):  # the others do nothing then
        for name in ("beta_start", "beta_end", "beta_schedule"):
            config.pop(name, None)
    given = {name: value for name, value in config.items() if value != defaults.get(name)}
    return SchedulerCode(class_name=lane.solver.class_name, arguments=given, is_ours=is_ours)


def _missing_of_run(settings: RunSettings) -> Iterator[str]:
    if settings.refiner:
        yield (
            f"Refiner {settings.refiner}: its pipeline divides a run by timesteps, not by whole "
            "steps, and would begin inside one."
        )
    if settings.init_image and settings.cfg_rescale:
        yield (
            f"CFG rescale {settings.cfg_rescale:g}: the pipelines that start from a picture have "
            "no guidance_rescale."
        )


def missing_of_lane(lane: LaneSettings, steps: int) -> tuple[str, ...]:
    """The same of a lane's own settings; baselines are diffusers' own classes, and lack nothing."""
    if lane.solver.baseline:
        return ()
    name, missing = lane.solver.class_name, []
    if lane.sigmas:
        missing.append(f"Custom sigmas: diffusers' {name} takes no list of sigmas.")
    elif lane.schedule_type not in DIFFUSERS_TYPES:
        label = SCHEDULE_TYPES[lane.schedule_type].label
        missing.append(f"Schedule type {label}: diffusers' {name} does not have it.")
    if lane.prediction_type == "sample":
        missing.append(f"Prediction type sample: diffusers' {name} does not implement it.")
    known = {*CLASSES[name].defaults, "schedule_type", "sigmas", "sampler"}
    for spec in fields(LaneSettings):
        value = getattr(lane, spec.name)
        if spec.name in known or value == spec.default or not _matters(lane, spec.name, steps):
            continue
        shown = f"{value:g}" if type(value) is float else str(value)
        missing.append(f"{spec.metadata['label']} {shown}: diffusers' {name} has no such argument.")
    if not missing and (difference := _difference(lane, steps)):
        missing.append(f"These settings: diffusers' {name} {difference}.")
    return tuple(missing)


def _matters(lane: LaneSettings, name: str, steps: int) -> bool:
    """Whether a field that is not at its default changes this lane's run."""
    default = LaneSettings.__dataclass_fields__[name].default
    try:
        plain = replace(lane, **{name: default}).schedule(steps)
        made = lane.schedule(steps)
    except ValueError:
        return True
    return not _equal(made, plain)


def _equal(one: Schedule | CallTable, other: Schedule | CallTable) -> bool:
    names = [spec.name for spec in fields(one)]
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def _difference(lane: LaneSettings, steps: int) -> str:
    from explorer.runtime.threads import in_own_thread  # torch, which diffusers imports anyway

    return in_own_thread(lambda: _difference_here(lane, steps))


def _difference_here(lane: LaneSettings, steps: int) -> str:
    """How diffusers' class of the same name departs from a lane; "" where it does not.

    Its noise levels are those of its tables as they are, not as they should be.
    """
    from explorer.sampling.levels import levels

    ours = lane.schedule(steps)
    assert isinstance(ours, Schedule)
    config = dict(CLASSES[lane.solver.class_name].defaults)
    config |= scheduler_code(lane, is_ours=False).arguments
    made = baselines.scheduler(replace(lane.solver, baseline=True), config)
    try:
        with np.errstate(all="ignore"):
            made.set_timesteps(steps)
            rows = levels(made)
    except (ValueError, ArithmeticError, IndexError):
        return "makes no valid run of them"
    if len(rows) != ours.nfe:
        return f"makes {len(rows)} model calls, not {ours.nfe}"
    for call, row in enumerate(rows):
        where = f"in step {row.step + 1}"
        sigma, timestep = float(ours.call_sigma[call]), float(ours.call_timestep[call])
        if not abs(row.sigma - sigma) <= SAME * sigma:
            return f"has sigma {row.sigma:.4g} {where}, not {sigma:.4g}"
        if not abs(row.timestep - timestep) <= SAME_TIMESTEP:
            return f"calls the model at timestep {row.timestep:.5g} {where}, not {timestep:.5g}"
        up = float(ours.sigma_up[row.step])
        if lane.solver.eta and not abs((row.sigma_up or 0) - up) <= SAME * sigma:
            return f"does not add the noise of sigma {up:.4g} {where}"
    if not abs(float(made.init_noise_sigma) / ours.init_noise_sigma - 1) <= SAME:
        return f"begins at sigma {float(made.init_noise_sigma):.4g}"
    if sum(row.timestep == rows[0].timestep for row in rows) > 1:
        return "looks its first step up by a timestep that comes twice"
    return ""
