"""A lane as a word of a command line, such as `dpm2_a:schedule_type=karras,eta=0.5`, and back."""

from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from explorer.sampling.samplers import SAMPLERS
from explorer.sampling.wording import joined
from explorer.settings import LaneSettings, SettingsError
from explorer.settings.limits import LIMITS
from explorer.settings.mending import LANE_FIELDS
from explorer.views.lists import list_text, parse_list

FIELD = "lanes"  # what a SettingsError of a whole text names
FORM = "a lane is written sampler, or sampler:name=value,name=value"
ON, OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")
NOTHING = ("", "none")  # of a list
LONGEST = 40  # characters of a word in a sentence
ARGUMENTS = tuple(name for name in LANE_FIELDS if name != "sampler")


def read_lane_text(text: str, defaults: LaneSettings | None = None) -> LaneSettings:
    """The lane of a text: a sampler's name in any of its forms, a colon, and its arguments.

    What is not given is as in `defaults`. Flags are on or off; the numbers of a list are separated
    by commas, semicolons or spaces. Raises SettingsError with a sentence, naming near names for an
    unknown one.
    """
    if len(text) > (most := LIMITS.text_characters):
        raise SettingsError(FIELD, f"A lane's text may have at most {most:,} characters.")
    name, _, rest = text.partition(":")
    if "=" in name or not name.strip():
        raise SettingsError(FIELD, f"{_short(text)} names no sampler: {FORM}.")
    values: dict[str, Any] = {"sampler": _sampler(name.strip())}
    for argument, value in _pairs(rest).items():
        values[argument] = _value(argument, value)
    return replace(defaults or LaneSettings(), **values)


def write_lane_text(lane: LaneSettings, defaults: LaneSettings | None = None) -> str:
    """The shortest text that `read_lane_text` makes this lane of, with the same `defaults`."""
    usual = defaults or LaneSettings()
    given = [
        f"{name}={value_text(value)}"
        for name in ARGUMENTS
        if (value := getattr(lane, name)) != getattr(usual, name)
    ]
    return lane.sampler + (":" if given else "") + ",".join(given)


def unknown(name: str, known: tuple[str, ...], kind: str) -> str:
    """The sentence for a name that does not exist, with near ones, else with all that do."""
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    near = get_close_matches(plain, known, 2)
    is_none = f"There is no {kind} {_short(name)}"
    if near:
        return f"{is_none}; did you mean {joined(near, 'or')}?"
    return f"{is_none}; there are {joined(known)}." if known else f"{is_none}; there are none."


def _sampler(name: str) -> str:
    """A sampler's name as it is; raises SettingsError for one that is near to another."""
    try:
        LaneSettings(sampler=name)
    except SettingsError as error:
        near = get_close_matches(name.lower().replace("-", "_"), tuple(SAMPLERS), 2)
        if error.name == "sampler" and near:
            sentence = f"There is no sampler {_short(name)}; did you mean {joined(near, 'or')}?"
            raise SettingsError("sampler", sentence) from None
        if error.name == "sampler":
            raise
    return name


def _pairs(text: str) -> dict[str, str]:
    """The arguments by name; a part without a name goes on with the list before it."""
    pairs: dict[str, str] = {}
    name = ""
    for part in text.split(",") if text.strip() else ():
        key, equals, value = part.partition("=")
        if not equals:
            if not name or not _is_list(name):
                raise SettingsError(FIELD, f"{_short(part)} has no value: {FORM}.")
            pairs[name] += f",{part}"
            continue
        name = key.strip()
        if name not in ARGUMENTS:
            raise SettingsError(name[:LONGEST], unknown(name, ARGUMENTS, "lane argument"))
        if name in pairs:
            raise SettingsError(name, f"{name} is given twice; leave one of them out.")
        pairs[name] = value.strip()
    return pairs


def _is_list(name: str) -> bool:
    return LANE_FIELDS[name].default is None


def _value(name: str, text: str) -> Any:
    if _is_list(name):
        return None if text.lower() in NOTHING else parse_list(name, text)
    if isinstance(LANE_FIELDS[name].default, bool):
        return text.lower() in ON if text.lower() in ON + OFF else text
    return text


def value_text(value: Any) -> str:
    """A value as a lane's text has it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if value is None or isinstance(value, tuple):
        return list_text(value).replace(" ", "") or "none"
    return str(value)


def _short(text: str) -> str:
    return repr(text.strip()[:LONGEST])
