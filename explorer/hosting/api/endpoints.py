"""The endpoints that a server has for programs: what each is for, takes and answers, in words.

Whoever lists endpoints says these: Gradio's API, and `agents.md`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.settings.mending import RUN_FIELDS

LANES = "lanes"
SETTINGS = (
    "Settings are the arguments of /run by name; one that is missing or null has its default."
)


@dataclass(frozen=True)
class Endpoint:
    """One endpoint: what it is for, the names of its arguments, what it answers.

    A `streamed` one answers several times; `needs_history` says that it is where runs are kept.
    """

    name: str
    text: str
    arguments: tuple[str, ...]
    returns: str
    streamed: bool = False
    needs_history: bool = False


ENDPOINTS = (
    Endpoint(
        "run",
        "Denoise the lanes of a run from the same noise and compare them. Streams the "
        "run's progress; the last message has its numbers (calls, seconds, noise levels, "
        "statistics of the last latent) and the addresses of its pictures and files. "
        "Closing the stream stops the run.",
        (*RUN_FIELDS, LANES),
        "Messages with state, message and the call under way; the last one has `result`.",
        streamed=True,
    ),
    Endpoint(
        "schedule",
        "The model calls that lanes will make: noise levels, timesteps and midpoints of "
        "each. Nothing is run.",
        (LANES, "steps", "model"),
        "`steps`, and in `lanes` a table for each lane: columns with an entry per model call.",
    ),
    Endpoint(
        "doctor",
        "What is wrong with settings, or worth knowing, before anything is run: findings "
        "in sentences, the worst first, with the change that resolves each. " + SETTINGS,
        ("settings",),
        "`findings`, the worst first.",
    ),
    Endpoint(
        "estimate",
        "How long a run would take on an idle device, how many model calls it would make, and "
        "how many runs are under way. " + SETTINGS,
        ("settings",),
        "`seconds`, `seconds_a_call`, the `calls` of each lane, `under_way`.",
    ),
    Endpoint(
        "models",
        "The models on offer: names, sizes, families, example prompts, default settings.",
        (),
        "`models`, the default one first.",
    ),
    Endpoint(
        "limits",
        "The limits of this server for calls, and the address of the settings' JSON Schema.",
        (),
        "`limits` by name, each with its `value`; `history`, true or false; `schema`, an address.",
    ),
    Endpoint(
        "history",
        "Runs that this server has kept for the visitor of the header x-visitor, the "
        "newest first. `query` searches them; `after` is the `after` of the previous answer.",
        ("query", "after"),
        "`runs`, and `after` for the next page.",
        needs_history=True,
    ),
)
OTHERS = {
    "settings": {
        "type": "object",
        "title": "Settings",
        "description": "Settings of a run by name, as schema.json describes them.",
    },
    "query": {
        "type": "string",
        "title": "Query",
        "description": "Words that the runs must contain.",
    },
    "after": {
        "type": "string",
        "title": "After",
        "description": "`after` of the previous answer, for the next runs.",
    },
}
EXAMPLES = {
    "prompt": "a red sailboat on the sea at sunset",
    "lanes": [{"sampler": "dpm2"}, {"sampler": "dpm2_a", "schedule_type": "karras"}],
    "settings": {"steps": 20, "lanes": [{"sampler": "dpm2"}, {"sampler": "dpm2_a"}]},
    "init_image": None,
    "query": "sailboat",
    "after": "",
}


def endpoints(has_history: bool) -> tuple[Endpoint, ...]:
    """The endpoints of a server."""
    return tuple(each for each in ENDPOINTS if has_history or not each.needs_history)


def arguments_of(endpoint: Endpoint, schema: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The JSON Schemas of an endpoint's arguments by name; `schema` is that of a run's settings."""
    known = {**schema["properties"], **OTHERS}
    return {name: known[name] for name in endpoint.arguments}


def example_of(name: str, schema: Mapping[str, Any]) -> Any:
    """A value of an argument for a document's example."""
    return EXAMPLES.get(name, schema.get("default"))


def document(has_history: bool, schema: Mapping[str, Any]) -> str:
    """All endpoints in Markdown, for programs that write programs, and for people."""
    return INTRODUCTION + "".join(
        _section(each, arguments_of(each, schema)) for each in endpoints(has_history)
    )


INTRODUCTION = """# Sampler Explorer, for programs

Compare what diffusion samplers do with the same noise: DPM2, DPM2 a and seven others, with every
argument of their schedulers. All addresses below are relative to this server's. The ranges, choices
and defaults of the settings are in `schema.json` (JSON Schema).

`POST gradio_api/call/v2/NAME` with the arguments as a JSON object returns `{"event_id": ...}`;
`GET gradio_api/call/NAME/EVENT_ID` streams the answer as server-sent events (`generating`,
`complete`, `error`). All endpoints but `/run` also answer `POST gradio_api/run/NAME` with
`{"data": [...]}`, the arguments in order. An error has a status 4xx and `{"error": ..., "field":
...}`: a sentence, and the argument that it is about. The header `x-visitor` (32 lower-case
hexadecimal digits that you choose at random and keep secret) says whose runs a request is about.
"""


def _section(endpoint: Endpoint, arguments: Mapping[str, Mapping[str, Any]]) -> str:
    example = {name: example_of(name, each) for name, each in arguments.items() if name in EXAMPLES}
    sent = json.dumps({name: value for name, value in example.items() if value})
    rows = [f"- `{name}`: {_kind(each)}. {each['description']}" for name, each in arguments.items()]
    return "\n".join(
        [
            f"\n## /{endpoint.name}\n",
            endpoint.text,
            *(["", *rows] if rows else []),
            f"\nReturns: {endpoint.returns}\n",
            f"    curl -H 'content-type: application/json' -d '{sent}' \\",
            f"      SERVER/gradio_api/call/v2/{endpoint.name}",
            "",
        ]
    )


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in words: its type, its choices or its range."""
    if choices := schema.get("enum"):
        return "one of " + ", ".join(map(str, choices))
    if either := schema.get("anyOf"):
        return " or ".join(map(_kind, either))
    if "const" in schema:
        return str(schema["const"])
    ends = [schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")]
    ranged = f" from {ends[0]:,} to {ends[1]:,}" if None not in ends else ""
    return schema["type"] + ranged
