"""Room for a new run: which older ones go where a history would take more than it may."""

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from explorer.byte_sizes import size_text
from explorer.records.errors import NotSaved
from explorer.records.folder import remove_folder
from explorer.records.history_entries import HistoryEntry
from explorer.records.history_listing import listing

LOCAL, VISITOR = "local", "visitor-"  # an owner's folder: this machine's user's, or a visitor's
TRASH = ".trash"  # the folder in it of what was deleted


def owners(root: Path) -> list[Path]:
    """The folders of all owners of a history."""
    return [
        folder
        for folder in sorted(root.iterdir())
        if (folder.name == LOCAL or folder.name.startswith(VISITOR))
        and folder.is_dir()
        and not folder.is_symlink()
    ]


def make_room(root: Path, newest: Path, limit: int) -> list[HistoryEntry]:
    """Remove runs until those of all owners together take at most `limit` bytes.

    Returns those of the newest one's owner. What was deleted goes first, then the oldest unstarred
    run of the owner who has the most. Where all others are starred, those of another visitor go who
    has more than an equal share: stars do not take the history from everybody else. Nobody's goes
    for an owner who has more, and those of this machine's user for none of a visitor's.
    Raises NotSaved where that leaves no room for the newest one.
    """
    mine = newest.parent
    runs = {folder: listing(folder).entries() for folder in owners(root)}
    sizes = {folder: _bytes(entries) for folder, entries in runs.items()}
    _empty_trash(sizes, limit)
    leaving: list[tuple[Path, HistoryEntry]] = []
    while sum(sizes.values()) > limit:
        free = {
            folder: [each for each in some if not each.starred and folder / each.id != newest]
            for folder, some in runs.items()
            if folder == mine or (folder.name != LOCAL and sizes[folder] >= sizes[mine])
        }
        if not any(free.values()):
            share = limit / len(runs)
            free = {
                folder: runs[folder] if folder != mine and sizes[folder] > share else []
                for folder in free
                if folder.name != LOCAL
            }
        if not any(free.values()):
            has_starred = any(each.starred for each in runs[mine])
            raise NotSaved((STARRED if has_starred else OTHERS).format(size_text(limit)))
        owner = max((folder for folder in free if free[folder]), key=lambda each: sizes[each])
        oldest = free[owner][-1]
        runs[owner].remove(oldest)
        sizes[owner] -= oldest.bytes
        leaving.append((owner, oldest))
    for owner, entry in leaving:
        with suppress(OSError):
            remove_folder(owner / entry.id)
    return [entry for owner, entry in leaving if owner == mine]


STARRED = "The run was not kept: starred runs fill the {} of the history; unstar or delete some."
OTHERS = "The run was not kept: others' runs fill the {} of the history; save it as a .zip."


def _empty_trash(sizes: Mapping[Path, int], limit: int) -> None:
    """Remove what was deleted, of those who have the most first, as far as room is needed."""
    trash = {folder: _bytes(listing(folder / TRASH).entries()) for folder in sizes}
    left = sum(sizes.values()) + sum(trash.values())
    for folder in sorted(trash, key=lambda each: sizes[each] + trash[each], reverse=True):
        if left <= limit:
            return
        shutil.rmtree(folder / TRASH, ignore_errors=True)
        left -= trash[folder]


def _bytes(entries: Iterable[HistoryEntry]) -> int:
    return sum(each.bytes for each in entries)
