"""Animations that are made in the background: a few at a time, with their progress."""

import logging
import secrets
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from explorer.hosting.run_answers import Refused
from explorer.records.errors import REASONS, not_saved
from explorer.records.exports.animation import Progress
from explorer.settings.limits import LIMITS

LOG = logging.getLogger(__name__)

WAITING, WORKING, DONE, CANCELLED, ERROR = "waiting", "working", "done", "cancelled", "error"
PATIENCE_S = 120  # after which work that nobody asks about is given up; hidden tabs ask rarely
BROKEN = "The animation could not be made; the server's log has the reason."

Make = Callable[[Path, Progress], None]  # writes the file; a ValueError's message is a sentence


class _Ended(Exception):
    """The work was cancelled, or nobody asks about it any more."""


@dataclass(eq=False, kw_only=True)
class AnimationJob:
    """One animation of a run: whose it is, what its file is called, and how far it is.

    `done` of `count` pictures are made, both 0 before the first. It was asked for from `address`.
    """

    owner: str
    run: str
    name: str
    media_type: str
    address: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    state: str = WAITING
    message: str = ""
    done: int = 0
    count: int = 0
    path: Path | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    asked_at: float = field(default_factory=time.monotonic)
    ended_at: float = 0.0
    folder: "tempfile.TemporaryDirectory[str] | None" = None

    @property
    def is_over(self) -> bool:
        return self.state in (DONE, CANCELLED, ERROR)

    def close(self) -> None:
        """Delete its file."""
        self.cancelled.set()
        folder, self.folder, self.path = self.folder, None, None
        if folder is not None:
            folder.cleanup()


class AnimationJobs:
    """The animations of a server, by id; for any thread. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._jobs: dict[str, AnimationJob] = {}
        self._lock = threading.Lock()
        self._places = threading.Semaphore(LIMITS.animations)
        self._clock = clock

    def start(
        self, owner: str, run: str, name: str, media_type: str, make: Make, address: str = ""
    ) -> AnimationJob:
        """Begin one, or queue it; raises Refused beyond the limits, those of an address too."""
        job = AnimationJob(
            owner=owner,
            run=run,
            name=name,
            media_type=media_type,
            address=address,
            asked_at=self._clock(),
        )
        with self._lock:
            self._tidy()
            theirs = [each for each in self._jobs.values() if each.owner == owner]
            if len(theirs) >= LIMITS.animations_per_visitor:
                self._drop_oldest_ended(theirs)
            nearby = [each for each in self._jobs.values() if address and each.address == address]
            if len(nearby) >= LIMITS.animations_per_address:
                self._drop_oldest_ended(nearby)
            if len(self._jobs) >= LIMITS.waiting_animations:
                self._drop_oldest_ended(list(self._jobs.values()))
            self._jobs[job.id] = job
        threading.Thread(target=self._work, args=(job, make), name="animation", daemon=True).start()
        return job

    def get(self, id: str, owner: str, run: str) -> AnimationJob | None:
        """An owner's animation of a run; asking for it shows that somebody waits."""
        with self._lock:
            self._tidy()
            job = self._jobs.get(id)
            if job is None or (job.owner, job.run) != (owner, run):
                return None
            job.asked_at = self._clock()
            return job

    def drop(self, job: AnimationJob) -> None:
        """Cancel it, or delete what it made."""
        with self._lock:
            self._jobs.pop(job.id, None)
        job.cancelled.set()
        if job.is_over:
            job.close()

    def _drop_oldest_ended(self, jobs: list[AnimationJob]) -> None:
        ended = [job for job in jobs if job.is_over]
        if not ended:
            raise Refused(429, "Other animations are being made: try again when one has ended.")
        oldest = min(ended, key=lambda job: job.ended_at)
        del self._jobs[oldest.id]
        oldest.close()

    def _tidy(self) -> None:
        now = self._clock()
        for job in list(self._jobs.values()):
            if job.is_over and now - job.ended_at > LIMITS.keep_animations_s:
                del self._jobs[job.id]
                job.close()

    def _work(self, job: AnimationJob, make: Make) -> None:
        def progress(done: int, count: int) -> None:
            job.done, job.count = done, count
            if job.cancelled.is_set() or self._clock() - job.asked_at > PATIENCE_S:
                raise _Ended

        state = ERROR
        try:
            while not self._places.acquire(timeout=1):
                progress(0, 0)
            try:
                progress(0, 0)
                job.state = WORKING
                job.folder = tempfile.TemporaryDirectory(prefix="sampler-explorer-")
                path = Path(job.folder.name, "animation")
                make(path, progress)
                job.path, state = path, DONE
            finally:
                self._places.release()
        except _Ended:
            state = CANCELLED
        except ValueError as error:
            job.message = str(error)
        except Exception as error:
            LOG.exception("an animation could not be made")
            job.message = BROKEN
            if isinstance(error, OSError) and error.errno in REASONS:
                job.message = str(not_saved("The animation", error, "made"))
        job.ended_at, job.state = self._clock(), state
        if state != DONE or job.cancelled.is_set():
            job.close()
