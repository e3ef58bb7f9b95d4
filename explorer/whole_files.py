"""Files that are whole or not there, whatever interrupts their writing: the program's end, too."""

import errno
import os
import tempfile
import threading
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file of these parts, and wait until the disk has it.

    A reader sees the file that was there before, or the whole new one. Raises OSError, and what
    making a part raises; then nothing has changed.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with draft.open("xb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


class WholeFiles:
    """Writes files by way of drafts, and knows those that are under way. For any thread."""

    def __init__(self):
        self._changed = threading.Condition()
        self._drafts: set[str] = set()
        self._closed = False

    def write(self, path: Path, data: bytes) -> None:
        """Write a file. Raises OSError, also once it is closed."""
        path.parent.mkdir(exist_ok=True, parents=True)
        with self._changed:
            if self._closed:
                raise OSError(errno.ESHUTDOWN, "The program is ending")
            handle, draft = tempfile.mkstemp(dir=path.parent)
            self._drafts.add(draft)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(draft, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft)
            raise
        finally:
            with self._changed:
                self._drafts.discard(draft)
                self._changed.notify_all()

    def close(self, timeout: float) -> bool:
        """Begin no more files, wait for those under way and remove what is not whole by then.

        Returns whether all became whole within `timeout` seconds.
        """
        with self._changed:
            self._closed = True
            all_whole = self._changed.wait_for(lambda: not self._drafts, timeout)
            for draft in self._drafts:
                with suppress(OSError):
                    os.unlink(draft)
        return all_whole


PICTURES = WholeFiles()  # of all runs of this process
