"""Pictures of a run for the page: as files, or within the message if no file can be written.

A full or read-only disk loses the files, never the run.
"""

import base64
import logging
from collections.abc import Callable
from pathlib import Path

from explorer.byte_sizes import MIB

LOG = logging.getLogger(__name__)

Keep = Callable[[bytes, str], str]  # stores a picture, returns its address; raises OSError

LARGEST_INLINE = 4 * MIB  # of a picture within a message
KINDS = {".jpg": "jpeg", ".png": "png"}


def data_url(data: bytes | None, name: str = "preview.jpg") -> str | None:
    """The picture within the page, without a file."""
    if not data:
        return None
    kind = KINDS[Path(name).suffix]
    return f"data:image/{kind};base64," + base64.b64encode(data).decode()


class Keeping:
    """Stores one run's pictures, and knows which ones could not be written."""

    def __init__(self, keep: Keep):
        self._keep = keep
        self._reason = ""
        self._missing: list[str] = []

    def address(self, data: bytes, name: str, what: str) -> str | None:
        """The address of a picture; None for one that is lost, which `sentence` then says."""
        try:
            return self._keep(data, name)
        except OSError as error:
            self._reason = error.strerror or type(error).__name__
            LOG.warning("a picture of a run could not be written: %s", self._reason)
        if len(data) <= LARGEST_INLINE:
            return data_url(data, name)
        self._missing.append(what)
        return None

    @property
    def failed(self) -> bool:
        """Whether a file could not be written."""
        return bool(self._reason)

    @property
    def sentence(self) -> str:
        """What a visitor should know; "" if every picture is a file."""
        if not self._reason:
            return ""
        missing = f"; too large for that: {', '.join(self._missing)}" if self._missing else ""
        return (
            f"The server could not write this run's pictures ({self._reason}): they are only in "
            f"this page{missing}."
        )
