"""The settings of a run as JSON Schema, made from the metadata that also draws the form."""

from collections.abc import Mapping
from dataclasses import Field
from typing import Any

from explorer.settings import RunSettings
from explorer.settings.limits import LIMITS
from explorer.settings.mending import LANE_FIELDS, RUN_FIELDS
from explorer.settings.run import SIZE_LIMITS

DRAFT = "https://json-schema.org/draft/2020-12/schema"
LANES, PICTURE = "lanes", "init_image"
LANES_HELP = (
    "What is compared: a lane for each sampler with its arguments. All lanes start from the same "
    "noise. A lane is an object, or a text such as dpm2_a:schedule_type=karras,eta=0.5."
)
PICTURE_HELP = (
    "Upload the file first (POST gradio_api/upload, form field `files`) and give the path that the "
    "answer contains, or give a data URL."
)

Schema = dict[str, Any]


def run_schema(defaults: RunSettings, models: Mapping[str, str]) -> Schema:
    """JSON Schema of a run's settings, with the operator's limits.

    `defaults` are those of the first model, `models` names and labels of those on offer. Every
    setting may be missing, or null: it is then as the model has it.
    """
    properties = {
        name: _property(spec, getattr(defaults, name)) for name, spec in RUN_FIELDS.items()
    }
    for name, limit in SIZE_LIMITS.items():
        _lower(properties[name], getattr(LIMITS, limit))
    properties["model"] |= {"examples": list(models)}
    properties[PICTURE] |= {
        "description": f"{properties[PICTURE]['description']} {PICTURE_HELP}",
        "anyOf": [
            {"type": "string"},
            {"type": "object", "properties": {"path": {"type": "string"}}},
        ],
    }
    properties[PICTURE].pop("type")
    properties[LANES] = {
        "title": "Lanes",
        "description": LANES_HELP,
        "type": "array",
        "maxItems": LIMITS.lanes,
        "items": {"anyOf": [{"$ref": "#/$defs/lane"}, {"type": "string"}]},
        "default": [{"sampler": lane.sampler} for lane in defaults.lanes],
    }
    return {
        "$schema": DRAFT,
        "title": "Settings of a run",
        "description": "A setting that is missing or null has the model's default.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": {"lane": lane_schema(defaults)},
    }


def lane_schema(defaults: RunSettings) -> Schema:
    """JSON Schema of a lane: its sampler, and every argument of its scheduler."""
    first = defaults.lanes[0]
    return {
        "title": "Lane",
        "type": "object",
        "properties": {
            name: _property(spec, getattr(first, name)) for name, spec in LANE_FIELDS.items()
        },
        "additionalProperties": False,
    }


def _property(spec: Field[Any], default: Any) -> Schema:
    """A setting: what it is, what it takes, what its values are called, when it acts."""
    data = spec.metadata
    schema: Schema = {"title": data["label"], "description": data["help"]}
    schema |= data["check"].json_schema
    schema["default"] = list(default) if isinstance(default, tuple) else default
    if choices := data.get("choices"):
        schema["x-labels"] = {str(value): label for label, value in choices}
    if when := data.get("when"):
        schema["x-acts-when"] = {name: list(values) for name, values in when.items()}
    if elsewhere := data.get("elsewhere"):
        schema["x-elsewhere"] = dict(elsewhere)
    return schema


def _lower(schema: Schema, most: int) -> None:
    """Apply an operator's limit to a number's schema."""
    for each in (schema, *schema.get("anyOf", ())):
        if "maximum" in each:
            each["maximum"] = min(each["maximum"], most)
