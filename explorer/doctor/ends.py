"""The ends of a schedule compared with those of the training: too low, too high, or cut off."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from explorer.doctor.case import Case, StepsCase
from explorer.doctor.finding import NOTE, WARNING, Finding

SHRUNK = 0.9  # of the table's end; leading comes as near from 50 steps on, without harm
UNREACHED = 0.5  # a zero-SNR table's end is 4096, the timestep before it less than a fifth of that
RAISED = 2.0  # of the table's low end, 0.029: noise of 0.06 begins to show in a picture
OUTSIDE = 0.01  # published tables are rounded: Align Your Steps ends at 0.029, SD at 0.0292


def shrunk(case: StepsCase) -> Iterator[Finding]:
    """A run that starts below the last training timestep."""
    table = case.schedule
    top, end = float(table.sigma[0]), float(table.training_sigma[-1])
    zero_snr = bool(case.get("rescale_betas_zero_snr"))
    if top >= end * (UNREACHED if zero_snr else SHRUNK):
        return
    who, causes = _limiting_options(case, "sigma_max", "leading")
    fix = _to_the_end(case, causes)
    shared = {
        "field": next(iter(causes), "schedule_type"),
        "numbers": {"sigma_max": top, "training_sigma_max": end},
    }
    if zero_snr:
        yield Finding(
            severity=WARNING,
            code="zero_snr_unreached",
            sentence=(
                f"{who} begins at sigma {top:.3g}: the end at {end:.4g}, for which the betas are "
                "rescaled to zero terminal SNR, is never reached."
            ),
            **shared,
            **fix,
        )
        return
    yield Finding(
        # Leading alone is how diffusers runs SD: there it is a choice, elsewhere a mistake.
        severity=WARNING if causes and case.continuous else NOTE,
        code="range_shrunk",
        sentence=(
            f"{who} begins at sigma {top:.3g} and not at the training's {end:.4g}: "
            "the model takes the start noise for traces of a picture."
        ),
        **shared,
        **fix,
    )


def raised(case: StepsCase) -> Iterator[Finding]:
    """A continuous schedule that ends well above the lowest sigma of training."""
    table = case.schedule
    low, end = float(table.sigma[-1]), float(table.training_sigma[0])
    if not case.continuous or table.steps < 2 or low <= RAISED * end:
        return
    who, causes = _limiting_options(case, "sigma_min", "trailing")
    if causes and not case.get("discard_penultimate_sigma"):
        yield Finding(
            severity=NOTE,
            code="low_end_raised",
            sentence=(
                f"{who} ends at sigma {low:.3g} and not at the training's {end:.3g}: the last step "
                "removes all that is left at once."
            ),
            numbers={"sigma_min": low, "training_sigma_min": end},
            field=next(iter(causes)),
            **_to_the_end(case, causes),
        )


def _limiting_options(case: Case, option: str, spacing: str) -> tuple[str, dict[str, Any]]:
    """What keeps a run from reaching an end of the training, in words, and the settings that do
    not.
    """
    if case.listed:
        return "The list", {}
    who, causes = case.label, {}
    if case.continuous and case.get(option):
        who, causes[option] = f"{who} with this {option.replace('_', ' ')}", 0.0
    if case.spacing == spacing and (case.continuous or case.kind == "automatic"):
        who = who if causes else f"{who} under {spacing}"
        causes["timestep_spacing"] = "linspace" if case.continuous else "trailing"
    return who, causes


def _to_the_end(case: Case, causes: dict[str, Any]) -> dict[str, Any]:
    if not causes:
        return {}
    options = [name for name in causes if name != "timestep_spacing"]
    label = "Use the table's end" if options else f"Use {causes['timestep_spacing']}"
    return case.fix(label, **causes)


def outside(case: StepsCase) -> Iterator[Finding]:
    """Noise levels that the model was not trained on; it gets the timestep at the table's end."""
    table = case.schedule
    known, sigma = table.training_sigma, table.sigma
    over, under = sigma > known[-1] * (1 + OUTSIDE), sigma < known[0] * (1 - OUTSIDE)
    count = int(np.sum(over | under))
    if not count:
        return
    worst = float(sigma[0] if over.any() else sigma[-1])
    ends = {"sigma_max": over.any(), "sigma_min": under.any()}
    causes = {
        name: 0.0
        for name, is_out in ends.items()
        if is_out and case.get(name) and case.continuous and not case.listed
    }
    mended = len(causes) == sum(map(bool, ends.values()))
    yield Finding(
        severity=WARNING,
        code="outside_training",
        sentence=(
            f"{count} of {table.steps} steps {'lies' if count == 1 else 'lie'} outside the noise "
            f"that the model was trained on, sigma {known[0]:.3g} to {known[-1]:.4g}; the worst "
            f"is at {worst:.4g}."
        ),
        numbers={
            "steps": count,
            "sigma": worst,
            "training_sigma_min": float(known[0]),
            "training_sigma_max": float(known[-1]),
        },
        field=next(iter(causes), "schedule_type"),
        **(case.fix("Use the table's ends", **causes) if mended else {}),
    )


def noise_left(case: StepsCase) -> Iterator[Finding]:
    """A run that does not go down to 0."""
    left = float(case.schedule.sigma_next[-1])
    if left > 0:
        yield Finding(
            severity=NOTE,
            code="noise_left",
            sentence=f"The run ends at sigma {left:.3g}, not at 0: that noise stays in the latent.",
            numbers={"sigma": left},
            field="final_sigmas_type",
            **case.fix("End at 0", final_sigmas_type="zero"),
        )
