"""The operator's limits as flags and environment variables, made from the fields of Limits."""

import argparse
import re
from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any

from explorer.byte_sizes import GIB, MIB
from explorer.settings.limits import MINE, PLACES, Limits, in_range

FACTORS = {"": 1, "kib": 2**10, "mib": MIB, "gib": GIB}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([kmg]ib)?", re.IGNORECASE)


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    return "EXPLORER_" + name.upper()


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every limit; its value stays text until `read_limits` parses it."""
    group = parser.add_argument_group(
        "limits", "Sizes are bytes, or numbers with KiB, MiB or GiB; times are seconds."
    )
    for each in fields(Limits):
        group.add_argument(
            flag(each.name),
            metavar="N",
            help=f"{each.metadata['text']} (default: {_defaults(each)}; {variable(each.name)})",
        )


def read_limits(
    flags: Mapping[str, Any], environment: Mapping[str, str], place: str = MINE
) -> Limits:
    """The limits from flags, else from the environment, else the defaults of the place.

    Raises ValueError, with a sentence, for an invalid value.
    """
    read = {each.name: _read_one(each, flags, environment, place) for each in fields(Limits)}
    return Limits(**read)


def read_variable(name: str, environment: Mapping[str, str]) -> Any:
    """One limit from the environment, else its default; raises ValueError."""
    return _read_one(Limits.__dataclass_fields__[name], {}, environment, MINE)


def table() -> str:
    """Every limit with its flag, its variable and its defaults, as a table in Markdown."""
    rows = [
        f"| {each.metadata['text']} | `{flag(each.name)}` | `{variable(each.name)}` "
        f"| {' | '.join(shown(each, place) for place in PLACES)} |"
        for each in fields(Limits)
    ]
    head = "| limit of | flag | variable | mine | host | Space |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def shown(each: Field[Any], place: str) -> str:
    """A limit's default in a place, in the form in which an operator writes it."""
    default: Any = each.metadata["defaults"][place]
    if default == 0 and each.metadata["zero_text"]:
        return each.metadata["zero_text"]
    if each.name.endswith("_bytes"):
        return next(
            f"{default // FACTORS[unit]} {unit[0].upper()}iB"
            for unit in ("gib", "mib", "kib")
            if default % FACTORS[unit] == 0
        )
    return str(default) if isinstance(default, int) else f"{default:g}"


def _defaults(each: Field[Any]) -> str:
    """Its defaults in words, those of other places where they differ."""
    mine, host, space = (shown(each, place) for place in PLACES)
    others = [f"on a network {host}"] if host != mine else []
    others += [f"on a Space {space}"] if space != host else []
    return ", ".join([mine, *others])


def _read_one(
    each: Field, flags: Mapping[str, Any], environment: Mapping[str, str], place: str
) -> Any:
    by_flag, by_variable = flags.get(each.name), environment.get(variable(each.name), "")
    if by_flag is not None:
        return _read(each, by_flag, flag(each.name))
    if by_variable.strip():
        return _read(each, by_variable, variable(each.name))
    return each.metadata["defaults"][place]


def _read(each: Field, text: str, source: str) -> int | float:
    least, most = each.metadata["least"], each.metadata["most"]
    is_size = each.name.endswith("_bytes")
    match = _SIZE.fullmatch(text.strip())
    value = None
    if match and (is_size or not match[2]):
        value = float(match[1]) * FACTORS[(match[2] or "").lower()]
        if each.type is not float and not is_size and value != int(value):
            value = None
    if value is None or not least <= value <= most:
        kind = "number" if each.type is float else "whole number"
        kind = "size such as 20MiB" if is_size else kind
        raise ValueError(f"{source} must be a {kind} {in_range(each)}; got {text[:40]!r}.")
    return value if each.type is float else int(value)
