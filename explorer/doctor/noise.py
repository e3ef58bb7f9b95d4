"""The noise that a run starts with, and the noise that churn adds."""

from collections.abc import Iterator

import numpy as np

from explorer.doctor.case import ScheduleCase, StepsCase
from explorer.doctor.ends import OUTSIDE
from explorer.doctor.finding import ERROR, NOTE, WARNING, Finding
from explorer.doctor.refused import largest_beta_end
from explorer.sampling.schedules import SAME

LARGEST_FP16 = 65504.0  # the largest float16
DEVIATIONS = 4.5  # the largest of an SD latent's 16,384 normal numbers lies between 3.7 and 4.7
LARGEST_LIMIT = 1e6  # a plausible value; beyond it a fix turns churn off
ROOM = 0.9  # margin of a fix below the limit


def churned(case: ScheduleCase) -> Iterator[Finding]:
    """Churn that raises a step above the highest sigma of training."""
    table = case.schedule
    end = float(table.training_sigma[-1])
    lifted = table.sigma_hat > table.sigma * SAME
    over = lifted & (table.sigma_hat > end * SAME) & (table.sigma <= end * (1 + OUTSIDE))
    if not over.any():
        return
    step = int(np.argmax(np.where(over, table.sigma_hat, 0.0)))
    sigma, hat = float(table.sigma[step]), float(table.sigma_hat[step])
    below = table.sigma[table.sigma < table.sigma[over].min()]
    # Churn starts with the first sigma that it does not lift above the table's end.
    window = len(below) > 0 and case.get("s_tmin", 0.0) <= below[0] <= LARGEST_LIMIT
    limit = float(f"{np.sqrt(below[0] * table.sigma[over].min()):.6g}") if window else 0.0
    fix = {"s_tmax": limit} if window else {"s_churn": 0.0}
    yield Finding(
        severity=WARNING,
        code="churn_above_training",
        sentence=(
            f"Churn lifts step {step + 1} of {table.steps} from sigma {sigma:.4g} to {hat:.4g}; "
            f"the training ends at {end:.4g}, and the model is told just that."
        ),
        numbers={"step": step + 1, "sigma": sigma, "sigma_hat": hat, "training_sigma_max": end},
        field="s_churn",
        **case.fix(f"Churn up to sigma {limit:.3g}" if window else "No churn", **fix),
    )


def churn_window(case: ScheduleCase) -> Iterator[Finding]:
    """Churn between two limits with no step between them."""
    churn, table = case.get("s_churn"), case.schedule
    if churn and not (table.sigma_hat > table.sigma).any():
        yield Finding(
            severity=NOTE,
            code="churn_window",
            sentence="Sigma churn has no effect: no step lies between sigma tmin and sigma tmax.",
            numbers={name: case.get(name, 0.0) for name in ("s_churn", "s_tmin", "s_tmax")},
            field="s_churn",
            **case.fix("No limits", s_tmin=0.0, s_tmax=0.0),
        )


def fp16_overflow(case: StepsCase) -> Iterator[Finding]:
    """Start noise beyond the range of float16."""
    start = case.schedule.init_noise_sigma
    if case.dtype != "float16" or start * DEVIATIONS <= LARGEST_FP16:
        return
    yield Finding(
        severity=ERROR,
        code="fp16_overflow",
        sentence=(
            f"The start noise of sigma {start:,.0f} reaches {start * DEVIATIONS:,.0f}, but half "
            f"precision ends at {LARGEST_FP16:,.0f}: the run would break off."
        ),
        numbers={"init_noise_sigma": start, "largest": start * DEVIATIONS},
        field="beta_end",
        **_lower_start(case, ROOM * LARGEST_FP16 / DEVIATIONS),
    )


def _lower_start(case: StepsCase, limit: float) -> dict:
    """A fix that makes a run start below `limit`."""
    if case.listed:
        return {}
    if case.continuous:
        return case.fix(f"Sigma max {limit:.0f}", sigma_max=round(limit))
    if case.schedule.sigma[0] <= limit or (end := largest_beta_end(case, limit)) is None:
        return {}
    return case.fix(f"Beta end {end:g}", beta_end=end)
