"""Settings that a command is given: a run, a text, a picture, a link, or a scheduler's file."""

import sys
from collections.abc import Sequence
from pathlib import Path

from explorer.records.errors import shown_name
from explorer.records.folder import RunFolder
from explorer.records.interchange.picture_text import FORMATS
from explorer.records.manifest import MANIFEST
from explorer.records.opening import open_run
from explorer.records.opening import read_settings as settings_of_folder
from explorer.records.permalinks import is_permalink
from explorer.settings import RunSettings, SettingsError
from explorer.settings.limits import LIMITS
from explorer.views.settings_sources import Source, source_of_picture, source_of_text

FIELD = "settings"
STANDARD_INPUT = "-"
SCHEDULER_FILES = ("scheduler_config.json", "scheduler/scheduler_config.json")
KINDS = (
    "give a run's folder or .zip, a picture or a text with settings, a link, a model's folder or a "
    "scheduler_config.json"
)


def read_source(text: str, models: Sequence[str] = ()) -> Source:
    """The settings that a path, a link, or "-" for the standard input, leads to.

    `models` are the names of those that a run may choose. Raises SettingsError or RecordError, with
    a sentence.
    """
    if text == STANDARD_INPUT:
        return _of_bytes("the standard input", sys.stdin.buffer.read(_most_bytes() + 1), models)
    path = Path(text)
    try:
        exists, is_folder = path.exists(), path.is_dir()
    except (OSError, ValueError):  # too long for a path, or none
        exists = is_folder = False
    if not exists and is_permalink(text):
        return source_of_text(path.name, text, models)
    name = shown_name(path)
    if not exists:
        raise SettingsError(FIELD, f"There is nothing at {text[:200]!r}: {KINDS}.")
    if path.name == MANIFEST:
        path, is_folder = path.absolute().parent, True
    if is_folder:
        return _of_folder(path, name, models)
    if path.suffix == ".zip":
        return Source(name, RunSettings.from_dict(dict(open_run(path).settings)))
    return _of_bytes(name, _read(path, name), models)


def _of_folder(path: Path, name: str, models: Sequence[str]) -> Source:
    """A run's folder, or a model's, of which its scheduler is read."""
    if not (path / MANIFEST).exists():
        for inner in SCHEDULER_FILES:
            if (path / inner).is_file():
                return _of_bytes(f"{name}/{inner}", _read(path / inner, inner), models)
    folder = RunFolder(path.absolute())
    return Source(name, RunSettings.from_dict(settings_of_folder(folder, folder.manifest())))


def _most_bytes() -> int:
    return max(LIMITS.upload_bytes, 4 * LIMITS.text_characters)


def _read(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_most_bytes() + 1)
    except OSError as error:
        raise SettingsError(FIELD, f"{name} cannot be read ({error.strerror}).") from None


def _of_bytes(name: str, data: bytes, models: Sequence[str]) -> Source:
    if len(data) > _most_bytes():
        raise SettingsError(FIELD, f"{name} is too large to be settings: {KINDS}.")
    if _is_picture(data):
        return source_of_picture(name, data, models)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(FIELD, f"{name} holds neither text nor a picture: {KINDS}.") from None
    return source_of_text(name, text, models)


def _is_picture(data: bytes) -> bool:
    from PIL import Image

    from explorer.settings.picture_files import open_picture

    try:
        with open_picture(data) as picture:
            return picture.format in FORMATS
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
