"""What may be wrong with a saved run: a kind of error each, every one with a sentence."""

import errno
import os
from pathlib import Path
from typing import ClassVar

from explorer.settings.text import encodable

LONGEST_SHOWN = 100  # characters of a name in a sentence


class RecordError(ValueError):
    """A saved run that cannot be opened or written; the message is one sentence to act on.

    `kind` is a word for lists: "foreign", "damaged", "unfinished", "newer" or "not saved".
    """

    kind: ClassVar[str]


class ForeignRun(RecordError):
    """It is there, and no run of this program."""

    kind = "foreign"


class DamagedRun(RecordError):
    """It is a run, of which something is missing or not as it was saved."""

    kind = "damaged"


class UnfinishedRun(RecordError):
    """It was being written when the program ended."""

    kind = "unfinished"


class NewerRun(RecordError):
    """It was saved in a format that this version does not know yet."""

    kind = "newer"


class NotSaved(RecordError):
    """A run could not be written; it is as whole in memory as before."""

    kind = "not saved"


KEPT = "the run is still there and can be saved elsewhere"
REASONS = {
    errno.ENOSPC: f"the disk is full; free some space, {KEPT}",
    errno.EDQUOT: f"the disk's quota is used up; free some space, {KEPT}",
    errno.EROFS: f"the disk is read-only; {KEPT}",
    errno.EACCES: f"nothing may be written there; {KEPT}",
    errno.EPERM: f"nothing may be written there; {KEPT}",
    errno.ENAMETOOLONG: "its name is too long; choose a shorter one",
    errno.ENOTDIR: "it lies under a file, not a folder; choose another place",
}


def shown_name(path: Path) -> str:
    """A path's last part as a sentence can hold it: short, and of characters only."""
    name = encodable((path.name or str(path)).replace("\0", "\ufffd"))
    return name if len(name) <= LONGEST_SHOWN else f"{name[: LONGEST_SHOWN - 10]}...{name[-10:]}"


def is_nameable(path: Path) -> bool:
    """Whether a file or folder can have this path: it ends in a name that the system can write."""
    try:
        return bool(path.name) and b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def not_saved(name: str, error: OSError, verb: str = "saved") -> NotSaved:
    """The error for a run of that name which could not be written; its path is not said."""
    reason = REASONS.get(error.errno or 0)
    if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
        reason = "something of that name is there already; choose another name"
    return NotSaved(f"{name} was not {verb}: {reason or f'{error.strerror}; {KEPT}'}.")
