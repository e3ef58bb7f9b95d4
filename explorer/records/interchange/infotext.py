"""A1111's text under a picture: its grammar, and a lane's settings written in it.

The prompt, `Negative prompt: ...`, and a last line of `key: value` pairs. A value with a comma, a
colon or a line break is quoted as in JSON.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from importlib import metadata
from typing import Any

from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.settings import LaneSettings, RunSettings

NEGATIVE = "Negative prompt:"
PROGRAM = "Sampler Explorer"
UNIFORM = "Uniform"  # A1111's Automatic is Karras for DPM2
# A1111's keys for the fields of a lane; others are written by their labels, which it passes over.
LANE_KEYS = {
    "eta": "Eta",
    "s_churn": "Sigma churn",
    "s_tmin": "Sigma tmin",
    "s_tmax": "Sigma tmax",
    "s_noise": "Sigma noise",
    "sigma_max": "Schedule max sigma",
    "sigma_min": "Schedule min sigma",
    "rho": "Schedule rho",
    "alpha": "Beta scheduler alpha",
    "beta": "Beta scheduler beta",
    "discard_penultimate_sigma": "Discard penultimate sigma",
    "sigmas": "Edit sigmas",  # its former label: texts that were saved with it stay readable
}
LANE_KEYS = {
    spec.name: LANE_KEYS.get(spec.name) or spec.metadata["label"]
    for spec in fields(LaneSettings)
    if spec.name not in ("sampler", "schedule_type")
}
LONGEST_LIST = 1000  # values of a list that are written out
MOST_PIECES = 2000  # of a line that are looked at one by one
_KEY = re.compile(r"\s*(\w[^:,\"]{0,80}?)\s*:\s*")
_UNQUOTED = re.compile(r"[^,]*")
_DECIMAL_COMMA = re.compile(r"(-?\d+),(\d+)\s*(?:,\s|$)")
_PIPE = re.compile(r"\s\|\s")
HEADING = "parameters"  # above the text on A1111's page of a PNG
_AFTER = re.compile(r"\s*(?:,|$)")


@dataclass(frozen=True, kw_only=True)
class Infotext:
    """A text taken apart: its `pairs` in their order, and the `rest` of those lines."""

    prompt: str
    negative_prompt: str
    pairs: tuple[tuple[str, str], ...]
    rest: tuple[str, ...] = ()


def split_infotext(text: str) -> Infotext:
    """Take a text apart as A1111 does; without a line of settings all of it is prompts.

    That is the last one that begins with Steps, where it or no last line has three pairs, else the
    last line where it has three; what follows it counts as settings too.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = [line.strip() for line in text.strip().split("\n")]
    if len(lines) > 2 and lines[0].lower() == HEADING:
        del lines[0]
    first = len(lines)
    begins = [index for index, line in enumerate(lines) if line.startswith("Steps:")]
    is_whole = len(_pairs(lines[-1])[0]) >= 3
    # A1111's page shows the time and memory that it took below; a prompt may begin with Steps.
    if begins and (not is_whole or len(_pairs(lines[begins[-1]])[0]) >= 3):
        first = begins[-1]
    elif is_whole:
        first -= 1
    prompts: tuple[list[str], list[str]] = ([], [])
    is_negative = False
    for line in lines[:first]:
        if line.startswith(NEGATIVE):
            is_negative, line = True, line.removeprefix(NEGATIVE).strip()
        prompts[is_negative].append(line)
    pairs, rest = [], []
    for line in lines[first:]:
        more, left = _pairs(line)
        pairs += more
        rest += left
    positive, negative = ("\n".join(each).strip() for each in prompts)
    return Infotext(prompt=positive, negative_prompt=negative, pairs=tuple(pairs), rest=tuple(rest))


def _pairs(line: str) -> tuple[list[tuple[str, str]], list[str]]:
    """The `key: value` pairs of a line, and the pieces between commas that are none.

    Some programs write bars between the pairs, with spaces around them.
    """
    pieces = _PIPE.split(line, MOST_PIECES)
    if len(pieces) > 2 and all(map(_KEY.match, pieces)):
        parts = [_pairs(piece) for piece in pieces]
        return [each for pairs, _ in parts for each in pairs], [
            each for _, rest in parts for each in rest
        ]
    pairs, rest, at = [], [], 0
    while at < len(line):
        if len(pairs) + len(rest) >= MOST_PIECES:
            return pairs, [*rest, line[at:]]
        key = _KEY.match(line, at)
        if key is None:
            piece = _UNQUOTED.match(line, at)
            assert piece is not None  # it matches nothing, too
            if piece[0].strip():
                rest.append(piece[0].strip())
            at = piece.end() + 1
            continue
        value, at = _value(line, key.end())
        pairs.append((key[1], value))
    return pairs, rest


def _value(line: str, at: int) -> tuple[str, int]:
    """A value that begins at a place, and where the next pair begins."""
    if line[at : at + 1] in ('"', "{", "["):  # Civitai's objects stand there unquoted
        try:
            value, end = json.JSONDecoder().raw_decode(line, at)
        except (ValueError, RecursionError):
            end = -1
        if end > 0 and (after := _AFTER.match(line, end)):
            return (value if isinstance(value, str) else line[at:end]), after.end()
    if comma := _DECIMAL_COMMA.match(line, at):
        return f"{comma[1]}.{comma[2]}", comma.end()
    plain = _UNQUOTED.match(line, at)
    assert plain is not None
    return plain[0].strip(), plain.end() + 1


def quoted(value: str) -> str:
    """A value as it stands in the text: in quotes where it would end too soon without."""
    needs = any(mark in value for mark in ',:\n"{[') or value != value.strip() or not value
    return json.dumps(value, ensure_ascii=False) if needs else value


def write_infotext(
    settings: RunSettings, lane: int, model: str = "", size: tuple[int, int] | None = None
) -> str:
    """A lane's settings as A1111 and Civitai read them; `size` is (width, height) in pixels.

    Fields that A1111 has no key for follow by their labels; those at their defaults are left out.
    """
    lines = [settings.prompt] if settings.prompt else []
    if settings.negative_prompt:
        lines.append(f"{NEGATIVE} {settings.negative_prompt}")
    return "\n".join([*lines, parameters(settings, lane, model, size)])


def parameters(
    settings: RunSettings, lane: int, model: str = "", size: tuple[int, int] | None = None
) -> str:
    """The last line of `write_infotext`."""
    return ", ".join(
        f"{key}: {quoted(_text(value))}" for key, value in _written(settings, lane, model, size)
    )


def _written(
    settings: RunSettings, index: int, model: str, size: tuple[int, int] | None
) -> Iterable[tuple[str, Any]]:
    lane = settings.lanes[index]
    yield "Steps", lane.step_count(settings.steps)
    yield "Sampler", lane.solver.label.removesuffix(" (diffusers)")
    if not lane.sigmas:
        automatic = lane.schedule_type == "automatic"
        yield "Schedule type", UNIFORM if automatic else SCHEDULE_TYPES[lane.schedule_type].label
    yield "CFG scale", settings.cfg_scale
    yield "Seed", settings.seed
    width, height = size or (settings.width, settings.height)
    if width and height:
        yield "Size", f"{width}x{height}"
    if settings.model or model:
        yield "Model", settings.model or model
    if settings.init_image:
        yield "Denoising strength", settings.strength
    yield "RNG", settings.rng.upper()
    if settings.batch_size > 1:
        yield "Batch size", settings.batch_size
    if settings.refiner:
        yield "Refiner", settings.refiner
        yield "Refiner switch at", settings.refiner_switch_at
    for name in ("cfg_rescale", "preview_decoder"):
        spec = RunSettings.__dataclass_fields__[name]
        if (value := getattr(settings, name)) != spec.default:
            yield spec.metadata["label"], value
    for spec in fields(LaneSettings):
        if spec.name in LANE_KEYS and (value := getattr(lane, spec.name)) != spec.default:
            yield LANE_KEYS[spec.name], value
    yield "Version", program()


def program() -> str:
    """This program and its version, which a checkout does not know."""
    try:
        return f"{PROGRAM} {metadata.version('sampler-explorer')}"
    except metadata.PackageNotFoundError:
        return PROGRAM


def _text(value: Any) -> str:
    """A value so that reading it gives the same one, but for lists that nobody would read."""
    if isinstance(value, tuple):
        if len(value) > LONGEST_LIST:
            return f"{len(value)} values"
        return ", ".join(map(_text, value))
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
