"""What the history adds to a run's folder, in `marks.json`: its name, a star, when it came."""

import json
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from explorer.records.manifest import read_json
from explorer.settings.text import broken_at
from explorer.whole_files import write_whole

FILE = "marks.json"
MOST_BYTES = 4096
DRAFT = ".part"  # ends the name of one that is being written
LONGEST_NAME = 200  # characters


@dataclass(frozen=True, kw_only=True)
class Marks:
    """`added` is when the run came into the history, with its zone; later than all before it."""

    name: str = ""
    starred: bool = False
    added: datetime | None = None

    def to_json(self) -> bytes:
        data = asdict(self) | {"added": self.added.isoformat() if self.added else None}
        return (json.dumps(data) + "\n").encode()


def checked_name(name: str) -> str:
    """A run's name as it is kept; raises ValueError, with a sentence."""
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME:
        raise ValueError(f"A run's name may have at most {LONGEST_NAME} characters.")
    if broken_at(name) is not None:
        raise ValueError("A run's name holds something that is no character; delete it.")
    return name


def read_marks(folder: Path) -> Marks:
    """A run's marks; those of a file that is missing or damaged are none."""
    path = folder / FILE
    try:
        if not stat.S_ISREG(path.lstat().st_mode):  # a link elsewhere, a pipe that nobody fills
            return Marks()
        with path.open("rb") as file:
            data = read_json(file.read(MOST_BYTES))
        added = data.get("added") and datetime.fromisoformat(data["added"])
        name = checked_name(data.get("name", ""))
        if added is not None and added.tzinfo is None:
            added = None
        if added is not None:
            added = added.astimezone(UTC)  # the year 1 east of Greenwich has no such time
        return Marks(name=name, starred=data.get("starred") is True, added=added)
    except (OSError, ValueError, TypeError, AttributeError, OverflowError):
        return Marks()


def write_marks(folder: Path, marks: Marks) -> None:
    """Replace a run's marks; raises OSError, and then nothing has changed.

    What a program that was killed has left of earlier ones goes.
    """
    write_whole(folder / FILE, [marks.to_json()])
    with suppress(OSError):
        for draft in folder.glob(f".{FILE}.*{DRAFT}"):
            draft.unlink()
