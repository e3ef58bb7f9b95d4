"""Settings that give no schedule: why, and the nearest ones that do."""

from collections.abc import Iterator
from contextlib import suppress

from explorer.sampling.betas import LARGEST_SIGMA, training_betas, training_sigmas
from explorer.sampling.findings.finding import ERROR, Case, Finding, value_of

HALVINGS = 40  # of the distance to a beta that is too large: finer than what is shown of it
DIGITS = 3  # of a beta that a fix proposes
# Stable Diffusion's, where the model's own are not known.
USUAL = {"beta_start": 0.00085, "beta_end": 0.012}


def refused(case: Case, problem: str) -> Iterator[Finding]:
    """Why a lane has no schedule; `problem` is the sentence of the ValueError."""
    listed = case.get("trained_betas")
    length = len(listed) if listed else case.get("num_train_timesteps", 1000)
    if case.get("sigmas") is None and case.steps > length:
        yield Finding(
            severity=ERROR,
            code="steps_beyond_training",
            sentence=(
                f"{case.steps} steps need as many training timesteps, and there are {length}: take "
                f"at most {length} steps."
            ),
            numbers={"steps": case.steps, "num_train_timesteps": length},
            field="steps",
            fix={"steps": length},
            fix_label=f"{length} steps",
        )
    elif _overflows(case):
        yield _infinite(case)
    else:
        yield Finding(severity=ERROR, code="no_schedule", sentence=problem)


def largest_beta_end(case: Case, limit: float = LARGEST_SIGMA) -> float | None:
    """The largest `beta_end`, to three digits, that ends the training below a sigma of `limit`.

    None where it has no say (trained betas, the cosine schedule) or none would do.
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


def _exponent(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])


def _overflows(case: Case) -> bool:
    return not _ends_below(case, LARGEST_SIGMA)


def _ends_below(case: Case, limit: float, **changed: float) -> bool:
    names = ("beta_schedule", "beta_start", "beta_end", "trained_betas", "num_train_timesteps")
    given = {name: case.get(name) for name in names} | changed
    given = {name: value for name, value in given.items() if value is not None}
    with suppress(ValueError, TypeError):
        betas = training_betas(**given, rescale_betas_zero_snr=bool(case.get("rescale_betas_zero_snr")))
        return bool(training_sigmas(betas)[-1] < limit)
    return False


def _infinite(case: Case) -> Finding:
    end = largest_beta_end(case)
    numbers, fix, least = {}, {}, ""
    if case.get("trained_betas"):
        what = f"These {len(case.get('trained_betas'))} trained betas"
        fix, label = {"trained_betas": None}, "Drop the list"
    else:
        start, got = case.get("beta_start"), case.get("beta_end")
        what = f"Betas from {start:g} to {got:g}"
        numbers = {"beta_start": start, "beta_end": got}
        if end is not None:
            least = f"; with this beta start, {end:g} is the largest safe beta end"
            numbers["safe_beta_end"] = end
            fix, label = {"beta_end": end}, f"Beta end {end:g}"
        else:
            own = case.own or USUAL
            fix = {name: value_of(own, name, usual) for name, usual in USUAL.items()}
            label = f"Betas {fix['beta_start']:g} to {fix['beta_end']:g}"
    return Finding(
        severity=ERROR,
        code="infinite_sigma",
        sentence=(
            f"{what} end at an infinite sigma over {case.get('num_train_timesteps', 1000)} training "
            f"timesteps{least}."
        ),
        numbers=numbers,
        field="trained_betas" if case.get("trained_betas") else "beta_end",
        **case.mend(label, **fix),
    )
