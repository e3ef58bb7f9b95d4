"""When a run of a worker process that still answers is not waited for any longer."""

import time
from collections.abc import Callable

from explorer.runs.events import Computed, Ended, MakingFrames
from explorer.sampling.wording import about
from explorer.settings.limits import Limits

WHOLE_RUNS = 10  # whose time a run may be no further, by its estimate: the machine may be busy
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

    A run may be no further for as long as one may take altogether (`run_s`); where there is no such
    limit, for ten times as long as the whole run is estimated to take, at first by
    `estimated_s()` and then by its calls; for ever while nothing is known of that. Loading and
    waiting are not counted.
    """

    def __init__(self, limits: Limits, estimated_s: Callable[[], float | None] = lambda: None):
        self._limits, self._estimated_s = limits, estimated_s
        self._whole_s: float | None = None  # of the run, as far as it can be estimated
        self._stopped = self._stood = 0.0
        self._at, self._newest = time.monotonic(), None

    def take(self, told: object) -> None:
        """Note what the run has told."""
        newest = None
        if isinstance(told, Computed) and not isinstance(told, Ended):
            made = told.made if isinstance(told, MakingFrames) else None
            newest = told.lane, told.call, told.second_call, made
            if newest != self._newest:
                self._estimate(told)
        if newest is None or newest != self._newest:
            self._stood = 0.0
        self._newest = newest

    def _estimate(self, told: Computed) -> None:
        whole_s, left_s = self._whole_s, getattr(told, "eta_s", None)
        if whole_s is None:
            whole_s = self._estimated_s()
        if left_s is not None:
            whole_s = max(whole_s or 0.0, (told.elapsed_s or 0.0) + left_s)
        self._whole_s = whole_s

    @property
    def _standing_s(self) -> float | None:
        """For how long the run may be no further; None for ever."""
        hung_s = self._limits.hung_worker_s
        if self._limits.run_s:
            return max(self._limits.run_s, hung_s)
        # A process that is silent is noticed before, and says so.
        return max(WHOLE_RUNS * self._whole_s, 2 * hung_s) if self._whole_s else None

    def look(self, stopped: bool) -> str:
        """Why the run is not waited for any longer, a sentence; "" as long as it is."""
        now = time.monotonic()
        passed, self._at = min(now - self._at, MOST_PASSED_S), now
        self._stopped += passed if stopped else 0.0
        self._stood += passed if self._newest else 0.0
        if self._stopped > self._limits.hung_worker_s:
            return UNSTOPPABLE.format(about(self._limits.hung_worker_s))
        standing_s = None if stopped else self._standing_s
        if standing_s is not None and self._stood > standing_s:
            return STUCK.format(about(standing_s))
        return ""
