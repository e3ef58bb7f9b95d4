"""Brings runs to the backends: their place in the queue, their models, their turn."""

import threading
from collections.abc import Callable
from weakref import WeakSet

from explorer.capture.trajectory import CANCELLED, ERROR
from explorer.hosting.workers.backend import BackendError, WorkerDied
from explorer.hosting.workers.backend_pool import BackendPool
from explorer.hosting.workers.border import broken_off
from explorer.hosting.workers.shipped_events import ShippedEvents
from explorer.models.catalog import Catalog, ModelError
from explorer.runs.events import Denoising, Ended, Event, MakingFrames
from explorer.runs.job import Job
from explorer.runs.paces import Estimate
from explorer.runs.problems import sentence
from explorer.runs.refusals import models_of
from explorer.runtime.allocator import trim
from explorer.settings import RunSettings, SettingsError
from explorer.settings.limits import Limits

LOST = "The process that computes ended without a last word; press Run again."


class ShippedRuns:
    """Runs jobs on the backends of a pool, and takes in their events.

    `estimate` says how long a run takes on an idle backend. It is to runs in other processes what
    `runs.dispatch.Dispatcher` is to those in this one.
    """

    def __init__(
        self,
        catalog: Catalog,
        pool: BackendPool,
        limits: Limits,
        estimate: Callable[[RunSettings], Estimate],
    ):
        self._catalog, self._pool = catalog, pool
        self._limits, self._estimate = limits, estimate
        self._jobs: WeakSet[Job] = WeakSet()

    def job(self, settings: RunSettings, cancel: threading.Event | None) -> Job:
        """A new job; raises SettingsError, also for models that are not in the catalogue."""
        models_of(settings, self._catalog.find)
        job = Job(settings, cancel)
        job.loading_progress = lambda: self._pool.progress[0]
        self._jobs.add(job)
        return job

    def stop_all(self) -> None:
        """Ask every run to end; returns at once."""
        for job in tuple(self._jobs):
            job.stop()

    def _names(self, settings: RunSettings) -> list[str]:
        return [entry.name for entry in models_of(settings, self._catalog.find)]

    def _has_fetched(self, job: Job) -> bool:
        return self._pool.has_fetched(self._names(job.settings))

    def enter(
        self,
        job: Job,
        events: ShippedEvents,
        visitor: str,
        on_granted: Callable[[], None],
        came: float | None,
    ) -> None:
        """Take a place in the queue; if there is none, the job ends."""
        if self._pool.closing:
            job.stop()
        job.take_place(
            self._pool.queue,
            visitor=visitor,
            limits=self._limits,
            ready=lambda: job.admitted and self._has_fetched(job),
            seconds_left=lambda: self._seconds_left(job, events.newest),
            on_granted=on_granted,
            came=came,
        )

    def start(self, job: Job) -> None:
        """Make the job ready for its turn; a thread is used only for downloads before that."""
        if job.finished.is_set():
            return
        job.admitted = True
        if self._has_fetched(job):
            self._pool.queue.advance()
        else:
            threading.Thread(target=self._prepare, args=(job,), name="prepare").start()

    def _prepare(self, job: Job) -> None:
        """Download the job's models, so that it may have its turn."""
        try:
            self._pool.fetch(self._names(job.settings), lambda: job.stopping)
        except Exception as error:
            told = isinstance(error, ModelError | SettingsError | BackendError)
            job.end(ERROR, str(error) if told else sentence(error))
            job.free_device()
            job.finished.set()
        self._pool.queue.advance()

    def _seconds_left(self, job: Job, newest: Event | None) -> float | None:
        told = newest.eta_s if isinstance(newest, Denoising | MakingFrames) else None
        whole = self._estimate(job.settings).seconds
        if told is None and whole is not None:
            told = max(0.0, whole - (getattr(newest, "elapsed_s", None) or 0.0))
        return told

    def drive(self, job: Job, events: ShippedEvents) -> None:
        """Have a backend run the job, whose turn has come, and take in its events."""
        pool, run = self._pool, job.settings
        backend, state, message, worker_died = None, ERROR, LOST, True
        try:
            if job.stopping or pool.closing:
                state, message = CANCELLED, ""
                return
            backend = pool.take(*self._names(run))
            for told in backend.run(run.to_dict(), lambda: job.stopping):
                if isinstance(told, Ended):
                    # The next run's turn comes first: who reads this event may ask for one at once.
                    pool.give_back(backend, job.ticket)
                    backend = None
                    events.put(told)
                elif isinstance(told, Event) and getattr(told, "place", 1) is not None:
                    events.put(told)
        except BackendError as error:
            message, worker_died = str(error), isinstance(error, WorkerDied)
        except Exception as error:
            message, worker_died = sentence(error), False
        finally:
            pool.give_back(backend, job.ticket)
            job.finished.set()
            if not isinstance(events.newest, Ended):
                if job.stopping:
                    state = CANCELLED
                events.put(broken_off(run, message, events.newest, state, worker_died))
            trim()  # what a run's events took, which runs of other sizes do not fill exactly
