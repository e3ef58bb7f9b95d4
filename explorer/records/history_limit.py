"""Room for a new run: which older ones go where a history would take more than it may."""

import shutil
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
    has more than an equal share: stars do not take the history from everybody else.
    Raises NotSaved where that leaves no room for the newest one.
    """
    runs = {folder: listing(folder).entries() for folder in owners(root)}
    sizes = {folder: sum(each.bytes for each in entries) for folder, entries in runs.items()}
    trash = {folder: listing(folder / TRASH).entries() for folder in runs}
    if sum(sizes.values()) + sum(each.bytes for some in trash.values() for each in some) > limit:
        for folder in runs:
            shutil.rmtree(folder / TRASH, ignore_errors=True)
    leaving: list[tuple[Path, HistoryEntry]] = []
    while sum(sizes.values()) > limit:
        free = {
            folder: [each for each in some if not each.starred and folder / each.id != newest]
            for folder, some in runs.items()
        }
        if not any(free.values()):
            share = limit / len(runs)
            spared = newest.parent, root / LOCAL
            free = {
                folder: some if folder not in spared and sizes[folder] > share else []
                for folder, some in runs.items()
            }
        if not any(free.values()):
            raise NotSaved(
                f"The run was not kept: starred runs fill the {size_text(limit)} of the history; "
                "unstar or delete some."
            )
        owner = max((folder for folder in runs if free[folder]), key=lambda each: sizes[each])
        oldest = free[owner][-1]
        runs[owner].remove(oldest)
        sizes[owner] -= oldest.bytes
        leaving.append((owner, oldest))
    for owner, entry in leaving:
        with suppress(OSError):
            remove_folder(owner / entry.id)
    return [entry for owner, entry in leaving if owner == newest.parent]
