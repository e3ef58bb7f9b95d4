"""Names and conventions of other programs, as fields here: samplers, schedule types, models."""

from collections.abc import Sequence
from dataclasses import fields

from explorer.records.interchange.collected import Collected
from explorer.records.interchange.infotext import UNIFORM
from explorer.sampling.samplers import OURS, find_sampler, split_name
from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.sampling.wording import joined
from explorer.settings import LaneSettings
from explorer.settings.fields import SettingsError

SCHEDULE_NAMES = {
    **{key: key for key in SCHEDULE_TYPES},
    **{kind.label.lower(): key for key, kind in SCHEDULE_TYPES.items()},
    UNIFORM.lower(): "automatic",
    "normal": "automatic",
}
BETA57 = {"lanes.schedule_type": "beta", "lanes.alpha": 0.5, "lanes.beta": 0.7}


def put_sampler(collected: Collected, key: str, value: str) -> None:
    """Take a sampler by any of its names, with the schedule type that may end it."""
    name, kind = split_name(value[:80])
    sampler = sampler_key(name)
    if not sampler:
        collected.leave(key, value, "no sampler here")
    elif kind:
        collected.put(key, value, **{"lanes.sampler": sampler, "lanes.schedule_type": kind})
    else:
        collected.put(key, value, **{"lanes.sampler": sampler})


def put_schedule_type(collected: Collected, key: str, value: str) -> None:
    """Take a schedule type by A1111's or ComfyUI's name."""
    if value.lower() == "beta57":
        collected.put(key, value, **BETA57)
    elif kind := SCHEDULE_NAMES.get(value.lower()):
        collected.put(key, value, **{"lanes.schedule_type": kind})
    else:
        collected.leave(key, value, "no schedule type here")


def put_model(
    collected: Collected, key: str, value: str, models: Sequence[str], field: str = "model"
) -> None:
    """Take a model that may be chosen here, by its name or that of its file."""
    wanted = value.lower()
    for name in models:
        last = name.replace("\\", "/").rpartition("/")[2].lower()
        if wanted.removesuffix(".safetensors") in (name.lower(), last.removesuffix(".safetensors")):
            collected.put(key, value, **{field: name})
            return
    collected.leave(key, value, "not among the models here")


def run_as_a1111(collected: Collected, source: str, discards: bool = True) -> None:
    """Add what makes a lane of DPM2 or DPM2 a run as A1111 and ComfyUI run it, and say so.

    ComfyUI leaves the penultimate sigma out in its KSampler only: `discards`.
    """
    given = {
        name: value
        for name, value in collected.lane.items()
        if name in ("sampler", "schedule_type")
    }
    if given.get("sampler", OURS[0]) not in OURS:
        return
    try:
        lane = LaneSettings(**given).as_a1111()
    except SettingsError:  # a type that the sampler has not, which is said elsewhere
        return
    plain = LaneSettings(**given)
    added = {}
    for spec in fields(LaneSettings):
        value = getattr(lane, spec.name)
        if spec.name == "discard_penultimate_sigma" and not discards:
            continue
        if value != getattr(plain, spec.name) and spec.name not in collected.lane:
            collected.lane[spec.name] = added[spec.metadata["label"]] = value
    if added:
        listed = joined(f"{label} {_plain_text(value)}" for label, value in added.items())
        collected.notes.append(f"As {source} runs {lane.solver.label}: {listed}.")


def _plain_text(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def sampler_key(name: str) -> str:
    """The key of the sampler of any of its names; "" for a name of none."""
    try:
        return find_sampler(name[:80]).key
    except ValueError:
        return ""
