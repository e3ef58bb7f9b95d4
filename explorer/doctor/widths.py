"""The widths of the steps: whether the sigmas decrease, and which steps are too wide."""

from collections.abc import Iterator

import numpy as np

from explorer.doctor.case import ScheduleCase, StepsCase
from explorer.doctor.finding import ERROR, NOTE, WARNING, Finding

FEWEST = 4  # steps; a median of fewer than three widths is meaningless
AGAINST_MEDIAN = 3.0  # Karras' widest step is 1.7 medians, that of linspace 4 to 30
WIDE_FOLD = 10.0  # the midpoint method is no longer of second order over a step like this
# SD betas, linspace: 50 steps end with a fall of 4.8, where dropping a sigma changes nothing any
# more; 20 with one of 8; from 10 on, with 12.6, an ancestral run gets twice as near to the data.
LAST_FOLD, LAST_FOLD_WARNS = 5.0, 10.0
NARROW, AGAINST_NARROW = 0.01, 0.05  # in log sigma; 1,000 steps of SD are 0.006 wide
ALL_NOISE = (
    80.0  # sigma above which no picture is visible (Karras et al. 2022): steps there are free
)
SAME = 1e-9  # between two sigmas from the same formula


def broken(case: ScheduleCase) -> Iterator[Finding]:
    """Sigmas that are not finite, or do not decrease: no other check applies to them."""
    table = case.schedule
    finite = np.isfinite([table.sigma, table.sigma_next, table.sigma_down, table.sigma_up]).all(0)
    finite &= np.isfinite(table.timestep)
    finite[:-1] &= np.isfinite(table.sigma_mid) & np.isfinite(table.timestep_mid)
    if not finite.all():
        step = int(np.argmin(finite)) + 1
        yield Finding(
            severity=ERROR,
            code="not_finite",
            sentence=(
                f"Step {step} of {table.steps} has a noise level that is no finite number: the "
                "run would break off there."
            ),
            numbers={"step": step, "steps": int(np.sum(~finite))},
            field="schedule_type",
        )
        return
    levels = np.append(table.sigma, table.sigma_next[-1])
    falls = levels[1:] < levels[:-1]
    if not falls.all():
        step = int(np.argmin(falls))
        here, then = float(levels[step]), float(levels[step + 1])
        yield Finding(
            severity=ERROR,
            code="not_decreasing",
            sentence=(
                f"Step {step + 1} of {table.steps} goes from sigma {here:.4g} to {then:.4g}: "
                "sigmas must fall from step to step."
            ),
            numbers={"step": step + 1, "sigma": here, "sigma_next": then},
            field="schedule_type",
        )


def widest(case: StepsCase) -> Iterator[Finding]:
    """A step far wider in log sigma than the others; a known problem before the lowest sigma."""
    table = case.schedule
    if table.steps < FEWEST:
        return
    widths = -np.diff(np.log(np.minimum(table.sigma, ALL_NOISE)))
    median = float(np.median(-np.diff(np.log(table.sigma))))
    step = int(np.argmax(widths))
    fold, medians = float(np.exp(widths[step])), float(widths[step]) / median
    if medians < AGAINST_MEDIAN:
        return
    high, low = float(table.sigma[step]), float(table.sigma[step + 1])
    numbers = {"step": step + 1, "sigma": high, "sigma_next": low, "fold": fold, "medians": medians}
    extent = f"from sigma {high:.3g} to {low:.3g}, is {medians:.1f} times the median width"
    # For our two samplers other programs drop a sigma; for a baseline the step is only wide.
    lowest = step == table.steps - 2 and not case.listed and case.takes("discard_penultimate_sigma")
    if lowest and not case.get("discard_penultimate_sigma"):
        if fold >= LAST_FOLD:
            yield _last_step(case, extent, numbers)
    elif fold >= WIDE_FOLD:
        evener = not case.listed and case.kind != "exponential"
        evener &= "exponential" in case.sampler.schedule_types
        yield Finding(
            severity=NOTE,
            code="wide_step",
            sentence=f"Step {step + 1} of {table.steps}, {extent} in log sigma.",
            numbers=numbers,
            field="schedule_type",
            **(case.fix("Use exponential", schedule_type="exponential") if evener else {}),
        )


def narrowest(case: StepsCase) -> Iterator[Finding]:
    """Steps that hardly change the noise level: they cost model calls for nothing."""
    table = case.schedule
    if table.steps < FEWEST:
        return
    widths = -np.diff(np.log(table.sigma))
    narrow = (widths < AGAINST_NARROW * np.median(widths)) & (widths < NARROW)
    if not narrow.any():
        return
    step, count = int(np.argmax(narrow)), int(narrow.sum())
    high, low = float(table.sigma[step]), float(table.sigma[step + 1])
    wasted = case.sampler.order * count
    kept = case.get("sigmas")
    fix = {}
    if case.listed:
        # Of two nearly equal sigmas the lower is dropped, so that the start does not change.
        kept = tuple(sigma for at, sigma in enumerate(kept) if not at or not narrow[at - 1])
        fix = case.fix("Drop them" if count > 1 else "Drop it", sigmas=kept)
    yield Finding(
        severity=WARNING,
        code="narrow_step",
        sentence=(
            f"Step {step + 1} of {table.steps} goes from sigma {high:.6g} only to {low:.6g}: "
            f"{count} such step{'s waste' if count > 1 else ' wastes'} {wasted} model "
            f"call{'s' if wasted > 1 else ''}."
        ),
        numbers={"step": step + 1, "sigma": high, "sigma_next": low, "steps": count},
        field="sigmas",
        **fix,
    )


def _last_step(case: StepsCase, extent: str, numbers: dict[str, float]) -> Finding:
    # Without noise the wide step does little harm, and dropping its end smooths the picture.
    is_warning = case.schedule.eta > 0 and numbers["fold"] >= LAST_FOLD_WARNS
    has_room = case.schedule.steps < len(case.schedule.training_sigma)  # for one more
    fix = case.fix("Discard penultimate sigma", discard_penultimate_sigma=True)
    return Finding(
        severity=WARNING if is_warning else NOTE,
        code="last_step",
        sentence=(
            f"The last step but one, {extent} in log sigma; A1111 and ComfyUI leave "
            f"{numbers['sigma_next']:.3g} out."
        ),
        numbers=numbers,
        field="discard_penultimate_sigma",
        **(fix if has_room else {}),
    )


def midpoints(case: ScheduleCase) -> Iterator[Finding]:
    """Midpoints that equal the next sigma, as at eta 1 (also in diffusers' own DPM2 a)."""
    table = case.schedule
    if table.steps < 2 or not len(table.sigma_mid):
        return
    ratio = np.abs(table.sigma_mid / table.sigma_next[: len(table.sigma_mid)] - 1)
    same = int(np.sum(ratio < SAME))
    if same:
        yield Finding(
            severity=NOTE,
            code="midpoint_is_next",
            sentence=(
                f"At eta {table.eta:g} a midpoint is the next sigma: the second call of a step and "
                "the first of the next one see the same noise level."
            ),
            numbers={"midpoints": same, "eta": float(table.eta)},
            field="eta",
        )
