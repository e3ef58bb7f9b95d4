"""Records of the log that repeat themselves: the first ones of a minute, and how many more came."""

import logging
import threading
import time
from collections.abc import Callable

MOST, MINUTE_S = 100, 60.0  # records of one place in the code, in a minute


class FewOfAKind(logging.Filter):
    """Lets at most `most` records a minute pass from each place in the code.

    The first one of a later minute says how many were left out. Strangers can cause a warning with
    every request, and would fill the disk with them. `now` is the clock, in seconds.
    """

    def __init__(self, most: int = MOST, now: Callable[[], float] = time.monotonic):
        super().__init__()
        self._most, self._now = most, now
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, int], tuple[float, int]] = {}  # since when, and how many

    def filter(self, record: logging.LogRecord) -> bool:
        place, now = (record.name, record.lineno), self._now()
        with self._lock:
            since, count = self._seen.get(place, (now, 0))
            left_out = 0
            if now - since >= MINUTE_S:
                since, count, left_out = now, 0, max(0, count - self._most)
            self._seen[place] = since, count + 1
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out:,} more of these were left out)"
            record.args = ()
        return count < self._most
