"""A run of the history in short: what a list shows of it, and what is wrong with it."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from explorer.records.errors import RecordError
from explorer.records.folder import RunFolder
from explorer.records.marks import Marks, read_marks

_WORD = re.compile(r'"([^"]*)"|(\S+)')


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """A run of the history, in short; `id` names it there.

    `problem` is a sentence on why it cannot be opened, `kind` the word for it, such as "damaged";
    both are "" for a sound run. `bytes` is its size on disk. `parameters` are its lanes' settings
    as A1111 writes them, `thumbnail` whether it has a small picture.
    """

    id: str
    created: datetime
    bytes: int
    name: str = ""
    starred: bool = False
    added: datetime | None = None
    state: str = ""
    message: str = ""
    seed: int = 0
    model: str = ""
    prompt: str = ""
    negative_prompt: str = ""
    labels: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    thumbnail: bool = False
    kind: str = ""
    problem: str = ""

    @property
    def order(self) -> tuple[datetime, str]:
        """Later ones are newer, whatever the clock was set to."""
        return self.added or self.created, self.id

    def matches(self, query: str) -> bool:
        """Whether every word of a query, or phrase in quotes, is in its prompts or settings."""
        text = "\n".join(
            (
                *(self.name, self.prompt, self.negative_prompt, *self.labels, *self.parameters),
                *(self.model, self.state, self.kind, self.id, str(self.seed)),
            )
        ).casefold()
        words = (phrase or word.strip('"') for phrase, word in _WORD.findall(query.casefold()))
        return all(word in text for word in words)

    def to_row(self) -> list[Any]:
        """The values as JSON has them, in the order of the fields; `entry_of_row` reads them."""
        values = (getattr(self, name) for name in FIELDS)
        return [each.isoformat() if isinstance(each, datetime) else each for each in values]


FIELDS = tuple(spec.name for spec in fields(HistoryEntry))
_LISTS = ("labels", "parameters")
_KINDS = {spec.name: spec.type for spec in fields(HistoryEntry)}


def entry_of_row(row: list[Any]) -> HistoryEntry:
    """Raise ValueError or TypeError for a row that `to_row` has not made."""
    values: dict[str, Any] = dict(zip(FIELDS, row, strict=True))
    for name, value in values.items():
        if name in _LISTS:
            values[name] = tuple(value)
            if not all(type(each) is str for each in value):
                raise TypeError(name)
        elif name == "created" or (name == "added" and value is not None):
            values[name] = datetime.fromisoformat(value).astimezone(UTC)
        elif name != "added" and type(value) is not _KINDS[name]:
            raise TypeError(name)
    return HistoryEntry(**values)


def read_entry(path: Path) -> HistoryEntry | None:
    """The run of a folder, in short; None where there is no folder any more."""
    try:
        manifest = RunFolder(path).manifest()
    except RecordError as error:
        return _without_manifest(path, read_marks(path), error)
    kept = read_marks(path)
    return HistoryEntry(
        id=path.name,
        created=manifest.created,
        bytes=_size(path),
        name=kept.name,
        starred=kept.starred,
        added=kept.added,
        state=manifest.state,
        message=manifest.message,
        seed=manifest.seed,
        model=manifest.model,
        prompt=manifest.prompt,
        negative_prompt=manifest.negative_prompt,
        labels=tuple(lane.label for lane in manifest.lanes),
        parameters=tuple(lane.parameters for lane in manifest.lanes),
        thumbnail=manifest.thumbnail is not None,
    )


def _size(path: Path) -> int:
    """What a folder's files take, in bytes, whatever its manifest says; 0 if it cannot be seen."""
    size = 0
    try:
        with os.scandir(path) as files:
            for file in files:
                with suppress(OSError):  # it has just gone
                    size += file.stat(follow_symlinks=False).st_size
    except OSError:
        pass
    return size


def _without_manifest(path: Path, kept: Marks, error: RecordError) -> HistoryEntry | None:
    try:
        changed = path.stat().st_mtime
    except OSError:
        if not path.is_dir():
            return None
        changed = 0.0
    return HistoryEntry(
        id=path.name,
        created=datetime.fromtimestamp(changed, UTC),
        bytes=_size(path),
        name=kept.name,
        starred=kept.starred,
        added=kept.added,
        kind=error.kind,
        problem=str(error),
    )
