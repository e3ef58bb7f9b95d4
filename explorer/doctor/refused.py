"""Settings without a valid schedule: why, and the nearest valid ones."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from typing import Any

import numpy as np

from explorer.doctor.case import Case
from explorer.doctor.finding import ERROR, Finding, value_of
from explorer.sampling.betas import LARGEST_SIGMA, training_betas, training_sigmas
from explorer.settings.lane_fields import LaneFields

HALVINGS = 40  # of the distance to a beta that is too large: finer than the digits shown
DIGITS = 3  # in a beta that a fix proposes
DEFAULTS = {spec.name: spec.default for spec in fields(LaneFields)}
# Stable Diffusion's, if the model's own are not known.
USUAL = {name: DEFAULTS[name] for name in ("beta_start", "beta_end")}
# What to reset to its default if a sentence of the schedules begins with this name.
RESETS = {
    **{name: ((name,), f"{usual:g}") for name, usual in USUAL.items()},
    "rho": (("rho",), "Rho of the type"),
    "alpha": (("alpha", "beta"), "Alpha and beta {alpha:g}"),
    "sigma_min": (("sigma_min", "sigma_max"), "Use the table's ends"),
    "final_sigmas_type": (("final_sigmas_type",), "End at 0"),
    "s_tmax": (("s_tmax",), "No limit"),
    "steps_offset": (("steps_offset",), "No offset"),
    "sigmas": (("sigmas",), "Drop the list"),
}


def refused(case: Case, problem: str) -> Iterator[Finding]:
    """Why a lane has no valid schedule; `problem` is the sentence of the ValueError."""
    length = _length(case)
    # The one that is discarded needs a timestep too.
    most = length - 1 if case.get("discard_penultimate_sigma") else length
    if not case.listed and case.steps > most:
        yield Finding(
            severity=ERROR,
            code="steps_beyond_training",
            sentence=(
                f"{case.steps} steps are more than the {length} timesteps of training have room "
                f"for: take at most {most}."
            ),
            numbers={"steps": case.steps, "num_train_timesteps": length, "most": most},
            field="steps",
            fix={"steps": most},
            fix_label=f"{most} steps",
        )
    elif _overflows(case):
        yield _infinite(case)
    else:
        name = problem.partition(" ")[0].rstrip(":")  # the argument concerned
        names, label = RESETS.get(name, ((), ""))
        resets = {each: DEFAULTS[each] for each in names}
        fix = case.fix(label.format(**resets), **resets) if resets else {}
        yield Finding(severity=ERROR, code="no_schedule", sentence=problem, field=name, **fix)


def largest_beta_end(case: Case, limit: float = LARGEST_SIGMA) -> float | None:
    """The largest `beta_end`, to three digits, that ends the training below a sigma of `limit`.

    None if it has no effect (trained betas, the cosine schedule) or no value would do.
    """
    if case.get("trained_betas") or case.get("beta_schedule") == "squaredcos_cap_v2":
        return None
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _ends_below(case, limit, beta_end=middle) else (low, middle)
    if not low:
        return None
    scale = 10.0 ** (DIGITS - 1 - _exponent(low))
    rounded = int(low * scale) / scale
    return rounded if rounded and _ends_below(case, limit, beta_end=rounded) else low


def _length(case: Case) -> int:
    listed = case.get("trained_betas")
    return len(listed) if listed else case.get("num_train_timesteps", 1000)


def _exponent(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])


def _overflows(case: Case) -> bool:
    betas = (case.get(name, usual) for name, usual in USUAL.items())
    return all(0 < beta < 1 for beta in betas) and not _ends_below(case, LARGEST_SIGMA)


def _ends_below(case: Case, limit: float, **changed: float) -> bool:
    names = ("beta_schedule", "beta_start", "beta_end", "trained_betas", "num_train_timesteps")
    arguments: dict[str, Any] = {name: case.get(name) for name in names} | changed
    given = {name: value for name, value in arguments.items() if value is not None}
    with suppress(ValueError, TypeError), np.errstate(all="ignore"):
        betas = training_betas(
            **given, rescale_betas_zero_snr=bool(case.get("rescale_betas_zero_snr"))
        )
        return bool(training_sigmas(betas)[-1] < limit)
    return False


def _infinite(case: Case) -> Finding:
    end = largest_beta_end(case)
    numbers, least = {}, ""
    if case.get("trained_betas"):
        what = f"These {len(case.get('trained_betas'))} trained betas"
        fix, label = {"trained_betas": None}, "Drop the list"
    else:
        start, got = (case.get(name, usual) for name, usual in USUAL.items())
        what = f"Betas from {start:g} to {got:g}"
        numbers = {"beta_start": start, "beta_end": got}
        if end is not None:
            least = f"; with this beta start, {end:g} is the largest safe beta end"
            numbers["safe_beta_end"] = end
            fix, label = {"beta_end": end}, f"Beta end {end:g}"
        else:
            defaults = case.model_defaults or USUAL
            fix = {name: value_of(defaults, name, usual) for name, usual in USUAL.items()}
            label = f"Betas {fix['beta_start']:g} to {fix['beta_end']:g}"
    return Finding(
        severity=ERROR,
        code="infinite_sigma",
        sentence=(
            f"{what} end at an infinite sigma over {_length(case)} training timesteps{least}."
        ),
        numbers=numbers,
        field="trained_betas" if case.get("trained_betas") else "beta_end",
        **case.fix(label, **fix),
    )
