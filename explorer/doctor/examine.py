"""The schedule doctor: findings about settings and their schedule, before a run."""

from dataclasses import replace
from typing import Any

from explorer.doctor import ends, model, no_effect, noise, timesteps, widths
from explorer.doctor.case import Case, ScheduleCase, StepsCase
from explorer.doctor.cost import Cost, price
from explorer.doctor.finding import SEVERITIES, Finding
from explorer.doctor.refused import refused
from explorer.doctor.steps import StepTable
from explorer.sampling.calls import CallTable
from explorer.sampling.schedules import Schedule

__all__ = ["SEVERITIES", "Cost", "Finding", "examine", "price"]

OF_SETTINGS = (  # also for a lane without a valid schedule
    model.prediction_differs,
    model.betas_differ,
    model.timesteps_differ,
    model.zero_snr_differs,
)
OF_ANY_TABLE = (no_effect.no_effect, no_effect.custom_steps)
OF_A_SCHEDULE = (
    ends.shrunk,
    ends.raised,
    ends.outside,
    ends.noise_left,
    noise.churned,
    noise.churn_window,
    noise.fp16_overflow,
    widths.widest,
    widths.narrowest,
    widths.midpoints,
    timesteps.duplicates,
    timesteps.rounding,
    model.zero_snr_epsilon,
    model.zero_snr_spacing,
    model.terminal_snr,
    *OF_ANY_TABLE,
)
OF_A_BASELINE = (
    ends.shrunk,
    ends.raised,
    ends.outside,
    ends.noise_left,
    noise.fp16_overflow,
    widths.widest,
    widths.narrowest,
    timesteps.levels_reached,
    timesteps.duplicates,
    timesteps.rounding,
    model.zero_snr_epsilon,
    model.zero_snr_spacing,
    model.terminal_snr,
    *OF_ANY_TABLE,
)


def examine(
    lane: object,
    schedule: Schedule | CallTable | None,
    steps: int,
    *,
    index: int | None = None,
    model_defaults: object = None,
    cost: Cost | None = None,
    dtype: str = "",
    problem: str = "",
) -> list[Finding]:
    """Return the findings about one lane, the worst first.

    `lane` is a mapping or an object whose fields are named like the scheduler's arguments; so is
    `model_defaults`, the model's own settings, if they are known. `schedule` is the result of the
    lane's `schedule(steps)`, a `Schedule` or a baseline's `CallTable`; None if it raises, and then
    `problem` is the sentence that says why. `dtype` is that of the latents, such as "float16".
    `index` becomes the findings' `lane`; the cost belongs to no lane.
    """
    settings: dict[str, Any] = {
        "lane": lane,
        "steps": steps,
        "model_defaults": model_defaults,
        "dtype": dtype,
    }
    case = Case(**settings)
    findings = [finding for check in OF_SETTINGS for finding in check(case)]
    if schedule is None:
        findings += refused(case, problem)
    elif isinstance(schedule, CallTable):  # for diffusers' samplers only the calls are known
        table = StepTable.of(schedule, case.lane, case.sampler)
        with_steps = StepsCase(**settings, schedule=table)
        findings += [finding for check in OF_A_BASELINE for finding in check(with_steps)]
    else:
        with_schedule = ScheduleCase(**settings, schedule=schedule)
        findings += list(widths.broken(with_schedule)) or [
            finding for check in OF_A_SCHEDULE for finding in check(with_schedule)
        ]
    if index is not None:
        findings = [replace(finding, lane=index) for finding in findings]
    if cost is not None:
        findings += price(cost)
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
