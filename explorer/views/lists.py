"""Lists of numbers, pasted or in a file, to numbers and back to text."""

import io
import json
import re
from dataclasses import fields
from pathlib import PurePath

from explorer.settings import LaneSettings, SettingsError
from explorer.settings.limits import LIMITS

FILE_TYPES = (".txt", ".csv", ".json", ".npy")
_LABELS = {spec.name: spec.metadata["label"] for spec in fields(LaneSettings)}


def largest_file() -> int:
    """The largest file of a list, in bytes: as many characters as a pasted list, and padding."""
    return 4 * LIMITS.text_characters


def parse_list(field: str, text: str | None) -> tuple[float, ...] | None:
    """Numbers separated by commas, spaces, semicolons or lines, or a JSON list; None for no text.

    Raises SettingsError for `field`, naming the first word that is not a number. Their range is
    checked by LaneSettings.
    """
    label = _LABELS[field]
    text = (text or "").strip()
    if not text:
        return None
    if len(text) > (most := LIMITS.text_characters):
        raise SettingsError(field, f"{label} may have at most {most:,} characters of text.")
    items = [item for item in re.split(r"[\s,;]+", text.strip("[](){}")) if item]
    if not items:
        raise SettingsError(field, f"{label}: this text holds no number.")
    return tuple(_number(field, item, place) for place, item in enumerate(items, start=1))


def _number(field: str, word: str, place: int) -> float:
    try:
        return float(word)
    except ValueError:
        raise SettingsError(
            field, f"{_LABELS[field]} must be numbers; entry {place} is {word[:20]!r}."
        ) from None


def list_text(values: tuple[float, ...] | None) -> str:
    """A list as the form shows it; `parse_list` reads it back without loss."""
    return ", ".join(map(repr, values)) if values else ""


def read_list_file(field: str, name: str, data: bytes) -> str:
    """The list in the bytes of a .txt, .csv, .json or .npy file, as text for the form.

    A JSON object is searched for the key `field`, so a scheduler_config.json will do for the
    trained betas. Raises SettingsError for a file that holds no such list.
    """
    if len(data) > (most := largest_file()):
        raise SettingsError(field, f"{name[:60]} is too large; {most:,} bytes are allowed.")
    kind = PurePath(name).suffix.lower()
    try:
        numbers = _array(data) if kind == ".npy" else _list(field, kind, data)
    except SettingsError:
        raise
    except (
        ValueError,
        TypeError,
        MemoryError,
        RecursionError,
    ):  # not what its name says
        numbers = None
    if not numbers:
        raise SettingsError(field, f"{name[:60]} holds no list of numbers.")
    return list_text(numbers)


def _array(data: bytes) -> tuple[float, ...]:
    import numpy as np

    return tuple(float(each) for each in np.load(io.BytesIO(data), allow_pickle=False).ravel())


def _list(field: str, kind: str, data: bytes) -> tuple[float, ...] | None:
    text = data.decode("utf-8-sig")
    if kind == ".json":
        read = json.loads(text)
        read = read[field] if isinstance(read, dict) and field in read else read
        text = ",".join(map(str, read))
    return parse_list(field, text)
