"""The tools' arguments: their JSON Schemas, made of the settings' own, and their names checked."""

from collections.abc import Mapping, Sequence
from typing import Any

from explorer.hosting.service import Service, ServiceError
from explorer.views.lane_texts import ARGUMENTS, unknown

NOT_TAKEN = ("init_image", "preview_decoder", "rng")  # files, and what only a page shows
LANES = {
    "title": "Lanes",
    "description": "The samplers, each a text such as dpm2, or dpm2_a:schedule_type=karras,eta=0.5 "
    f"with any of the arguments {', '.join(ARGUMENTS)}; or an object of them with a sampler.",
    "type": "array",
    "items": {"anyOf": [{"type": "string"}, {"type": "object"}]},
    "minItems": 1,
    "examples": [["dpm2", "dpm2_a:schedule_type=karras"]],
}
TEXT = {
    "title": "Text",
    "description": "What holds the settings, in place of the other arguments: the text below a "
    "picture of A1111, a prompt graph of ComfyUI or a scheduler_config.json as JSON, or a link of "
    "this program.",
    "type": "string",
}
AS_A1111 = {
    "title": "As A1111",
    "description": "With the settings under which the lane runs as in A1111 and ComfyUI.",
    "type": "boolean",
    "default": False,
}
OWN = {"lanes": LANES, "text": TEXT, "as_a1111": AS_A1111}


def schema_of(service: Service, names: Sequence[str]) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments, none of which is required.

    It tells what is allowed; what comes is checked by the settings, whose sentences are better.
    """
    settings = service.schema()["properties"]
    return {
        "type": "object",
        "properties": {name: OWN.get(name) or _plain(settings[name]) for name in names},
        "additionalProperties": False,
    }


def settings_names(service: Service) -> tuple[str, ...]:
    """The settings of a run that a tool takes, the lanes first."""
    names = service.schema()["properties"]
    return ("lanes", *(name for name in names if name not in (*NOT_TAKEN, "lanes")))


def check_names(arguments: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise ServiceError for an argument that the tool does not have, naming near ones."""
    for name in arguments:
        if name not in known:
            raise ServiceError(unknown(str(name), tuple(known), "argument"), str(name)[:40])


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if not key.startswith("x-")}
