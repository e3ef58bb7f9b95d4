"""Settings out of what people have: a picture of this program or another, or its text."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from explorer.records.interchange.collected import (
    FIELD,
    LANE_FIELDS,
    RUN_FIELDS,
    ReadSettings,
    Unmapped,
)
from explorer.records.interchange.comfy_graph import is_graph, read_graph
from explorer.records.interchange.infotext import PROGRAM
from explorer.records.interchange.infotext_reader import read_infotext
from explorer.records.interchange.picture_text import KEY, PARAMETERS, picture_texts
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.fields import SettingsError
from explorer.settings.limits import LIMITS

GRAPH = "prompt"  # ComfyUI's key of a PNG
NO_START_PICTURE = "The start picture is not in the file: choose it again."


def read_settings(source: str | bytes, models: Sequence[str] = ()) -> ReadSettings:
    """Map a text, or the texts in a picture's file, to settings, and say what has no place here.

    A text may be A1111's (Forge's, SD.Next's), a prompt graph of ComfyUI as JSON, or the JSON of
    this program; bytes are a picture with one of these in it. `models` are the names of those
    that a run may choose here. Raises SettingsError, with a sentence, where there are none.
    """
    if isinstance(source, bytes):
        return _of_picture(picture_texts(source), models)
    if len(source) > LIMITS.text_characters:
        raise SettingsError(
            FIELD, f"A text with settings may have at most {LIMITS.text_characters:,} characters."
        )
    text = source.lstrip("\ufeff").strip()
    data = _json(text) if text.startswith("{") else None
    if data is None:
        return _of_text(text, models)
    graph: Any = data.get(GRAPH)  # what is sent to ComfyUI's server has it inside
    for inner in (data, graph):
        if is_graph(inner):
            return read_graph(inner, models)
    return _of_json(data)


def _of_picture(texts: Mapping[str, str], models: Sequence[str]) -> ReadSettings:
    """The most complete of the texts is read: ours, else A1111's, else a graph."""
    problems = []
    for key in (KEY, PARAMETERS, GRAPH):
        if key in texts:
            try:
                return read_settings(texts[key], models)
            except SettingsError as error:
                problems.append(error)
    if problems:
        raise problems[0]
    if "workflow" in texts:
        raise SettingsError(
            FIELD, "This picture holds a ComfyUI workflow without its prompt graph: save it anew."
        )
    raise SettingsError(FIELD, "There are no settings in this picture.")


def _json(text: str) -> dict[str, Any] | None:
    """A JSON object; None for another text."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _of_text(text: str, models: Sequence[str]) -> ReadSettings:
    try:
        return read_infotext(text, models)
    except SettingsError:
        if text.startswith("{"):  # as a prompt may, of which one word is chosen
            raise SettingsError(FIELD, "This text begins as JSON does, and is none.") from None
        raise


def _of_json(data: dict[str, Any]) -> ReadSettings:
    """Settings as this program writes them, in a PNG or in a run's folder."""
    settings = data.get("settings") if isinstance(data.get("settings"), dict) else data
    assert isinstance(settings, dict)
    if not settings.keys() & {*RUN_FIELDS, "lanes"}:
        raise SettingsError(FIELD, "There are no settings in this JSON.")
    unmapped: list[Unmapped] = []
    lanes = _lanes(settings.get("lanes", []), unmapped)
    made = tuple(_lane(lane, unmapped) for lane in lanes)
    values = {key: value for key, value in settings.items() if key != "lanes"}
    _drop_unknown(values, RUN_FIELDS, unmapped, "")
    lanes_of_run: dict[str, Any] = {"lanes": made} if made else {}
    run = _without_faults(partial(RunSettings, **lanes_of_run), values, unmapped)
    given = {*values, *(f"lanes.{key}" for lane in lanes for key in lane if key in LANE_FIELDS)}
    return ReadSettings(
        source=PROGRAM,
        settings=run,
        given=frozenset(given),
        mapped={key: (key,) for key in sorted(given)},
        unmapped=tuple(unmapped),
        notes=(NO_START_PICTURE,) if "start_picture_sha256" in data else (),
    )


def _lanes(data: Any, unmapped: list[Unmapped]) -> list[dict[str, Any]]:
    """The lanes as far as they are some, and not too many."""
    listed = data if isinstance(data, list) else [data]
    lanes = [lane for lane in listed if isinstance(lane, dict)]
    unmapped += [
        Unmapped("lanes", str(each)[:200], "no lane")
        for each in listed
        if not isinstance(each, dict)
    ]
    for position, lane in enumerate(lanes[LIMITS.lanes :], start=LIMITS.lanes):
        reason = f"a run has at most {LIMITS.lanes} lanes"
        unmapped.append(Unmapped(f"lane {position + 1}", str(lane)[:200], reason))
    return lanes[: LIMITS.lanes]


def _lane(data: dict[str, Any], unmapped: list[Unmapped]) -> LaneSettings:
    values = dict(data)
    _drop_unknown(values, LANE_FIELDS, unmapped, "lane ")
    return _without_faults(LaneSettings, values, unmapped)


def _drop_unknown(
    values: dict[str, Any], known: Mapping[str, Any], unmapped: list[Unmapped], prefix: str
) -> None:
    for key in [key for key in values if key not in known]:
        value = str(values.pop(key))[:200]
        unmapped.append(Unmapped(f"{prefix}{key}"[:80], value, "no setting of this version"))


def _without_faults(make: Any, values: dict[str, Any], unmapped: list[Unmapped]) -> Any:
    """An object of these values, without those that it refuses, which are named."""
    while True:
        try:
            return make(**values)
        except SettingsError as error:
            names = [error.name] if error.name in values else list(values)
            if not names:
                raise
            for name in names:
                value = str(values.pop(name))[:200]
                unmapped.append(Unmapped(name, value, str(error).removesuffix(".")))
