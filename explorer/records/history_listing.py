"""The runs of a folder as a list, of which only what has changed is read again.

What was read is kept in a file too, so that ten thousand runs are listed at once: a cache, of which
what is missing, damaged or out of date is read from the runs themselves.
"""

import json
import os
import stat
import threading
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from explorer.records import marks
from explorer.records.folder import PART
from explorer.records.history_entries import FIELDS, HistoryEntry, entry_of_row, read_entry
from explorer.records.manifest import MANIFEST, read_json
from explorer.whole_files import write_whole

STALE_S = 3600  # a folder that is being written so long will not be written to its end
INDEX = ".index.json"
MOST_BYTES = 2**27  # of it
MOST_UNWRITTEN = 16  # runs that may be read anew before it is written, or one in a hundred

Stamp = tuple[int, ...]  # of a run's files: another one where they have changed


class Listing:
    """The runs of a folder; for any thread."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Stamp, HistoryEntry]] | None = None

    def entries(self) -> list[HistoryEntry]:
        """All of them, the newest first; none where there is no folder."""
        with self._lock:
            before = self._read_index() if self._known is None else self._known
            self._known, anew = {}, 0
            for path in run_folders(self.folder):
                name, stamp = os.path.basename(path), _stamp(path)
                known = before.get(name)
                if known and known[0] == stamp:
                    self._known[name] = known
                elif entry := read_entry(Path(path)):
                    # What is wrong with a run may change without its summary.
                    self._known[name] = (() if entry.problem else stamp), entry
                    anew += not entry.problem
            if anew > max(MOST_UNWRITTEN, len(self._known) // 100):
                self._write_index()
            entries = [entry for _, entry in self._known.values()]
        return sorted(entries, key=lambda entry: entry.order, reverse=True)

    def _read_index(self) -> dict[str, tuple[Stamp, HistoryEntry]]:
        path = self.folder / INDEX
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
                return {}
            data = read_json(path.read_bytes())
            if data["fields"] != list(FIELDS):  # of another version
                return {}
            rows = {name: (tuple(stamp), entry_of_row(row)) for name, stamp, row in data["runs"]}
            return {name: row for name, row in rows.items() if name == row[1].id}
        except (OSError, ValueError, TypeError, KeyError, OverflowError):
            return {}

    def _write_index(self) -> None:
        known = self._known or {}
        runs = [(name, stamp, entry.to_row()) for name, (stamp, entry) in known.items() if stamp]
        text = json.dumps({"fields": FIELDS, "runs": runs}, separators=(",", ":"))
        with suppress(OSError):  # without it the list takes longer
            write_whole(self.folder / INDEX, [text.encode()])


@lru_cache(maxsize=1024)
def listing(folder: Path) -> Listing:
    """The list of a folder, one for all who look at it."""
    return Listing(folder)


def run_folders(folder: Path) -> list[str]:
    """The folders that stand for runs, no links; of those being written only the stale ones."""
    try:
        with os.scandir(folder) as names:
            return [
                each.path
                for each in names
                if each.is_dir(follow_symlinks=False)
                and (not each.name.startswith(".") or is_stale_part(Path(each.path)))
            ]
    except OSError:
        return []


def is_stale_part(path: Path) -> bool:
    """Whether a folder was being written, and has not changed for long."""
    try:
        return path.name.endswith(PART) and time.time() - path.stat().st_mtime > STALE_S
    except OSError:
        return False


def _stamp(path: str) -> Stamp:
    """What differs when a run's summary has changed."""
    stamps: list[int] = []
    for name in (MANIFEST, marks.FILE):
        try:
            status = os.stat(f"{path}/{name}", follow_symlinks=False)
            stamps += (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamps.append(0)
    return tuple(stamps)
