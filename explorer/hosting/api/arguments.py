"""The arguments of a program's call, plain JSON, to the settings of a run.

What is missing is as the model has it. Errors are the settings' own; of a lane's argument they name
it with the lane's index, as `lanes.1.rho`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from explorer.hosting.uploaded_files import UploadRefused
from explorer.models.catalog import ModelError
from explorer.sampling.wording import counted
from explorer.settings import LaneSettings, RunSettings, SettingsError, picture_url
from explorer.settings.limits import LIMITS
from explorer.settings.mending import LANE_FIELDS, RUN_FIELDS
from explorer.views.engine_protocol import EngineLike
from explorer.views.lane_texts import read_lane_text, unknown

LANES, PICTURE = "lanes", "init_image"
NAMES = (*RUN_FIELDS, LANES)
LONGEST = 40  # characters of a name in a sentence's field
DATA = "data:"

ReadPicture = Callable[[str], bytes]  # an upload's contents by its path; raises UploadRefused


def read_arguments(
    engine: EngineLike, arguments: Mapping[str, Any], read_picture: ReadPicture | None = None
) -> RunSettings:
    """The settings of a run from arguments by name; None, and what is missing, is not given.

    A lane is an object of its fields, or a text such as `dpm2_a:schedule_type=karras`. The start
    picture is an upload, by its path or as `{"path"}`, or a data URL. Raises SettingsError.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    for name in given:
        if name not in NAMES:
            raise SettingsError(str(name)[:LONGEST], unknown(str(name), NAMES, "setting"))
    _check_models(engine, given)
    model = given.get("model", "")
    if problem := engine.facts.problem(model):
        raise SettingsError("model", problem)
    defaults = engine.facts.defaults(model)
    if given.get(PICTURE):
        given[PICTURE] = _picture(given[PICTURE], read_picture)
    lanes = given.pop(LANES, None)
    if lanes:
        given[LANES] = read_lanes(lanes, engine.facts.lane_defaults(model)[0])
    elif lanes is not None and lanes != []:
        raise SettingsError(LANES, _no_list(lanes))
    return replace(defaults, **{"model": model, **given})


def read_lanes(lanes: object, defaults: LaneSettings) -> tuple[LaneSettings, ...]:
    """The lanes of a list of objects and texts; what is not given is as in `defaults`."""
    if not isinstance(lanes, list | tuple):
        raise SettingsError(LANES, _no_list(lanes))
    if len(lanes) > LIMITS.lanes:  # RunSettings says it of lanes that have been read
        RunSettings(lanes=(LaneSettings(),) * len(lanes))
    return tuple(_lane(index, lane, defaults) for index, lane in enumerate(lanes))


def check_schedules(settings: RunSettings) -> None:
    """Raise SettingsError for a lane without a schedule."""
    for index, lane in enumerate(settings.lanes):
        try:
            lane.schedule(settings.steps)
        except ValueError as error:
            name = error.name if isinstance(error, SettingsError) else ""
            raise SettingsError(_of_lane(index, name), str(error)) from None


def _lane(index: int, lane: object, defaults: LaneSettings) -> LaneSettings:
    try:
        if isinstance(lane, str):
            return read_lane_text(lane, defaults)
        if not isinstance(lane, Mapping):
            raise SettingsError(
                "", "A lane is an object with a sampler, or a text such as dpm2_a:eta=0.5."
            )
        for name in lane:
            if name not in LANE_FIELDS:
                sentence = unknown(str(name), tuple(LANE_FIELDS), "lane argument")
                raise SettingsError(str(name)[:LONGEST], sentence)
        return replace(defaults, **lane)
    except SettingsError as error:
        name = "" if error.name == LANES else error.name
        raise SettingsError(_of_lane(index, name), str(error)) from None


def _of_lane(index: int, name: str) -> str:
    return ".".join(filter(None, (LANES, str(index), name)))


def _no_list(lanes: object) -> str:
    kind = "an object" if isinstance(lanes, Mapping) else f"{str(lanes)[:LONGEST]!r}"
    return f"Lanes must be a list of 1 to {counted(LIMITS.lanes, 'lane')}; got {kind}."


def _check_models(engine: EngineLike, given: Mapping[str, Any]) -> None:
    for name in ("model", "refiner"):
        if name not in given:
            continue
        spec = RUN_FIELDS[name]
        try:
            spec.metadata["check"](spec.metadata["label"], given[name])
            engine.catalog.find(given[name])
        except (ModelError, ValueError) as error:
            raise SettingsError(name, str(error)) from None


def _picture(sent: object, read_picture: ReadPicture | None) -> str:
    """A start picture as a data URL."""
    named = sent.get("path") or sent.get("url") if isinstance(sent, Mapping) else sent
    if not isinstance(named, str):
        raise SettingsError(PICTURE, "Start picture: upload the file, and give its path.")
    if named[: len(DATA)].lower() == DATA or read_picture is None:
        return named  # the settings check it
    try:
        return picture_url(read_picture(named))
    except (UploadRefused, ValueError) as error:
        raise SettingsError(PICTURE, f"Start picture: {error}") from None
