"""The form as plain data: what its control holds for each field, and back to settings.

The shape: `{field: value}` for every field of RunSettings, the lanes as `lanes_value` has them.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from typing import Any

from explorer.models.catalog import ModelError
from explorer.settings import RunSettings, SettingsError
from explorer.settings.checks import Ranged
from explorer.settings.limits import LIMITS
from explorer.views.engine_protocol import EngineLike
from explorer.views.lanes import LANE_FIELDS, lane_values, lanes_value, most_lanes, read_lanes
from explorer.views.problems import FormError, Problem

LANES = "lanes"
RUN_FIELDS = {spec.name: spec for spec in fields(RunSettings) if spec.name != LANES}
FORM_FIELDS = (*RUN_FIELDS, LANES)
SIZES = ("width", "height")  # an empty box is the model's own
LONGEST_SIZE = 9  # digits


def control_value(name: str, value: Any) -> Any:
    """What the control of a field holds for a setting's value."""
    if name in SIZES:
        return str(value) if value else ""
    if name == "init_image":
        return None  # a picture comes by upload
    return value


def form_values(settings: RunSettings) -> dict[str, Any]:
    """What the form holds for settings, by field, as many lanes as the page has room for.

    It names no start picture. An empty model stands for the first one.
    """
    lanes = settings.lanes[: most_lanes()]
    alike = [{**lane_values(lane), "sampler": ""} for lane in lanes]
    same = all(each == alike[0] for each in alike)
    values = {name: control_value(name, getattr(settings, name)) for name in RUN_FIELDS}
    return values | {LANES: lanes_value(lanes, same)}


def default_values(engine: EngineLike, model: str = "") -> dict[str, Any]:
    """What the form holds when a page comes up with this model; raises ModelError for no model."""
    name = engine.catalog.find(model).name
    if name not in {entry.name for entry in engine.entries}:
        raise ModelError(f"The model {name[:96]!r} is not in the menu.")
    defaults = engine.facts.defaults(name)
    prompt = defaults.prompt or next(iter(engine.facts.examples(name)), "")
    values = form_values(defaults) | {"model": name, "prompt": prompt}
    return values | {LANES: lanes_value(defaults.lanes)}


def form_version(engine: EngineLike) -> str:
    """A name for the fields, their ranges and the models on offer: 16 hexadecimal digits.

    A form that was kept under the same name can be filled in as it is.
    """
    facts: list[Any] = [LIMITS, most_lanes(), [entry.name for entry in engine.entries]]
    for name, spec in (RUN_FIELDS | LANE_FIELDS).items():
        check = spec.metadata["check"]
        ends = (check.low, check.high) if isinstance(check, Ranged) else ()
        facts.append((name, spec.type, ends, spec.metadata.get("choices")))
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def read_form(
    values: Mapping[str, Any], picture: Callable[[str], str], without: Collection[str] = ()
) -> RunSettings:
    """Return the settings that the controls' values make; raises FormError with every problem.

    A field that is missing from `values`, or is in `without`, counts as untouched. `picture`
    returns the start picture that a browser names as a data URL.
    """
    lanes, wrong = read_lanes(values.get(LANES))
    problems = [Problem(*each) for each in wrong]
    settings = RunSettings()
    try:
        read: dict[str, Any] = {
            name: _read(name, values[name], picture)
            for name in RUN_FIELDS
            if name in values and name not in without
        }
        if not wrong:
            read[LANES] = lanes
        settings = RunSettings(**read)
    except SettingsError as error:
        problems.insert(0, Problem(error.name, str(error)))
    if problems:
        raise FormError(problems)
    return settings


def _read(name: str, value: Any, picture: Callable[[str], str]) -> Any:
    """A setting from what its control holds; raises SettingsError."""
    if name in SIZES:
        text = str(value or "0").strip()
        return int(text) if text.isdecimal() and len(text) <= LONGEST_SIZE else value
    if name == "init_image":
        return picture(value) if value else ""
    return value
