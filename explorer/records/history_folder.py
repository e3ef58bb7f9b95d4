"""The history: a folder of runs, the newest first, named and starred, deleted and brought back.

Several processes may share it: a run appears and goes by one rename, and what changes runs that
are there holds a lock.
"""

import hashlib
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from explorer.byte_sizes import size_text
from explorer.records import marks
from explorer.records.errors import ForeignRun, NotSaved, not_saved
from explorer.records.folder import PART, RunFolder, remove_folder, write_folder
from explorer.records.history_entries import HistoryEntry, read_entry
from explorer.records.history_limit import LOCAL, TRASH, VISITOR, make_room
from explorer.records.history_listing import is_stale_part, listing
from explorer.records.latents import LatentBlock, read_latents
from explorer.records.layout import run_files
from explorer.records.marks import Marks, checked_name, read_marks, write_marks
from explorer.records.opening import open_run, read_thumbnail
from explorer.records.run import RecordedRun, new_run_id
from explorer.records.shown import ShownRun, open_shown
from explorer.records.zip_file import read_zip
from explorer.sampling.wording import counted
from explorer.settings.limits import LIMITS

APP = "sampler-explorer"
LOCK = ".lock"
LOCK_S = 30.0  # how long to wait for another process
_OWNER = re.compile(r"[0-9a-f]{32,64}")


def default_folder() -> Path:
    """Where the history is kept where nobody says otherwise: in the user's data folder.

    Raises NotSaved where the system knows of none.
    """
    from platformdirs import user_data_path

    folder = user_data_path(APP, appauthor=False) / "runs"
    if not folder.is_absolute():
        raise NotSaved("This system has no folder for a user's data; name a folder for the runs.")
    return folder


def history(folder: str | Path | None = None, owner: str = "") -> "History":
    """The history in a folder, else in the user's data folder; `owner` is a visitor's id.

    Raises NotSaved where there is no such folder, ValueError for what is no id.
    """
    return History(folder or default_folder(), owner)


def new_owner_id() -> str:
    """A visitor's id, which nobody guesses: only who knows it sees the visitor's runs."""
    return secrets.token_hex(16)


@dataclass(frozen=True, kw_only=True)
class Added:
    """A run that was taken into the history, and the older ones that made room for it.

    `message` says so in a sentence; "" where none had to go.
    """

    entry: HistoryEntry
    removed: tuple[HistoryEntry, ...] = ()
    message: str = ""


class History:
    """The runs of one owner: of this machine's user, or of a visitor of a server.

    Of a visitor's id the disk knows a hash only. `LIMITS.history_bytes` bounds the runs of all
    owners of a folder together. For any thread.
    """

    def __init__(self, root: str | Path, owner: str = ""):
        if owner and not _OWNER.fullmatch(owner):
            raise ValueError("This is no visitor's id.")
        name = VISITOR + hashlib.sha256(owner.encode()).hexdigest()[:32] if owner else LOCAL
        self.root = Path(root)
        self.folder = self.root / name

    # --- reading ---

    def entries(self, query: str = "") -> list[HistoryEntry]:
        """The runs, the newest first; with a query those with all its words in prompt or settings.

        What cannot be opened is among them, with a `problem`.
        """
        entries = listing(self.folder).entries()
        return [each for each in entries if each.matches(query)] if query.strip() else entries

    def __len__(self) -> int:
        return len(self.entries())

    def __iter__(self) -> Iterator[HistoryEntry]:
        return iter(self.entries())

    @property
    def total_bytes(self) -> int:
        """What the runs take on disk, without those that were deleted."""
        return sum(each.bytes for each in self.entries())

    def open(self, id: str) -> RecordedRun:
        """A run as it was; raises ForeignRun where this owner has none of that id, and what
        `open_run` raises."""
        return open_run(self._path(id))

    def shown(self, id: str) -> ShownRun:
        """What is shown of a run, its latents unread, by the id that it has here; raises what
        `open` raises."""
        return replace(open_shown(self._path(id)), id=id)

    def latents(self, id: str, lane: int, call: int) -> LatentBlock:
        """Some calls' latents of a run, that call's among them; raises what `open` raises."""
        return read_latents(self._path(id), lane, call)

    def thumbnail(self, id: str) -> bytes | None:
        """A run's small picture, a JPEG file, or None; raises what `open` raises."""
        return read_thumbnail(RunFolder(self._path(id)))

    # --- changing ---

    def add(self, run: RecordedRun, name: str = "") -> Added:
        """Keep a run; older ones go where the history would take more than its limit.

        Starred ones stay. Raises NotSaved, with a sentence, where it cannot be kept.
        """
        name = checked_name(name)
        with self._locked():
            path = self.folder / run.id
            kept = Marks(name=name, added=self._time_after_all())
            write_folder(path, self._files(run, kept), called="The run")
            self._tidy()
            try:
                removed = make_room(self.root, path, LIMITS.history_bytes)
            except NotSaved:
                with suppress(OSError):
                    remove_folder(path)
                raise
            entry = _entry(path)
        message = ""
        if removed:
            were = "was" if len(removed) == 1 else "were"
            message = (
                f"{counted(len(removed), 'older run')} {were} removed: the history may take "
                f"{size_text(LIMITS.history_bytes)}."
            )
        return Added(entry=entry, removed=tuple(removed), message=message)

    def add_zip(self, source: Path | BinaryIO, name: str = "") -> Added:
        """Keep the run of a .zip, under a new id; raises what `read_zip` and `add` raise."""
        return self.add(replace(read_zip(source), id=new_run_id()), name)

    def rename(self, id: str, name: str) -> HistoryEntry:
        """Give a run a name; "" takes it away. Raises ValueError for what is no name, ForeignRun
        where there is no such run, NotSaved where the name could not be written."""
        return self._mark(id, name=checked_name(name))

    def star(self, id: str, starred: bool = True) -> HistoryEntry:
        """Star a run, so that it is never removed to make room, or take the star away.

        Raises what `rename` raises.
        """
        return self._mark(id, starred=starred)

    def delete(self, id: str) -> None:
        """Delete a run; `restore` brings it back for a while. Raises as `rename` does."""
        with self._locked():
            path = self._path(id)
            trash = self.folder / TRASH / id
            try:
                if trash.parent.is_symlink():  # it leads elsewhere
                    trash.parent.unlink()
                trash.parent.mkdir(exist_ok=True)
                shutil.rmtree(trash, ignore_errors=True)
                path.rename(trash)
                trash.touch()
            except OSError as error:
                raise not_saved("The change of the run", error) from error
            self._tidy()

    def restore(self, id: str) -> HistoryEntry:
        """Bring a deleted run back; raises ForeignRun where it is gone, NotSaved."""
        with self._locked():
            path = self._path(id, self.folder / TRASH)
            try:
                if (self.folder / id).exists():
                    raise FileExistsError(17, "File exists")
                path.rename(self.folder / id)
            except OSError as error:
                raise not_saved("The change of the run", error) from error
            return _entry(self.folder / id)

    def deleted(self) -> list[HistoryEntry]:
        """The runs that `restore` can bring back, the newest first."""
        trash = self.folder / TRASH
        return [] if trash.is_symlink() else listing(trash).entries()

    # --- the parts ---

    def _path(self, id: str, folder: Path | None = None) -> Path:
        """The folder of a run; raises ForeignRun for a name that is none of this owner's runs."""
        path = (folder or self.folder) / id
        is_name = 0 < len(id) < 256 and id == path.name and "\0" not in id
        if folder is not None and folder.is_symlink():  # it leads elsewhere
            raise ForeignRun("There is no such run in the history.")
        is_hidden = id.startswith(".") and not id.endswith(PART)
        if not is_name or is_hidden or path.is_symlink() or not path.is_dir():
            raise ForeignRun("There is no such run in the history.")
        return path

    def _files(self, run: RecordedRun, kept: Marks) -> Iterator[tuple[str, bytes]]:
        yield marks.FILE, kept.to_json()
        size = 0
        for name, data in run_files(run):
            size += len(data)
            if size > LIMITS.history_bytes:
                raise NotSaved(
                    "The run was not kept: it takes more than the history may, "
                    f"{size_text(LIMITS.history_bytes)}; it can be saved elsewhere."
                )
            yield name, data

    def _mark(self, id: str, **changes: Any) -> HistoryEntry:
        with self._locked():
            path = self._path(id)
            try:
                write_marks(path, replace(read_marks(path), **changes))  # as it is by now
            except OSError as error:
                raise not_saved("The change of the run", error) from error
            return _entry(path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among all processes that share the folder; raises NotSaved."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.root / LOCK, timeout=LOCK_S):
                yield
        except Timeout:
            raise NotSaved(
                "Another program has held the history for long; try again, or end it."
            ) from None
        except OSError as error:
            raise not_saved("The history", error) from error

    def _time_after_all(self) -> datetime:
        """Now; where the clock was set back, a moment after the newest run."""
        now = datetime.now(UTC)
        newest = self.entries()[:1]
        return max([now, *(_moment_after(each.order[0]) for each in newest)])

    def _tidy(self) -> None:
        """Remove what was deleted long ago, and what will not be written to its end."""
        with suppress(OSError):
            trash = self.folder / TRASH
            for path in () if trash.is_symlink() else trash.iterdir():
                if time.time() - path.stat().st_mtime > LIMITS.keep_deleted_s:
                    shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path.name.startswith(".") and is_stale_part(path):
                    shutil.rmtree(path, ignore_errors=True)


def _moment_after(time: datetime) -> datetime:
    """The next microsecond, but for the last one that there is."""
    try:
        return time.astimezone(UTC) + timedelta(microseconds=1)
    except OverflowError:
        return time


def _entry(path: Path) -> HistoryEntry:
    """A run that is there, in short; raises ForeignRun where it has just been taken away."""
    entry = read_entry(path)
    if entry is None:
        raise ForeignRun("There is no such run in the history.")
    return entry
