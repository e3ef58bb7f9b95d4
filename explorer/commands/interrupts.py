"""Ctrl-C during a run: the first ends it by its next call, the second at once."""

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import NoReturn

CODES = {signal.SIGINT: 128 + signal.SIGINT, signal.SIGTERM: 128 + signal.SIGTERM}
TOLD = "Stopping, at the latest after the model call under way; Ctrl-C again stops at once.\n"


class AtOnce(BaseException):
    """The program is asked a second time to end."""


class Interrupts:
    """Within a `with` block, SIGINT and SIGTERM cancel a run, and raise AtOnce the second time.

    `code` is then the exit status, 0 before.
    """

    def __init__(self):
        self.cancel, self.code = threading.Event(), 0

    def for_a_run(self) -> threading.Event:
        """An event that will be set, as it is where that has happened."""
        self.cancel = cancel = threading.Event()
        if self.code:
            cancel.set()
        return cancel

    def __enter__(self) -> "Interrupts":
        self._before = {each: signal.signal(each, self._ask) for each in CODES}
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.code:
            raise AtOnce
        self.code = CODES[signal.Signals(number)]
        self.cancel.set()
        os.write(2, TOLD.encode())  # a handler may interrupt one that is writing to sys.stderr

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)


def leave(code: int) -> NoReturn:
    """End the process at once: threads that compute in PyTorch would abort a normal end."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
