"""Settings from elsewhere, or from another version: what is out of range is mended, and said."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from explorer.sampling.wording import counted, lane_letter
from explorer.settings.fields import SettingsError
from explorer.settings.lane import LaneSettings
from explorer.settings.limits import LIMITS
from explorer.settings.run import MAX_SEED, RunSettings

RUN_FIELDS = {spec.name: spec for spec in fields(RunSettings) if spec.name != "lanes"}
LANE_FIELDS = {spec.name: spec for spec in fields(LaneSettings)}
LONGEST = 60  # characters of a value, or an unknown name, in a sentence
MOST_NOTES = 50
Values = dict[str, Any]


@dataclass(frozen=True)
class Mended:
    """Settings that are allowed here; `notes` has a sentence for each that came otherwise."""

    settings: RunSettings
    notes: tuple[str, ...]


def mend(values: Mapping[str, Any]) -> Mended:
    """Return the settings nearest to plain data, which may be anything; nothing is raised.

    `values` are those of `RunSettings.to_dict`. What is missing has its default, a number out of
    range becomes the nearest that is allowed, any other value that is not allowed its default, and
    unknown names are left out.
    """
    notes: list[str] = []
    run = _mended_fields(values, RUN_FIELDS, notes, "")
    lanes = _mended_lanes(values["lanes"], notes) if "lanes" in values else None
    run |= {} if lanes is None else {"lanes": lanes}
    settings = _built(run, notes)
    if len(notes) > MOST_NOTES:
        notes = [*notes[:MOST_NOTES], f"... and {len(notes) - MOST_NOTES:,} more."]
    return Mended(settings, tuple(notes))


def _mended_fields(
    values: Mapping[str, Any], known: Mapping[str, Any], notes: list[str], of: str
) -> Values:
    """The values of known fields, each of which is allowed by itself; `of` is "Lane A: "."""
    mended: Values = {}
    for name, value in values.items():
        if name == "lanes" and known is RUN_FIELDS:
            continue
        if name not in known:
            notes.append(f"{of}{_short(name)} is no setting of this version, and is left out.")
            continue
        spec = known[name]
        try:
            mended[name] = spec.metadata["check"](spec.metadata["label"], value)
        except ValueError as error:
            mended[name] = _nearest(spec, value)
            notes.append(f"{of}{error} It is {_short(mended[name])} now.")
    return mended


def _nearest(spec: Any, value: Any) -> Any:
    """The allowed value nearest to a number; the default in place of any other."""
    check = spec.metadata["check"]
    try:
        return check(spec.metadata["label"], check.nearest(value))
    except (AttributeError, ValueError):  # no number, or a range without its ends
        return spec.default


def _mended_lanes(lanes: Any, notes: list[str]) -> tuple[LaneSettings, ...] | None:
    if not isinstance(lanes, list | tuple) or not lanes:
        notes.append("The lanes did not arrive as a list: they have their defaults.")
        return None
    if len(lanes) > LIMITS.lanes:
        notes.append(
            f"A run has at most {LIMITS.lanes} lanes: the last {len(lanes) - LIMITS.lanes:,} are "
            "left out."
        )
    return tuple(_mended_lane(lane, at, notes) for at, lane in enumerate(lanes[: LIMITS.lanes]))


def _mended_lane(lane: Any, at: int, notes: list[str]) -> LaneSettings:
    of = f"Lane {lane_letter(at)}: "
    if not isinstance(lane, Mapping):
        notes.append(f"{of}its settings did not arrive: it has the defaults.")
        return LaneSettings()
    values = _mended_fields(lane, LANE_FIELDS, notes, of)
    while True:
        try:
            return LaneSettings(**values)
        except SettingsError as error:  # fields that contradict each other
            name = error.name if error.name in values else next(iter(values))
            del values[name]
            default = LANE_FIELDS[name].default
            notes.append(f"{of}{error} {_label(LANE_FIELDS[name])} is {_short(default)} now.")


def _built(run: Values, notes: list[str]) -> RunSettings:
    """The settings that these values make; those that do not fit together are mended in turn."""
    tried: dict[str, int] = {}
    while True:
        try:
            return RunSettings(**run)
        except SettingsError as error:
            repairs = REPAIRS.get(error.name, ())
            at = tried[error.name] = tried.get(error.name, -1) + 1
            if at == len(repairs):  # they do not help, which no rule of today's comes to
                run.clear()
                notes.append(f"{error} All settings have their defaults now.")
                continue
            ((name, value),) = repairs[at](run).items()
            run[name] = value
            now = f"{_label(RUN_FIELDS[name])} is {_short(value)}" if name in RUN_FIELDS else ""
            notes.append(f"{error} {now or 'They are left out'} now.")


def _limited(name: str) -> Callable[[Values], Values]:
    most = {"width": "side", "height": "side"}.get(name, name)
    return lambda run: {name: getattr(LIMITS, most)}


def _without_long_lists(run: Values) -> Values:
    """Custom sigmas have a number of steps, which may be limited here."""
    lanes: Iterable[LaneSettings] = run["lanes"]
    kept = [
        {**vars_of(lane), "sigmas": None} if lane.step_count(1) > LIMITS.steps else vars_of(lane)
        for lane in lanes
    ]
    return {"lanes": tuple(LaneSettings(**lane) for lane in kept)}


def vars_of(lane: LaneSettings) -> Values:
    """A lane's fields by name."""
    return {name: getattr(lane, name) for name in LANE_FIELDS}


# What is tried, one after the other, where these do not fit to the rest.
REPAIRS: dict[str, tuple[Callable[[Values], Values], ...]] = {
    "steps": (_limited("steps"),),
    "width": (_limited("width"),),
    "height": (_limited("height"),),
    "batch_size": (_limited("batch_size"),),
    "seed": (lambda run: {"seed": MAX_SEED - run.get("batch_size", 1) + 1},),
    "strength": (
        lambda run: {"strength": RUN_FIELDS["strength"].default},
        lambda run: {"strength": 1.0},
    ),
    "refiner_switch_at": (
        lambda run: {"refiner_switch_at": RUN_FIELDS["refiner_switch_at"].default},
        lambda run: {"refiner": ""},
    ),
    "lanes": (_without_long_lists,),
}


def _label(spec: Any) -> str:
    return spec.metadata["label"]


def _short(value: object) -> str:
    """A value as a sentence shows it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return counted(len(value), "value")
    if value is None or value == "":
        return "none"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
