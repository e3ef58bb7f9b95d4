"""Trained betas as people have them, a pasted list or a file, to numbers."""

import json
import re
from pathlib import Path

from explorer.settings import SettingsError

FIELD = "trained_betas"
FILE_TYPES = [".txt", ".csv", ".json", ".npy"]
LONGEST_TEXT = 400_000  # 10,000 betas of 40 characters


def parse_betas(text: str | None) -> tuple[float, ...] | None:
    """Numbers separated by commas, spaces, semicolons or lines, or a JSON list; None for no text.

    Raises SettingsError, naming the first word that is not a number. Their range is checked by
    LaneSettings.
    """
    text = (text or "").strip()
    if not text:
        return None
    if len(text) > LONGEST_TEXT:
        raise SettingsError(
            FIELD, f"Trained betas may have at most {LONGEST_TEXT:,} characters of text."
        )
    words = [word for word in re.split(r"[\s,;]+", text.strip("[](){}")) if word]
    if not words:
        raise SettingsError(FIELD, "Trained betas: this text holds no number.")
    return tuple(_number(word, place) for place, word in enumerate(words, start=1))


def _number(word: str, place: int) -> float:
    try:
        return float(word)
    except ValueError:
        raise SettingsError(
            FIELD, f"Trained betas must be numbers; entry {place} is {word[:20]!r}."
        ) from None


def read_betas_file(path: str | Path) -> str:
    """The list in a .txt, .csv, .json or .npy file, as text for the form.

    A JSON object is searched for the key `trained_betas`, so a scheduler_config.json will do.
    Raises SettingsError for a file that holds no such list.
    """
    path = Path(path)
    try:
        betas = _array(path) if path.suffix == ".npy" else _list(path)
    except SettingsError:
        raise
    except (ValueError, TypeError, OSError):  # unreadable, not text, not JSON, not numbers
        betas = None
    if not betas:
        raise SettingsError(FIELD, f"{path.name[:60]} holds no list of numbers.")
    return ", ".join(map(repr, betas))


def _array(path: Path) -> tuple[float, ...]:
    import numpy as np

    return tuple(float(beta) for beta in np.load(path, allow_pickle=False).ravel())


def _list(path: Path) -> tuple[float, ...] | None:
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".json":
        data = json.loads(text)
        text = ",".join(map(str, data[FIELD] if isinstance(data, dict) and FIELD in data else data))
    return parse_betas(text)
