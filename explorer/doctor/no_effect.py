"""Settings that somebody changed and that do nothing in this combination, and why not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from explorer.doctor.finding import NOTE, Case, Finding, value_of
from explorer.sampling.wording import joined

WHOLE = ("leading", "trailing")  # spacings that visit whole training timesteps
CUSTOM_LIST = "this lane runs custom sigmas"


@dataclass(frozen=True)
class Idle:
    """A setting, what it is when nobody asks for anything, and why it may do nothing ("": it does).

    The value that the model itself begins with asks for nothing either.
    """

    name: str
    label: str
    neutral: Any
    why: Callable[[Case], str]

    def asks_nothing(self, case: Case) -> bool:
        value = case.get(self.name)
        return (
            value is None
            or value == self.neutral
            or value == value_of(case.model_defaults, self.name)
        )

    def reset(self, case: Case) -> Any:
        return value_of(case.model_defaults, self.name, self.neutral)


def no_effect(case: Case) -> Iterator[Finding]:
    """A finding for each reason why settings that were changed do nothing."""
    by_reason: dict[str, list[Idle]] = {}
    for idle in IDLE:
        if not idle.asks_nothing(case) and (why := idle.why(case)):
            by_reason.setdefault(why, []).append(idle)
    for why, idles in by_reason.items():
        labels = joined(idle.label for idle in idles)
        verb, it = ("have", "them") if len(idles) > 1 else ("has", "it")
        yield Finding(
            severity=NOTE,
            code="no_effect",
            sentence=f"{labels} {verb} no effect: {why.format(it=it)}.",
            numbers={
                idle.name: float(value)
                for idle in idles
                if isinstance(value := case.get(idle.name), int | float)
            },
            field=idles[0].name,
            # Not for what the sampler lacks: other lanes, with the same settings, may have a use.
            **case.mend("Reset", **{idle.name: idle.reset(case) for idle in idles}),
        )


def custom_steps(case: Case) -> Iterator[Finding]:
    """A number of steps that custom sigmas overrule."""
    length = case.schedule.steps
    if case.listed and length != case.steps:
        yield Finding(
            severity=NOTE,
            code="own_steps",
            sentence=f"Steps has no effect here: {CUSTOM_LIST}, {length} of them.",
            numbers={"steps": case.steps, "sigmas": length},
            field="steps",
        )


def _lacking(name: str, why: Callable[[Case], str]) -> Callable[[Case], str]:
    """The reason, or that the sampler has no such argument."""

    def reason(case: Case) -> str:
        if case.takes(name):
            return why(case)
        lack = "has no such argument" if case.sampler.baseline else "adds no noise"
        return f"{case.sampler.label} {lack}"

    return reason


def _only(*kinds: str) -> Callable[[Case], str]:
    """Something that shapes some schedule types only."""

    def why(case: Case) -> str:
        if case.listed:
            return CUSTOM_LIST
        return "" if case.kind in kinds else f"{case.label} has no use for {{it}}"

    return why


def _acts(case: Case) -> str:
    return ""


def _listed(case: Case) -> str:
    return "the list of trained betas replaces {it}" if case.get("trained_betas") else ""


def _beta_end(case: Case) -> str:
    cosine = case.get("beta_schedule") == "squaredcos_cap_v2"
    return _listed(case) or ("squaredcos_cap_v2 has no start and no end" if cosine else "")


def _noise(case: Case) -> str:
    adds = case.schedule.noise.any() or (case.schedule.sigma_hat > case.schedule.sigma).any()
    return "" if adds else "no noise is added in this run"


def _window(case: Case) -> str:
    return "" if case.get("s_churn") else "there is no churn"


def _midpoint(case: Case) -> str:
    return "" if case.schedule.steps > 1 else "a single step has no midpoint"


def _spacing(case: Case) -> str:
    if case.listed:
        return CUSTOM_LIST
    spaced = case.continuous or case.kind == "automatic"
    return "" if spaced else f"{case.label} sets its own spacing"


def _trailing(case: Case) -> str:
    # Under leading a run begins with a little more noise, whatever its sigmas.
    return _spacing(case) if case.spacing != "leading" else ""


def _offset(case: Case) -> str:
    leads = case.spacing == "leading"
    return _spacing(case) or ("" if leads else "only leading is moved by it")


def _end(case: Case) -> str:
    if case.listed:
        return CUSTOM_LIST
    return "" if case.continuous else f"{case.label} takes its sigmas from the training timesteps"


def _low_end(case: Case) -> str:
    return "" if case.get("final_sigmas_type") == "sigma_min" else _end(case)


def _discard(case: Case) -> str:
    return CUSTOM_LIST if case.listed else ""


def _visits_whole(case: Case) -> bool:
    return case.kind == "simple" or (case.kind == "automatic" and case.spacing in WHOLE)


def _interpolation(case: Case) -> str:
    if case.listed:
        return CUSTOM_LIST
    if case.kind not in ("automatic", "sgm_uniform", "simple"):
        return f"{case.label} has no use for {{it}}"
    return "all timesteps are whole" if _visits_whole(case) else ""


def _rounding(case: Case) -> str:
    if not case.listed and _visits_whole(case):
        return "all timesteps are whole"
    rounds_anyway = case.kind == "karras" and not case.listed
    if (case.get("round_timesteps") == "on") == rounds_anyway:
        who = "a list of custom sigmas" if case.listed else case.label
        return f"{who} {'rounds' if rounds_anyway else 'does not round'} anyway"
    return ""


IDLE = tuple(
    Idle(name, label, neutral, _lacking(name, why))
    for name, label, neutral, why in (
        ("schedule_type", "Schedule type", "automatic", _discard),
        ("timestep_spacing", "Timestep spacing", "auto", _trailing),
        ("steps_offset", "Steps offset", 0, _offset),
        ("rho", "Rho", 0.0, _only("karras", "polyexponential")),
        ("alpha", "Alpha", 0.6, _only("beta")),
        ("beta", "Beta", 0.6, _only("beta")),
        (
            "align_your_steps_table",
            "Steps for (Align Your Steps)",
            "sd15",
            _only("align_your_steps"),
        ),
        ("sigma_min", "Sigma min", 0.0, _low_end),
        ("sigma_max", "Sigma max", 0.0, _end),
        ("discard_penultimate_sigma", "Discard penultimate sigma", False, _discard),
        ("final_sigmas_type", "Final sigma", "zero", _acts),
        ("interpolation_type", "Interpolation", "auto", _interpolation),
        ("round_timesteps", "Round timesteps", "auto", _rounding),
        ("eta", "Eta", 1.0, _acts),
        ("s_noise", "Sigma noise", 1.0, _noise),
        ("s_churn", "Sigma churn", 0.0, _acts),
        ("s_tmin", "Sigma tmin", 0.0, _window),
        ("s_tmax", "Sigma tmax", 0.0, _window),
        ("midpoint_ratio", "Midpoint ratio", 0.5, _midpoint),
        ("beta_schedule", "Beta schedule", "scaled_linear", _listed),
        ("beta_start", "Beta start", 0.00085, _beta_end),
        ("beta_end", "Beta end", 0.012, _beta_end),
        ("num_train_timesteps", "Train timesteps", 1000, _listed),
        ("rescale_betas_zero_snr", "Rescale betas", False, _acts),
    )
)
