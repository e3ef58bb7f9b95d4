"""What `run` leaves behind: run folders, and a table of their lanes in runs.csv."""

import csv
import io
import itertools
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from explorer.records.errors import NotSaved
from explorer.records.exports.names import file_name
from explorer.records.run import RecordedRun
from explorer.views.run_numbers import RunNumbers

TABLE = "runs.csv"
OF_RUN = ("prompt", "steps", "cfg_scale", "seed")
OF_LANE = ("lane", "label", "text", "state", "calls", "latent_mean", "latent_std", "difference")
COLUMNS = ("run", *OF_RUN, "model", "seconds", *OF_LANE, "picture")


class Kept(NamedTuple):
    """Where a run is, and a sentence if that is not where it was wanted."""

    folder: Path
    problem: str = ""


def keep(run: RecordedRun, folder: Path) -> Kept:
    """Write a run as a new folder inside another, else among the temporary files.

    Raises NotSaved where it can be written nowhere.
    """
    try:
        return Kept(_save(run, folder))
    except NotSaved as error:
        spare = Path(tempfile.mkdtemp(prefix="sampler-explorer-"))
        return Kept(_save(run, spare), str(error))


def _save(run: RecordedRun, folder: Path) -> Path:
    name = file_name(run, "")
    for number in itertools.count(1):
        path = folder / (name if number == 1 else f"{name}-{number}")
        if not os.path.lexists(path):
            return run.save(path)
    raise AssertionError("there are more numbers than folders")


def picture_of(folder: Path, lane: str) -> Path | None:
    """A lane's picture in a run's folder, by its letter; None for a lane without one."""
    path = folder / f"lane-{lane.lower()}.png"
    return path if path.exists() else None


def add_to_table(run: RecordedRun, numbers: RunNumbers, folder: Path) -> Path:
    """Add a run's lanes to the runs.csv beside its folder; raises NotSaved.

    A file of that name with other columns stays as it is, and another is written.
    """
    path = _table_in(folder.parent)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    if not path.exists():
        rows.writerow(COLUMNS)
    for lane in numbers["lanes"]:
        picture = picture_of(folder, lane["lane"])
        row = [folder.name, *(run.settings.get(name) for name in OF_RUN)]
        row += [numbers["model"], numbers["seconds"], *(lane[name] for name in OF_LANE)]
        rows.writerow([*row, f"{folder.name}/{picture.name}" if picture else ""])
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text.getvalue())
    except OSError as error:
        raise NotSaved(f"{path.name} was not written ({error.strerror}).") from error
    return path


def _table_in(folder: Path) -> Path:
    head = ",".join(COLUMNS)
    for number in itertools.count(1):
        path = folder / (TABLE if number == 1 else f"runs-{number}.csv")
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                if file.readline(10_000).rstrip("\n") == head:
                    return path
        except FileNotFoundError:
            return path
        except OSError as error:
            raise NotSaved(f"{path.name} was not written ({error.strerror}).") from error
    raise AssertionError("there are more numbers than files")
