"""Who may end a page's run: a flag for each page."""

import threading

MOST_FLAGS = 4096


class Cancels:
    """One flag for each open page that runs: set it, and the page's run ends."""

    def __init__(self):
        self._flags: dict[str, threading.Event] = {}

    def open(self, session: str) -> threading.Event:
        """A new flag for the page's next run; that of an earlier run is set and dropped."""
        self.set(session)
        while len(self._flags) >= MOST_FLAGS:  # flags of pages that went away unnoticed
            self._flags.pop(next(iter(self._flags)))
        flag = self._flags[session] = threading.Event()
        return flag

    def set(self, session: str) -> None:
        if flag := self._flags.pop(session, None):
            flag.set()
