"""When a run of a worker process that still answers is not waited for any longer."""

import time

from explorer.runs.events import Computed, Ended, MakingFrames
from explorer.sampling.wording import about
from explorer.settings.limits import Limits

MOST_PASSED_S = 1.0  # counted between two looks: this process may have been held up itself

UNSTOPPABLE = (
    "The process that computes did not stop within {} and has been replaced; what it had recorded "
    "is lost."
)
STUCK = (
    "The process that computes was no further after {} and has been replaced: press Run again. If "
    "it happens with the same settings, change them."
)


class Overdue:
    """Counts for how long a run goes on after it was stopped, and for how long it is no further.

    A run may be no further for as long as one may take altogether (`run_s`), and for ever where
    there is no such limit; loading and waiting are not counted.
    """

    def __init__(self, limits: Limits):
        self._stopping_s = limits.hung_worker_s
        self._standing_s = max(limits.run_s, limits.hung_worker_s) if limits.run_s else None
        self._stopped = self._stood = 0.0
        self._at, self._newest = time.monotonic(), None

    def take(self, told: object) -> None:
        """Note what the run has told."""
        newest = None
        if isinstance(told, Computed) and not isinstance(told, Ended):
            made = told.made if isinstance(told, MakingFrames) else None
            newest = told.lane, told.call, told.second_call, made
        if newest is None or newest != self._newest:
            self._stood = 0.0
        self._newest = newest

    def look(self, stopped: bool) -> str:
        """Why the run is not waited for any longer, a sentence; "" as long as it is."""
        now = time.monotonic()
        passed, self._at = min(now - self._at, MOST_PASSED_S), now
        self._stopped += passed if stopped else 0.0
        self._stood += passed if self._newest else 0.0
        if self._stopped > self._stopping_s:
            return UNSTOPPABLE.format(about(self._stopping_s))
        if self._standing_s is not None and self._stood > self._standing_s:
            return STUCK.format(about(self._standing_s))
        return ""
