"""The only access to files that a browser names: regular files of the upload folder.

Gradio gives an upload a path that contains the SHA-256 of its contents, and tells that path only to
the browser that sent it. So whoever knows a path of the upload folder has had the file.
"""

import errno
import os
import stat
from pathlib import Path

from explorer.byte_sizes import MIB

LONGEST_PATH = 4096  # characters

LACKING = (errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM)  # whatever is named
REFUSED = "the file is not one that this page has uploaded; choose it again."


class UploadRefused(ValueError):
    """A reference to no uploaded file; the message is a sentence to act on."""


def read_upload(path: object, folder: str | Path, largest: int) -> bytes:
    """Return the contents of the uploaded file at `path`.

    `path` is whatever a browser sent, `folder` the folder of the uploads, `largest` the maximum
    number of bytes. Raises UploadRefused, with the same sentence for everything that is not a
    regular file of the folder after links are resolved (missing, a folder, a device, elsewhere),
    and with the numbers for a file that is too large; OSError where the server lacks what it needs
    to open any. Only regular files of the folder are ever opened.
    """
    try:
        real = _inside(path, folder)
        opened = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, OSError) and error.errno in LACKING:
            raise
        raise UploadRefused(REFUSED) from None
    with os.fdopen(opened, "rb") as file:
        status = os.fstat(opened)
        if not stat.S_ISREG(status.st_mode):  # it was replaced after the check
            raise UploadRefused(REFUSED)
        if status.st_size > largest:
            raise UploadRefused(
                f"the file may have at most {largest / MIB:g} MB; "
                f"this one has {status.st_size / MIB:.1f}."
            )
        return file.read(largest)


def _inside(path: object, folder: str | Path) -> str:
    """The path without links; ValueError unless it is a regular file in the folder."""
    if not isinstance(path, str) or len(path) > LONGEST_PATH:
        raise ValueError
    real, room = os.path.realpath(path, strict=True), os.path.realpath(folder, strict=True)
    within = os.path.commonpath([real, room]) == room
    if not (within and os.path.isabs(path) and stat.S_ISREG(os.lstat(real).st_mode)):
        raise ValueError
    return real
