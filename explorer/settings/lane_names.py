"""What the lanes of a run are called beside each other."""

from collections.abc import Sequence
from dataclasses import Field, fields
from typing import Any

from explorer.settings.lane import LaneSettings
from explorer.settings.lane_fields import AUTO

IN_THE_LABEL = ("sampler", "schedule_type", "sigmas")
MOST = 2  # settings that a name tells apart by: it stands above a picture


def lane_names(lanes: Sequence[LaneSettings]) -> tuple[str, ...]:
    """Each lane's label; of lanes with equal labels also what differs, as "DPM2 a, eta 0.5"."""
    return tuple(map(_name, lanes, [[o for o in lanes if o.label == it.label] for it in lanes]))


def _name(lane: LaneSettings, alike: Sequence[LaneSettings]) -> str:
    differing = [
        spec
        for spec in fields(LaneSettings)
        if spec.name not in IN_THE_LABEL
        and len({getattr(each, spec.name) for each in alike}) > 1
        and any(_acts(spec, each) for each in alike)
    ]
    words = [f"{_lower(spec)} {_value(spec, lane)}" for spec in differing[:MOST]]
    return ", ".join([lane.label, *words])


def _acts(spec: Field, lane: LaneSettings) -> bool:
    when = spec.metadata.get("when", {})
    return all(getattr(lane, name) in (*values, AUTO) for name, values in when.items())


def _lower(spec: Field) -> str:
    label = spec.metadata["label"]
    return label[0].lower() + label[1:]


def _value(spec: Field, lane: LaneSettings) -> str:
    value: Any = getattr(lane, spec.name)
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return "custom" if len(value) != 1 else f"{value[0]:g}"
    labels = {key: label for label, key in spec.metadata.get("choices", [])}
    return str(labels.get(value, "none" if value is None else value))
