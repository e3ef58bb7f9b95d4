"""How much may be uploaded, per address and in total, including uploads under way."""

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from explorer.byte_sizes import MIB
from explorer.settings.limits import Limits

SMALLEST = 2**16  # the least that a file counts, in bytes: its folder and its name take room too


class Uploads:
    """What has been uploaded lately, in total and per address; uploads have no session.

    Room is reserved before an upload is read, and adjusted when it has ended. Behind a proxy the
    address is the one that the nearest proxy names.
    """

    def __init__(
        self, limits: Limits, folder: str | Path, now: Callable[[], float] = time.monotonic
    ):
        self._limits, self._folder, self._now = limits, Path(folder), now
        self._lock = threading.Lock()
        self._kept: deque[tuple[float, str, int]] = deque()
        self._by_address: dict[str, int] = {}
        self._total = 0

    def reserve(self, address: str, size: int) -> tuple[int, str] | None:
        """Reserve `size` bytes; returns status and sentence if there is no room."""
        limits, counted = self._limits, max(size, SMALLEST)
        if _free(self._folder) < counted + limits.free_disk_bytes:
            return 507, "The server's disk is full: nothing can be uploaded at present."
        with self._lock:
            self._forget()
            if self._by_address.get(address, 0) + counted > limits.uploads_per_visitor_bytes:
                most = limits.uploads_per_visitor_bytes / MIB
                hours = limits.keep_uploads_s / 3600
                return 413, f"At most {most:g} MB may be uploaded in {hours:g} hours."
            if self._total + counted > limits.uploads_total_bytes:
                return 507, "The server has no room for uploads at present; try again later."
            self._count(address, counted)
        return None

    def settle(self, address: str, size: int, kept: int, files: int = 1) -> None:
        """Release a reservation of `size` bytes, of which `kept` are stored, in so many files."""
        with self._lock:
            self._count(address, -max(size, SMALLEST))
            kept = max(kept, SMALLEST * files)
            self._kept.append((self._now(), address, kept))
            self._count(address, kept)
            self._forget()

    def _count(self, address: str, size: int) -> None:
        self._total += size
        self._by_address[address] = self._by_address.get(address, 0) + size
        if not self._by_address[address]:
            del self._by_address[address]

    def _forget(self) -> None:
        old = self._now() - self._limits.keep_uploads_s
        while self._kept and self._kept[0][0] < old:
            _, address, size = self._kept.popleft()
            self._count(address, -size)


def _free(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
