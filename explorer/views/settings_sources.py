"""Settings in a text or a picture of any kind, whole, for whoever has no form to fill."""

from collections.abc import Sequence
from dataclasses import dataclass

from explorer.records.interchange import ReadSettings, read_settings
from explorer.records.permalinks import is_permalink, read_permalink
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.scheduler_file import read_scheduler_file
from explorer.views.opened_settings import assumed, is_scheduler_config


@dataclass(frozen=True)
class Source:
    """What was read: a run's `settings`, or the `lane` of a scheduler's file, which has no run.

    `name` says what it is called, `notes` are sentences on all that is not as it was in it.
    """

    name: str
    settings: RunSettings | None = None
    lane: LaneSettings | None = None
    notes: tuple[str, ...] = ()


def source_of_text(name: str, text: str, models: Sequence[str] = ()) -> Source:
    """A link, a scheduler_config.json, or what `read_settings` takes; raises SettingsError."""
    if is_permalink(text):
        link = read_permalink(text)
        return Source("the link", link.settings, notes=link.notes)
    if is_scheduler_config(text):
        read = read_scheduler_file(text)
        return Source(name, lane=read.lane, notes=read.notes)
    return _source(name, read_settings(text, models))


def source_of_picture(name: str, file: bytes, models: Sequence[str] = ()) -> Source:
    """The text in a picture's file; raises SettingsError if there is none."""
    return _source(name, read_settings(file, models))


def _source(name: str, read: ReadSettings) -> Source:
    notes = list(read.notes)
    if defaults := assumed(read):
        notes.append(f"Not in it, so the default here: {', '.join(defaults)}.")
    notes += [f"Left out: {each.key} {each.value} ({each.reason})." for each in read.unmapped]
    return Source(name, read.settings, notes=tuple(notes))
