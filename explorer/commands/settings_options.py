"""A run's settings as flags, made from the fields of RunSettings, and read back from them."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from explorer.commands.sources import read_source
from explorer.settings import LaneSettings, RunSettings, SettingsError, picture_url
from explorer.settings.mending import RUN_FIELDS
from explorer.settings.text import printable
from explorer.views.engine_protocol import EngineLike
from explorer.views.lane_texts import read_lane_text

LANE_HELP = (
    "a sampler, with arguments after a colon: dpm2, or dpm2_a:schedule_type=karras,eta=0.5; may be "
    "given several times"
)
METAVARS = {"init_image": "FILE", "preview_decoder": "WHICH", "rng": "WHERE"}
SEVERAL = "give it several times for several runs"
MODELS = ("model", "refiner")  # flags of engine_options.py, or files
BY_MODEL = ("steps", "cfg_scale")  # settings of which a model may suggest another value


def add_run_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every field of a run but its model; a value stays text until it is read."""
    group = parser.add_argument_group("settings of the run")
    add_settings_flag(group)
    group.add_argument("--lane", action="append", metavar="LANE", help=LANE_HELP)
    group.add_argument(
        "--size", metavar="WxH", help="width and height in pixels (default: the model's)"
    )
    for name, spec in RUN_FIELDS.items():
        if name in MODELS:
            continue
        default = "" if spec.default in ("", 0) else f" (default: {_default(spec.default, name)})"
        values = ", ".join(str(value) for _, value in spec.metadata.get("choices", ()))
        text = spec.metadata["help"] + (f" One of {values}." if values else "") + default
        if name == "seed":
            group.add_argument("--seed", action="append", metavar="N", help=f"{text}; {SEVERAL}")
            continue
        usual = "N" if isinstance(spec.default, int | float) else "TEXT"
        metavar = METAVARS.get(name, usual)
        group.add_argument(flag(name), metavar=metavar, help=text.replace("%", "%%"))


def _default(value: Any, name: str) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"the model's, usually {text}" if name in BY_MODEL else text


def add_settings_flag(parser: Any) -> None:
    """Add --settings."""
    parser.add_argument(
        "--settings",
        metavar="SOURCE",
        help="start from the settings of a run's folder or .zip, a picture or text of this "
        "program, A1111 or ComfyUI, a link, or - for the standard input; other flags change them",
    )


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def settings_of(options: argparse.Namespace, engine: EngineLike) -> RunSettings:
    """The settings that the flags make of a source's, or of the model's defaults.

    Notes on what was read are printed. Raises SettingsError, or RecordError for a source.
    """
    settings = engine.facts.defaults()
    if options.settings is not None:
        source = read_source(options.settings, [entry.name for entry in engine.entries])
        lanes = settings.lanes if source.lane is None else (source.lane,)
        settings = source.settings or replace(settings, lanes=lanes)
        for note in source.notes:
            print(printable(f"{source.name}: {note}"), file=sys.stderr)
        if options.model:  # whoever names a model means it
            settings = replace(settings, model="")
    given: dict[str, Any] = {
        name: value for name in RUN_FIELDS if (value := getattr(options, name, None)) is not None
    }
    given.pop("model", None)
    given |= size_of(options.size, given)
    if file := given.get("init_image"):
        given["init_image"] = _start_picture(file)
    if options.lane:
        given["lanes"] = lanes_of(options.lane, engine.facts.lane_defaults()[0])
    return replace(settings, **given)


def lanes_of(texts: Sequence[str], defaults: LaneSettings) -> tuple[LaneSettings, ...]:
    """The lanes of their texts; raises SettingsError that says which one it is about."""
    lanes = []
    for text in texts:
        try:
            lanes.append(read_lane_text(text, defaults))
        except SettingsError as error:
            where = f"Lane {text.partition(':')[0][:40]}: " if len(texts) > 1 else ""
            raise SettingsError(error.name, f"{where}{error}") from None
    return tuple(lanes)


def size_of(text: str | None, given: dict[str, Any]) -> dict[str, str]:
    """Width and height of a text such as 512x768; raises SettingsError."""
    if text is None:
        return {}
    width, by, height = text.lower().partition("x")
    if not by or not width.strip().isdecimal() or not height.strip().isdecimal():
        raise SettingsError("size", f"Size must be written 512x768; got {text[:40]!r}.")
    if "width" in given or "height" in given:
        raise SettingsError("size", "Size says width and height: leave those out.")
    return {"width": width, "height": height}


def _start_picture(file: str) -> str:
    try:
        return picture_url(Path(file))
    except ValueError as error:
        raise SettingsError("init_image", f"Start picture: {error}") from None
