"""Checks of settings' values: each returns the value in its type, or says what is wrong.

A check takes the setting's label and the value, and raises ValueError with a sentence that says
what to do. `json_schema` of it says to programs which values it takes.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from explorer.sampling.betas import quoted
from explorer.sampling.custom_lists import custom_sigmas
from explorer.sampling.samplers import SAMPLERS, find_sampler
from explorer.settings.limits import LIMITS
from explorer.settings.start_picture import check_picture
from explorer.settings.text import broken_at

SMALLEST_SIDE, LARGEST_SIDE = 64, 2048
MOST_BETAS = 10_000

Schema = dict[str, Any]


@dataclass(frozen=True)
class Described:
    """A check, called as a function, and the JSON Schema of the values that it takes.

    The schema is made when it is asked for: limits are the operator's.
    """

    check: Callable[[str, Any], Any]
    schema: Callable[[], Schema]

    def __call__(self, label: str, value: object) -> Any:
        return self.check(label, value)

    @property
    def json_schema(self) -> Schema:
        return self.schema()


def described(schema: Callable[[], Schema]) -> Callable[[Callable[[str, Any], Any]], Described]:
    """Make a function a check that says what it takes."""
    return lambda check: Described(check, schema)


@dataclass(frozen=True)
class Ranged(Described):
    """The check of a number, with the ends of its range."""

    low: float
    high: float

    def nearest(self, value: Any) -> float:
        """The end of the range that a number lies beyond; ValueError for any other value."""
        parsed = number("", value, "")
        if self.low <= parsed <= self.high:
            raise ValueError
        return self.low if parsed < self.low else self.high


def whole(low: int, high: int) -> Ranged:
    wanted = f"a whole number from {low} to {high}"

    def check(label: str, value: object) -> int:
        parsed = number(label, value, wanted)
        if parsed != int(parsed) or not low <= parsed <= high:
            raise ValueError(f"{label} must be {wanted}; got {typed(value)}.")
        return int(parsed)

    return Ranged(check, lambda: {"type": "integer", "minimum": low, "maximum": high}, low, high)


def real(low: float, high: float, *, inside: bool = False, above: bool = False) -> Ranged:
    """A number from `low` to `high`; `above` excludes `low`, `inside` excludes both."""
    wanted = f"a number from {low:g} to {high:g}"
    if inside:
        wanted = f"a number above {low:g} and below {high:g}"
    elif above:
        wanted = f"a number above {low:g}, up to {high:g}"

    def check(label: str, value: object) -> float:
        parsed = number(label, value, wanted)
        outside = not low <= parsed <= high
        if outside or (parsed == low and (inside or above)) or (parsed == high and inside):
            raise ValueError(f"{label} must be {wanted}; got {typed(value)}.")
        return parsed

    least = "exclusiveMinimum" if inside or above else "minimum"
    most = "exclusiveMaximum" if inside else "maximum"
    return Ranged(check, lambda: {"type": "number", **_ends(least, low, most, high)}, low, high)


def _ends(least: str, low: float, most: str, high: float) -> Schema:
    """The ends of a range, as far as there are ends: JSON has no infinity."""
    ends = {least: low, most: high}
    return {key: end for key, end in ends.items() if math.isfinite(end)}


def zero_or(low: float, high: float, meaning: str) -> Ranged:
    """A number from `low` to `high`, or 0, which stands for something else."""
    wanted = f"0 ({meaning}) or a number " + (f"from {low:g} to" if low else "up to") + f" {high:g}"

    def check(label: str, value: object) -> float:
        parsed = number(label, value, wanted)
        if parsed and not (low <= parsed <= high):
            raise ValueError(f"{label} must be {wanted}; got {typed(value)}.")
        return parsed

    def schema() -> Schema:
        ranged = {"type": "number", **_ends("minimum", low, "maximum", high)}
        return {"anyOf": [{"const": 0}, ranged]} if low > 0 else ranged

    return Ranged(check, schema, low, high)


def number(label: str, value: Any, wanted: str) -> float:
    try:
        parsed = float(value)
    except (TypeError, ValueError, OverflowError):
        parsed = math.nan
    if isinstance(value, bool) or not math.isfinite(parsed):
        raise ValueError(f"{label} must be {wanted}; got {typed(value)}.")
    return parsed


def typed(value: object) -> str:
    """The value as typed, shortened for a sentence."""
    return str(value)[:40] if value is not None and str(value) else "nothing"


@described(lambda: {"type": "string", "enum": list(SAMPLERS)})
def sampler(label: str, value: object) -> str:
    return find_sampler(str(value)[:40]).key


def choice(choices: Iterable[str]) -> Described:
    choices = tuple(choices)

    def check(label: str, value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"{label} must be one of {', '.join(choices)}; got {quoted(value)}.")
        return value

    return Described(check, lambda: {"type": "string", "enum": list(choices)})


def text(longest: int) -> Described:
    def check(label: str, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{label} must be text; got {quoted(value)}.")
        if len(value) > longest:
            raise ValueError(
                f"{label} may have at most {longest:,} characters; this one has {len(value):,}."
            )
        if (place := broken_at(value)) is not None:
            raise ValueError(
                f"{label} holds something that is no character, at place {place + 1} "
                f"({quoted(value[place])}); delete it."
            )
        return value

    return Described(check, lambda: {"type": "string", "maxLength": longest})


@described(lambda: {"type": "string", "maxLength": LIMITS.prompt_characters})
def prompt(label: str, value: object) -> str:
    return text(LIMITS.prompt_characters)(label, value)


def _numbers(**ends: Any) -> Schema:
    """The schema of a list of numbers, or none."""
    return {"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "number"}, **ends}]}


@described(lambda: _numbers(minItems=2, maxItems=MOST_BETAS))
def betas(label: str, value: Any) -> tuple[float, ...] | None:
    if value is None:
        return None
    try:
        betas = tuple(float(beta) for beta in value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{label} must be a list of numbers between 0 and 1.") from None
    if not 2 <= len(betas) <= MOST_BETAS:
        raise ValueError(f"{label} needs 2 to 10,000 values; got {len(betas):,}.")
    for position, beta in enumerate(betas, start=1):
        if not 0 < beta < 1:
            raise ValueError(
                f"{label} must all lie above 0 and below 1; value {position} is {beta:g}."
            )
    return betas


@described(lambda: _numbers(maxItems=LIMITS.steps))
def sigmas(label: str, value: Any) -> tuple[float, ...] | None:
    """A lane's custom sigmas, without the final 0; None for none."""
    if value is None or (isinstance(value, list | tuple) and not value):
        return None
    try:
        return tuple(map(float, custom_sigmas(value)))
    except ValueError as error:
        raise ValueError(str(error).replace("sigmas", label, 1)) from None


@described(lambda: {"type": "boolean"})
def flag(label: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{label} must be on or off; got {str(value)[:40]!r}.")
    return value


@described(
    lambda: {
        "anyOf": [
            {"const": 0},
            {
                "type": "integer",
                "minimum": SMALLEST_SIDE,
                "maximum": LARGEST_SIDE,
                "multipleOf": 8,
            },
        ]
    }
)
def side(label: str, value: object) -> int:
    """A picture's width or height; 0 leaves it to the model."""
    wanted = f"0 (the model's default) or a multiple of 8 from {SMALLEST_SIDE} to {LARGEST_SIDE:,}"
    parsed = number(label, value, wanted)
    if parsed and not (SMALLEST_SIDE <= parsed <= LARGEST_SIDE and parsed % 8 == 0):
        raise ValueError(f"{label} must be {wanted}; got {typed(value)}.")
    return int(parsed)


@described(lambda: {"type": "string"})
def start_picture(label: str, value: object) -> str:
    """A data URL that start_picture.py reads, or nothing."""
    if value in (None, ""):
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{label} must be a picture as a data URL; got {type(value).__name__}.")
    try:
        return check_picture(value)
    except ValueError as error:
        raise ValueError(f"{label}: {error}") from None
