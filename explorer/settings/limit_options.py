"""The operator's limits as flags and environment variables, made from the fields of Limits."""

import argparse
import re
from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any

from explorer.byte_sizes import GIB, MIB
from explorer.settings.limits import Limits, in_range

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
            help=f"{each.metadata['text']} (default: {shown(each)}; {variable(each.name)})",
        )


def read_limits(flags: Mapping[str, Any], environment: Mapping[str, str]) -> Limits:
    """The limits from flags, else from the environment, else their defaults.

    Raises ValueError, with a sentence, for an invalid value.
    """
    return Limits(**{each.name: _read_one(each, flags, environment) for each in fields(Limits)})


def read_variable(name: str, environment: Mapping[str, str]) -> Any:
    """One limit from the environment, else its default; raises ValueError."""
    return _read_one(Limits.__dataclass_fields__[name], {}, environment)


def table() -> str:
    """Every limit with its flag, its variable and its default, as a table in Markdown."""
    rows = [
        f"| {each.metadata['text']} | `{flag(each.name)}` | `{variable(each.name)}` "
        f"| {shown(each)} |"
        for each in fields(Limits)
    ]
    head = "| limit of | flag | variable | default |\n|---|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def shown(each: Field[Any]) -> str:
    """A limit's default in the form in which an operator writes it."""
    if each.metadata["default_text"]:
        return each.metadata["default_text"]
    if each.name.endswith("_bytes"):
        size: Any = each.default
        return next(
            f"{size // FACTORS[unit]} {unit[0].upper()}iB"
            for unit in ("gib", "mib", "kib")
            if size % FACTORS[unit] == 0
        )
    return str(each.default) if isinstance(each.default, int) else f"{each.default:g}"


def _read_one(each: Field, flags: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
    by_flag, by_variable = flags.get(each.name), environment.get(variable(each.name), "")
    if by_flag is not None:
        return _read(each, by_flag, flag(each.name))
    if by_variable.strip():
        return _read(each, by_variable, variable(each.name))
    return each.default


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
