"""Where a server keeps the runs of its history, and whether it can: said at its start."""

import argparse
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from explorer.records.errors import NotSaved
from explorer.records.history_folder import default_folder

LOG = logging.getLogger(__name__)

RUNS_DIR, NO_HISTORY = "EXPLORER_RUNS_DIR", "EXPLORER_NO_HISTORY"
SPACE = "SPACE_ID"  # a Space of Hugging Face has it
YES, NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


def add_history_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that `runs_folder` reads."""
    parser.add_argument(
        "--runs-dir",
        metavar="FOLDER",
        help="keep the history of runs in this folder (default: the user's data folder, and on a "
        f"Space, none; {RUNS_DIR})",
    )
    parser.add_argument("--no-history", action="store_true", help=f"keep no runs ({NO_HISTORY}=1)")


def runs_folder(named: str | None, no_history: bool, environment: Mapping[str, str]) -> Path | None:
    """The folder of the history by flags, else by the environment, else the user's; None for none.

    A Space keeps runs only in a folder that its operator names. Raises ValueError, with a sentence,
    for a folder that was named and cannot be used; one that nobody named is done without.
    """
    source = "--runs-dir" if named is not None else RUNS_DIR
    named = environment.get(RUNS_DIR, "") if named is None else named
    if no_history or (source == RUNS_DIR and _is_on(environment)):
        if no_history and source == "--runs-dir":
            raise ValueError("--runs-dir and --no-history exclude each other; give one of them.")
        return None
    if named.strip() or source == "--runs-dir":
        if problem := folder_problem(named):
            raise ValueError(f"{source} {named[:200]!r} {problem}; name another folder.")
        return Path(named).expanduser().resolve()
    if environment.get(SPACE):
        return None
    try:
        folder = default_folder()
    except NotSaved as error:
        LOG.warning("Runs are not kept: %s", error)
        return None
    if problem := folder_problem(str(folder)):
        LOG.warning("Runs are not kept: %s %s. --runs-dir names another folder.", folder, problem)
        return None
    return folder


def _is_on(environment: Mapping[str, str]) -> bool:
    text = environment.get(NO_HISTORY, "").strip().lower()
    if text not in YES + NO:
        raise ValueError(f"{NO_HISTORY} must be 1 or 0; got {text[:40]!r}.")
    return text in YES


def folder_problem(named: str) -> str:
    """Why a folder, which is made where it is missing, cannot keep runs; "" if it can."""
    if not named.strip():
        return "is no folder's name"
    try:
        folder = Path(named).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return "is a file"
    except NotADirectoryError:
        return "lies under a file"
    except OSError as error:
        return f"cannot be written to ({error.strerror})"
    except (ValueError, RuntimeError):  # no name that the system knows, no such user
        return "is no folder's name"
    return ""
