"""The folder of this program for uploads and pictures of runs."""

import logging
import os
import tempfile
from pathlib import Path

LOG = logging.getLogger(__name__)

VARIABLE = "GRADIO_TEMP_DIR"


def choose_temp_folder() -> Path:
    """Return the folder of temporary files; a new one if the usual one cannot be used.

    The usual one is the operator's GRADIO_TEMP_DIR, or "gradio" in the system's temporary folder,
    which may be another user's. Sets GRADIO_TEMP_DIR. Raises OSError if no folder is writable.
    """
    usual = Path(os.environ.get(VARIABLE) or Path(tempfile.gettempdir(), "gradio"))
    folder = usual
    if problem := _problem(usual):
        folder = Path(tempfile.mkdtemp(prefix="sampler-explorer-"))
        LOG.warning("%s %s: temporary files are kept in %s.", usual, problem, folder)
    os.environ[VARIABLE] = str(folder)
    return folder


def _problem(folder: Path) -> str:
    """Why a folder cannot be used; "" if it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # In a shared folder, other users may create a link to one of this user's folders.
        owners = {folder.lstat().st_uid, folder.stat().st_uid}
        if hasattr(os, "getuid") and owners != {os.getuid()}:
            return "belongs to another user"
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
    except OSError as error:
        return f"cannot be written to ({error.strerror})"
    return ""
