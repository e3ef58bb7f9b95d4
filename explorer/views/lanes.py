"""The lanes' table: the JSON from which the browser draws it, and its value back to settings."""

import base64
import binascii
from dataclasses import Field, fields
from typing import Any

from explorer.sampling.samplers import SAMPLERS, Sampler
from explorer.sampling.wording import lane_letter
from explorer.settings import LaneSettings, SettingsError
from explorer.settings.lane import STAND_INS
from explorer.settings.limits import LIMITS
from explorer.views.answers import answering
from explorer.views.limits import LANES_OF_A_PAGE
from explorer.views.lists import FILE_TYPES, largest_file, list_text, parse_list, read_list_file

LANE_NAMES = tuple(map(lane_letter, range(LANES_OF_A_PAGE)))
LANE_FIELDS = {spec.name: spec for spec in fields(LaneSettings)}
TITLES = {"sampler": "", "schedule": "Schedule", "noise": "Noise", "training": "Training"}
FOLDED = ("training",)  # at the start
OF_DIFFUSERS = " (diffusers)"
OFF_ON = [("off", False), ("on", True)]
TABLE = "lanes"  # the table's element id, for problems of no single control
LONGEST_SENTENCE = 400  # for one that quotes input


def lanes_value(lanes: tuple[LaneSettings, ...], same: bool = True) -> dict[str, Any]:
    """`{"lanes": [{field: value}], "same": bool}`, as the table holds it."""
    return {"lanes": [lane_values(lane) for lane in lanes], "same": same}


def model_prop(
    defaults: LaneSettings, fill: dict[str, Any] | None = None, revision: int = 0
) -> dict[str, Any]:
    """What a model sets in the lanes: its `defaults`, and the values to `fill` in now.

    The page, which alone knows its present values, fills them in once for every `revision`.
    """
    values = {name: value for name, value in lane_values(defaults).items() if name != "sampler"}
    return {"defaults": values, "fill": fill or {}, "revision": revision}


def most_lanes() -> int:
    """How many lanes the page offers."""
    return min(len(LANE_NAMES), LIMITS.lanes)


def spec() -> dict[str, Any]:
    """What the table is drawn from: LaneSettings' fields in groups, as plain JSON."""
    groups = [
        {
            "key": key,
            "title": title,
            "folded": key in FOLDED,
            "fields": [_field(field) for field in LANE_FIELDS.values() if group_of(field) == key],
        }
        for key, title in TITLES.items()
    ]
    return {
        "groups": [group for group in groups if group["fields"]],
        "lanes": most_lanes(),
        "samplers": {key: _able(sampler) for key, sampler in SAMPLERS.items()},
        "files": {"types": ",".join(FILE_TYPES), "largest": largest_file()},
    }


def _able(sampler: Sampler) -> dict[str, list]:
    """By field, the values that a sampler supports; for a list only whether it takes one."""
    return {
        "schedule_type": list(sampler.schedule_types),
        "prediction_type": list(sampler.prediction_types),
        "sigmas": [True, False] if sampler.takes("sigmas") else [False],
    }


def group_of(field: Field) -> str:
    """The group that a field of LaneSettings belongs to."""
    return field.metadata["group"]


def _field(field: Field) -> dict[str, Any]:
    data = field.metadata
    when = {name: list(values) for name, values in data.get("when", {}).items()}
    return {
        "name": field.name,
        "label": data["label"],
        "help": f"{data.get('help', '')} {code_name(field)}".strip(),
        "kind": kind_of(field),
        "choices": _choices(field),
        "groups": _groups(field),
        "empty": 0.0 in STAND_INS.get(field.name, {}),  # a box without text is 0
        "when": when,
        "auto": {name: LANE_FIELDS[name].metadata.get("auto", {}) for name in when},
    }


def _choices(field: Field) -> list[tuple[str, Any]]:
    """Label and value; "(diffusers)", for which a column has no room, is added by `_groups`."""
    if field.name == "sampler":
        return [(SAMPLERS[key].label.removesuffix(OF_DIFFUSERS), key) for key in SAMPLERS]
    return OFF_ON if field.type is bool else field.metadata.get("choices", [])


def _groups(field: Field) -> dict[str, list[Any]]:
    """The headings of a menu and the values under each; values without a heading come first."""
    if field.name != "sampler":
        return {}
    return {"diffusers": [key for key, sampler in SAMPLERS.items() if sampler.baseline]}


def code_name(field: Field) -> str:
    """A setting's names in code and in other programs, where they differ from its label."""
    spelled = field.metadata["label"].lower().replace(" ", "_")
    here = [] if spelled == field.name else [f"In code: {field.name}."]
    elsewhere = field.metadata.get("elsewhere", {})
    return " ".join([*here, *(f"{program}: {name}." for program, name in elsewhere.items())])


def kind_of(field: Field) -> str:
    """What a field's control takes: "choice", "whole", "real", "text" or "list"."""
    if field.metadata.get("choices") or field.type is bool:
        return "choice"
    return {int: "whole", float: "real", str: "text"}.get(field.type, "list")


def lane_values(lane: LaneSettings) -> dict[str, Any]:
    """A lane as its column's value: plain JSON, lists as text."""
    return {name: cell_value(name, getattr(lane, name)) for name in LANE_FIELDS}


def cell_value(name: str, value: Any) -> Any:
    """The value of a field's control for a setting's value."""
    return list_text(value) if kind_of(LANE_FIELDS[name]) == "list" else value


def setting(name: str, given: object) -> Any:
    """The setting that a control's value makes, unchecked; raises SettingsError for a wrong type.

    Numbers may be text, as people type them, and lists may be text or JSON lists.
    """
    kind = kind_of(LANE_FIELDS[name])
    if kind == "list" and isinstance(given, list) and all(map(_plain, given)):
        return tuple(given) or None
    if not _plain(given):
        label = LANE_FIELDS[name].metadata["label"]
        raise SettingsError(name, f"{label} must be one value; got a {type(given).__name__}.")
    if kind == "list":
        return parse_list(name, None if given is None else str(given))
    return given


def _plain(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))


def holds(name: str, given: object, value: object) -> bool:
    """Whether a control's value stands for this setting."""
    data = LANE_FIELDS[name].metadata
    try:
        return data["check"](data["label"], setting(name, given)) == value
    except ValueError:
        return False


def values_of_lanes(value: object, name: str) -> list[Any]:
    """A field's values in the table's value, for every lane in which it has a control."""
    try:
        columns, same = _columns(value)
    except ValueError:
        return []
    untouched = cell_value(name, LANE_FIELDS[name].default)
    return [column.get(name, untouched) for column in (columns[:1] if same else columns)]


def read_lanes(value: object) -> tuple[tuple[LaneSettings, ...], list[tuple[str, str]]]:
    """The lanes that the table's value makes, and what is wrong: pairs of element id and sentence.

    There is at most one problem per lane; with "same settings" the lanes share lane A's, and its
    problems are listed once. A missing field counts as untouched. Nothing is raised whatever the
    value is: a page may send anything.
    """
    try:
        columns, same = _columns(value)
    except ValueError as error:
        return (), [(TABLE, _shortened(error))]
    lanes, problems = [], []
    for at, column in enumerate(columns):
        source = 0 if same else at
        given = columns[source] | {key: column[key] for key in ("sampler",) if key in column}
        try:
            lanes.append(LaneSettings(**{name: setting(name, given[name]) for name in given}))
        except SettingsError as error:
            blamed = at if error.name == "sampler" else source
            problem = lane_id(error.name, blamed), _shortened(error)
            if problem not in problems:
                problems.append(problem)
    return tuple(lanes), problems


def _columns(value: object) -> tuple[list[dict[str, Any]], bool]:
    """The value's lanes, known to be dicts of known fields; ValueError with a sentence if not."""
    if not isinstance(value, dict) or not isinstance(value.get("lanes"), list):
        raise ValueError("The lanes' settings did not arrive as a list; reload the page.")
    columns, same = value["lanes"], value.get("same", False)
    if not 1 <= len(columns) <= most_lanes():
        raise ValueError(f"The page has 1 to {most_lanes()} lanes; got {len(columns):,}.")
    if not isinstance(same, bool):
        raise ValueError("Same settings must be on or off; reload the page.")
    for name, column in zip(LANE_NAMES, columns, strict=False):
        if not isinstance(column, dict):
            raise ValueError(f"Lane {name}'s settings did not arrive whole; reload the page.")
        if unknown := next((key for key in column if key not in LANE_FIELDS), None):
            raise ValueError(f"Lane {name}: {str(unknown)[:40]!r} is not a setting of a lane.")
    return columns, same


def _shortened(error: Exception) -> str:
    sentence = str(error)
    if len(sentence) > LONGEST_SENTENCE:
        sentence = sentence[:LONGEST_SENTENCE] + " …"
    return sentence


def lane_id(name: str, lane: int) -> str:
    """The element id of a field's control in one lane: `a_beta_end`."""
    return f"{LANE_NAMES[lane].lower()}_{name}"


@answering(lambda sentence: {"problem": sentence})
def numbers_of_file(file: Any) -> dict[str, str]:
    """The list in a file that a page has read: `{"text"}`, or `{"problem"}` with a sentence.

    `file` is `{"field", "name", "data"}`, the data in base64. Anybody may call this: it opens no
    path.
    """
    try:
        field, name, data = (file[key] for key in ("field", "name", "data"))
        if kind_of(LANE_FIELDS[field]) != "list" or len(data) > 2 * largest_file():
            raise ValueError
        return {"text": read_list_file(field, str(name), base64.b64decode(data, validate=True))}
    except SettingsError as error:
        return {"problem": _shortened(error)}
    except (TypeError, KeyError, ValueError, binascii.Error):
        return {"problem": "This file did not arrive whole; try again."}
