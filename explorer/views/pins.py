"""Pinned schedules: settings that a page keeps and sends back, to be drawn beside its lanes.

A page may send anything, so each pin is validated like a form, with a sentence for what is wrong.
"""

import json
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from explorer.plots.curves import Curve, curve_of
from explorer.sampling.wording import counted
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.limits import LIMITS

LONGEST_NAME = 80  # letters
KEPT_PINS = 100  # every redraw of a page sends its pins again

PLAIN = LaneSettings()


@dataclass(frozen=True, eq=False)
class Pin:
    """One pin by the page's id: its curve, or the sentence that says why there is none."""

    id: str
    curve: Curve | None
    problem: str = ""


def pin_of(lane: LaneSettings, curve: Curve) -> dict[str, Any]:
    """A lane's schedule for a page to keep: plain JSON with what differs from the defaults."""
    values = {spec.name: getattr(lane, spec.name) for spec in fields(lane)}
    changed = {name: value for name, value in values.items() if value != getattr(PLAIN, name)}
    return {
        "label": f"{lane.label}, {counted(curve.steps, 'step')}",
        "steps": curve.steps,
        "lane": changed,
    }


def read_pins(data: object) -> list[Pin]:
    """The pins that a page sent; one that cannot be drawn has a sentence instead of a curve."""
    if not isinstance(data, list):
        return []
    most = LIMITS.pins
    pins = [_read(entry) for entry in data[:most]]
    for entry in data[most : 2 * most]:
        pins.append(Pin(_id(entry), None, f"Only the first {most} pins are drawn."))
    return pins


def _read(entry: object) -> Pin:
    if not isinstance(entry, dict) or not isinstance(entry.get("lane"), dict):
        return Pin(_id(entry), None, "This pin holds no schedule; remove it.")
    label = str(entry.get("label") or "")[:LONGEST_NAME]
    kept = {"id": _id(entry), "label": label, "steps": entry.get("steps"), "lane": entry["lane"]}
    text = json.dumps(kept)
    if len(text) > LIMITS.text_characters:
        return Pin(_id(entry), None, "This pin's lists are too long to be drawn; remove it.")
    return _drawn(text)


@lru_cache(maxsize=KEPT_PINS)
def _drawn(text: str) -> Pin:
    entry = json.loads(text)
    name = _id(entry)
    try:
        run = RunSettings.from_dict({"steps": entry.get("steps"), "lanes": [entry["lane"]]})
        lane = run.lanes[0]
        label = entry["label"] or lane.label
        return Pin(name, curve_of(lane.schedule(run.steps), label, pin=name))
    except ValueError as error:
        return Pin(name, None, f"Not drawn: {str(error)[:300]}")


def _id(entry: object) -> str:
    return str(entry.get("id", ""))[:LONGEST_NAME] if isinstance(entry, dict) else ""
