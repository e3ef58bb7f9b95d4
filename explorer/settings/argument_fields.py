"""A lane's field for an argument of its schedule, with that argument's default and range."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field
from typing import Any

from explorer.sampling.samplers import SAMPLERS, taking
from explorer.sampling.schedule_options import OPTIONS, Flag, Number, WholeNumber
from explorer.settings import checks
from explorer.settings.fields import setting

AUTO = "auto"


def argument(
    name: str,
    label: str,
    help: str,
    *,
    default: Any = None,
    most: float = math.inf,
    zero: str = "",
    when: Mapping[str, Sequence[str]] | None = None,
    **hints: Any,
) -> Any:
    """A field for an argument of a schedule, by its name in OPTIONS.

    The argument's None is written 0 for a number and "auto" for a choice or a flag; `zero` says
    what the 0 of its check stands for, `most` narrows its range, `default` replaces its default.
    `when` gets the samplers that take the argument, if not all do.
    """
    stands_for = _stands_for(OPTIONS[name])
    if default is None:
        default = next(iter(stands_for), OPTIONS[name].default)
    check, choices = _check(OPTIONS[name], most, zero)
    if choices:
        hints = {"choices": same(choices)} | hints
    takers = taking(name)
    if len(takers) < len(SAMPLERS):
        when = {"sampler": takers, **(when or {})}
    if when:
        hints["when"] = when
    return setting(default, label, check, help, stands_for=stands_for, **hints)


def same(choices: Iterable[str]) -> list[tuple[str, str]]:
    """Choices of a menu whose labels are their values."""
    return [(key, key) for key in choices]


def _stands_for(option: Field) -> dict[Any, Any]:
    """The argument for each value that a lane writes differently; None, if allowed, comes first.

    As in A1111's settings, 0 means "not set".
    """
    allowed, optional = option.metadata["allowed"], option.default is None
    if not optional:
        return {}
    if isinstance(allowed, Number | WholeNumber):
        return {0.0: None}
    return {AUTO: None} | ({"off": False, "on": True} if isinstance(allowed, Flag) else {})


def _check(option: Field, most: float, zero: str) -> tuple[Callable[[str, Any], Any], list[str]]:
    """The check of a lane's field, and its choices if it has any."""
    allowed, written = option.metadata["allowed"], list(_stands_for(option))
    if isinstance(allowed, Number):
        low, high = allowed.low, min(allowed.high, most)
        if zero:
            return checks.zero_or(low, high, zero), []
        return checks.real(low, high, above=allowed.above), []
    if isinstance(allowed, WholeNumber):
        return checks.whole(allowed.low, int(min(allowed.high, most))), []
    if isinstance(allowed, Flag):
        return (checks.choice(written) if written else checks.flag), written
    choices = [*written, *allowed.known]
    return checks.choice(choices), choices
