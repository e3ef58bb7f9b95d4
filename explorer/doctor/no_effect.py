"""Changed settings that have no effect in this combination, and why."""

from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, fields

from explorer.doctor.case import StepsCase
from explorer.doctor.finding import NOTE, Finding, value_of
from explorer.sampling.schedules import Schedule
from explorer.sampling.wording import joined
from explorer.settings.lane_fields import LaneFields

WHOLE = ("leading", "trailing")  # spacings that visit whole training timesteps
CUSTOM_LIST = "this lane runs custom sigmas"

Reason = Callable[[StepsCase], str]  # why a setting has no effect; "" if it has one


@dataclass(frozen=True)
class Idle:
    """A setting, its neutral value, and why it may have no effect ("" if it has one).

    The model's default counts as neutral too.
    """

    name: str
    label: str
    neutral: object
    why: Reason

    def asks_nothing(self, case: StepsCase) -> bool:
        value = case.get(self.name)
        return (
            value is None
            or value == self.neutral
            or value == value_of(case.model_defaults, self.name)
        )

    def reset(self, case: StepsCase) -> object:
        return value_of(case.model_defaults, self.name, self.neutral)


def no_effect(case: StepsCase) -> Iterator[Finding]:
    """A finding for each reason why changed settings have no effect."""
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
            # None for options that the sampler lacks: other lanes with these settings may use them
            **case.fix("Reset", **{idle.name: idle.reset(case) for idle in idles}),
        )


def custom_steps(case: StepsCase) -> Iterator[Finding]:
    """A number of steps that custom sigmas override."""
    length = case.schedule.steps
    if case.listed and length != case.steps:
        yield Finding(
            severity=NOTE,
            code="own_steps",
            sentence=f"Steps has no effect here: {CUSTOM_LIST}, {length} of them.",
            numbers={"steps": case.steps, "sigmas": length},
            field="steps",
        )


def _lacking(name: str, why: Reason) -> Reason:
    """The reason, or that the sampler has no such argument."""

    def reason(case: StepsCase) -> str:
        if case.takes(name):
            return why(case)
        lack = "has no such argument" if case.sampler.baseline else "adds no noise"
        return f"{case.sampler.label} {lack}"

    return reason


def _only(*kinds: str) -> Reason:
    """An option of some schedule types only."""

    def why(case: StepsCase) -> str:
        if case.listed:
            return CUSTOM_LIST
        return "" if case.kind in kinds else f"{case.label} has no use for {{it}}"

    return why


def _acts(case: StepsCase) -> str:
    return ""


def _listed(case: StepsCase) -> str:
    return "the list of trained betas replaces {it}" if case.get("trained_betas") else ""


def _beta_end(case: StepsCase) -> str:
    cosine = case.get("beta_schedule") == "squaredcos_cap_v2"
    return _listed(case) or ("squaredcos_cap_v2 has no start and no end" if cosine else "")


def _noise(case: StepsCase) -> str:
    table = case.schedule
    if not isinstance(table, Schedule):
        return ""
    adds = table.noise.any() or (table.sigma_hat > table.sigma).any()
    return "" if adds else "no noise is added in this run"


def _window(case: StepsCase) -> str:
    return "" if case.get("s_churn") else "there is no churn"


def _midpoint(case: StepsCase) -> str:
    return "" if case.schedule.steps > 1 else "a single step has no midpoint"


def _spacing(case: StepsCase) -> str:
    if case.listed:
        return CUSTOM_LIST
    spaced = case.continuous or case.kind == "automatic"
    return "" if spaced else f"{case.label} sets its own spacing"


def _trailing(case: StepsCase) -> str:
    # Under leading a run begins with a little more noise, whatever its sigmas.
    return _spacing(case) if case.spacing != "leading" else ""


def _offset(case: StepsCase) -> str:
    leads = case.spacing == "leading"
    return _spacing(case) or ("" if leads else "only leading is moved by it")


def _end(case: StepsCase) -> str:
    if case.listed:
        return CUSTOM_LIST
    return "" if case.continuous else f"{case.label} takes its sigmas from the training timesteps"


def _low_end(case: StepsCase) -> str:
    return "" if case.get("final_sigmas_type") == "sigma_min" else _end(case)


def _custom(case: StepsCase) -> str:
    return CUSTOM_LIST if case.listed else ""


def _visits_whole(case: StepsCase) -> bool:
    return case.kind == "simple" or (case.kind == "automatic" and case.spacing in WHOLE)


def _interpolation(case: StepsCase) -> str:
    if case.listed:
        return CUSTOM_LIST
    if case.kind not in ("automatic", "sgm_uniform", "simple"):
        return f"{case.label} has no use for {{it}}"
    return "all timesteps are whole" if _visits_whole(case) else ""


def _rounding(case: StepsCase) -> str:
    if not case.listed and _visits_whole(case):
        return "all timesteps are whole"
    rounds_anyway = case.kind == "karras" and not case.listed
    if (case.get("round_timesteps") == "on") == rounds_anyway:
        who = "a list of custom sigmas" if case.listed else case.label
        return f"{who} {'rounds' if rounds_anyway else 'does not round'} anyway"
    return ""


def _outside(spec: Field) -> Reason:
    """Where the page hides a field for the schedule type, that is the reason."""
    when = spec.metadata.get("when", {})
    return _only(*when["schedule_type"]) if "schedule_type" in when else _acts


# Conditions of a field beyond the schedule types of its `when` and a sampler that takes it.
REASONS = {
    "schedule_type": _custom,
    "timestep_spacing": _trailing,
    "steps_offset": _offset,
    "sigma_min": _low_end,
    "sigma_max": _end,
    "discard_penultimate_sigma": _custom,
    "interpolation_type": _interpolation,
    "round_timesteps": _rounding,
    "s_noise": _noise,
    "s_tmin": _window,
    "s_tmax": _window,
    "midpoint_ratio": _midpoint,
    "beta_schedule": _listed,
    "beta_start": _beta_end,
    "beta_end": _beta_end,
    "num_train_timesteps": _listed,
}
IDLE = tuple(
    Idle(
        name=spec.name,
        label=spec.metadata.get("sentence_label", spec.metadata["label"]),
        neutral=spec.default,
        why=_lacking(spec.name, REASONS.get(spec.name) or _outside(spec)),
    )
    for spec in fields(LaneFields)
)
