"""An engine whose runs are computed behind the border; what the page needs is on this side."""

import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING
from weakref import WeakSet

from explorer.capture.trajectory import CANCELLED, ERROR, Trajectory
from explorer.hosting.workers.backend import Backend, BackendError, Starting
from explorer.hosting.workers.border import Learned, broken_off
from explorer.hosting.workers.far_facts import FarFacts
from explorer.hosting.workers.shipped_events import ShippedEvents
from explorer.models.catalog import Catalog, Entry, ModelError
from explorer.models.hub import Hub
from explorer.runs.device_queue import DeviceQueue, Ticket
from explorer.runs.event_stream import event_stream_async
from explorer.runs.events import Denoising, Ended, Event, MakingFrames
from explorer.runs.job import Job
from explorer.runs.paces import Estimate, Paces
from explorer.runs.problems import sentence
from explorer.settings import RunSettings, SettingsError
from explorer.settings.limits import LIMITS, Limits

if TYPE_CHECKING:
    from explorer.capture.full_frames import FullFrame

LOG = logging.getLogger(__name__)

POLL_S = 0.1
LOST = "The process that computes ended without a last word; press Run again."


class BorderEngine:
    """Has what a page needs of an engine (views/engine_protocol.py), with runs on `backends`.

    There is one queue, first come, first served: as many runs go on at a time as there are
    backends, and a run is given to one that has its model in memory, where one of the free ones
    has. What a backend learns comes back with its events; until then `paces` has what is known of
    earlier starts. `close` ends the backends too.
    """

    def __init__(
        self,
        catalog: Catalog,
        backends: Sequence[Backend],
        hub: Hub | None = None,
        limits: Limits = LIMITS,
        paces: Paces | None = None,
    ):
        self.catalog = catalog
        self.backends = tuple(backends)
        self.queue = DeviceQueue(capacity=len(self.backends))
        self.facts = FarFacts(catalog, self._where, hub or Hub())
        self._limits = limits
        self._lock = threading.Lock()
        self._free = list(self.backends)
        self._newest = self.backends[0]  # whose model is the resident one
        self._fetched: set[str] = {each.name for each in catalog.entries if each.kind != "hub"}
        self._jobs: WeakSet[Job] = WeakSet()
        self._paces = paces
        self._closing = False

    # --- the models ------------------------------------------------------------------------------

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The models of the menu, the first one first."""
        return self.catalog.entries

    @property
    def progress(self) -> tuple[str, float | None]:
        """The progress of loading: a sentence, and the fraction done or None."""
        told = (each.progress for each in self.backends)
        return next((each for each in told if each[0]), ("", None))

    @property
    def resident(self) -> str:
        """The name of the model in memory, of several the one used last; "" if there is none."""
        others = (each.learned.resident for each in self.backends)
        return self._newest.learned.resident or next(filter(None, others), "")

    @property
    def device(self) -> str:
        """The first backend's device; "" until it has told."""
        return self.backends[0].learned.device

    @property
    def devices(self) -> tuple[str, ...]:
        """The backends' devices."""
        return tuple(each.learned.device for each in self.backends)

    @property
    def dtype(self) -> str:
        """The resident model's dtype, such as "float16"; "" if there is none."""
        return self._learned_of(self.resident).dtype

    @property
    def trouble(self) -> str:
        """Why this engine takes no run, for everybody to read; "" for one that does."""
        if self._closing:
            return "ending"
        troubles = [each.learned.trouble for each in self.backends]
        return troubles[0] if all(troubles) else ""

    @property
    def threads(self) -> int | None:
        """The number of CPU threads of the first backend; None on a GPU."""
        return self.backends[0].learned.threads

    def load(self, name: str = "", wanted: Callable[[], bool] = lambda: True) -> None:
        """Make a model resident where the queue first gives a backend for it; raises ModelError.

        When it is no longer `wanted`, the load leaves the queue or ends with the part being loaded.
        """
        entry = self.catalog.find(name)
        if backend := self._where(entry.name):
            self._newest = backend
            return

        def stopping() -> bool:
            return self._closing or not wanted()

        ticket = backend = None
        try:
            self._fetch([entry.name], stopping)
            ticket = self.queue.join(is_run=False)
            while not ticket.wait(POLL_S):
                if stopping():
                    break
            else:
                backend = self._take(entry.name)
                self._newest = backend
                backend.load(entry.name, stopping)
        except BackendError as error:
            raise ModelError(str(error)) from None
        finally:
            self._give_back(backend, ticket)
        if self._closing:
            raise ModelError("The program is ending.")

    def start(self) -> None:
        """Have all backends get ready; returns at once."""
        for each in self.backends:
            if isinstance(each, Starting):
                each.start()

    def load_everywhere(self) -> None:
        """Make the first model resident in every backend at once; raises ModelError."""
        name = self.entries[0].name
        with ThreadPoolExecutor(len(self.backends), "load model") as pool:
            loads = [
                pool.submit(each.load, name, lambda: self._closing)
                for each in self.backends
                if each.learned.resident != name
            ]
            try:
                for load in loads:
                    load.result()
            except BackendError as error:
                raise ModelError(str(error)) from None

    def memory_use(self, settings: RunSettings) -> str:
        """The memory that a run needs, in words; "" if unknown. Raises ValueError beyond it."""
        backend = self._where(self.catalog.find(settings.model).name)
        return backend.memory_use(settings.to_dict()) if backend else ""

    def estimate(self, settings: RunSettings) -> Estimate:
        """How long a run would take on an idle backend, from what was measured of its model."""
        learned = (each.learned.paces for each in (self._newest, *self.backends))
        for paces in filter(None, (*learned, self._paces)):
            if (estimate := paces.estimate_from(settings, self.catalog)).seconds:
                return estimate
        return Estimate()

    # --- running ---------------------------------------------------------------------------------

    def astream(
        self,
        settings: RunSettings,
        cancel: threading.Event | None = None,
        *,
        visitor: str = "",
        listening: Callable[[], bool] = lambda: True,
        came: float | None = None,
    ) -> AsyncGenerator[Event, None]:
        """A run's events for an event loop, as `Engine.astream` yields them.

        What computes it is called in the context of this call. Raises SettingsError at once.
        """
        job = self._job(settings, cancel)
        events, context = ShippedEvents(job), copy_context()

        def on_granted() -> None:
            work = (self._drive, job, events)
            threading.Thread(target=context.run, args=work, name="shipped run").start()

        def enter() -> None:
            self._enter(job, events, visitor, on_granted, came)

        def start() -> None:
            self._start(job)

        return event_stream_async(events, enter, start, listening, self._limits.no_listener_s)

    def _job(self, settings: RunSettings, cancel: threading.Event | None) -> Job:
        for field in ("model", "refiner"):
            try:
                self.catalog.find(getattr(settings, field))
            except ModelError as error:
                raise SettingsError(field, str(error)) from None
        job = Job(settings, cancel)
        job.loading_progress = lambda: self.progress[0]
        self._jobs.add(job)
        return job

    def _names(self, settings: RunSettings) -> list[str]:
        names = [settings.model, *filter(None, [settings.refiner])]
        return [self.catalog.find(name).name for name in names]

    def _has_fetched(self, job: Job) -> bool:
        return self._fetched.issuperset(self._names(job.settings))

    def _enter(
        self,
        job: Job,
        events: ShippedEvents,
        visitor: str,
        on_granted: Callable[[], None],
        came: float | None,
    ) -> None:
        """Take a place in the queue; if there is none, the job ends."""
        if self._closing:
            job.stop()
        job.take_place(
            self.queue,
            visitor,
            limits=self._limits,
            ready=lambda: job.admitted and self._has_fetched(job),
            seconds_left=lambda: self._seconds_left(job, events.newest),
            on_granted=on_granted,
            came=came,
        )

    def _start(self, job: Job) -> None:
        """Make the job ready for its turn; a thread is used only for downloads before that."""
        if job.finished.is_set():
            return
        job.admitted = True
        if self._has_fetched(job):
            self.queue.advance()
        else:
            threading.Thread(target=self._prepare, args=(job,), name="prepare").start()

    def _prepare(self, job: Job) -> None:
        """Download the job's models, so that it may have its turn."""
        try:
            self._fetch(self._names(job.settings), lambda: job.stopping)
        except (ModelError, BackendError) as error:
            job.end(ERROR, str(error))
            job.free_device()
            job.finished.set()
        self.queue.advance()

    def _fetch(self, names: Sequence[str], stopping: Callable[[], bool]) -> None:
        missing = [name for name in names if name not in self._fetched]
        if missing:
            self._newest.fetch(missing, stopping)
            if not stopping():
                self._fetched.update(missing)

    def _seconds_left(self, job: Job, newest: Event | None) -> float | None:
        told = newest.eta_s if isinstance(newest, Denoising | MakingFrames) else None
        whole = self.estimate(job.settings).seconds
        if told is None and whole is not None:
            told = max(0.0, whole - (getattr(newest, "elapsed_s", None) or 0.0))
        return told

    def _drive(self, job: Job, events: ShippedEvents) -> None:
        """Have a backend run the job, whose turn has come, and take in its events."""
        backend, run, state, message = None, job.settings, ERROR, LOST
        try:
            if job.stopping or self._closing:
                state, message = CANCELLED, ""
                return
            backend = self._take(*self._names(run))
            self._newest = backend
            for told in backend.run(run.to_dict(), lambda: job.stopping):
                if isinstance(told, Ended):
                    # The next run's turn comes first: who reads this event may ask for one at once.
                    self._give_back(backend, job.ticket)
                    backend = None
                    events.put(told)
                elif isinstance(told, Event) and getattr(told, "place", 1) is not None:
                    events.put(told)
        except BackendError as error:
            message = str(error)
        except Exception as error:
            message = sentence(error)
        finally:
            self._give_back(backend, job.ticket)
            job.finished.set()
            if not isinstance(events.newest, Ended):
                if job.stopping:
                    state = CANCELLED
                events.put(broken_off(run, message, events.newest, state))

    def full_frames(
        self,
        trajectories: Sequence[Trajectory],
        cursor: Sequence[int] = (),
        view: str = "denoised",
        cancel: threading.Event | None = None,
    ) -> "Iterator[FullFrame]":
        """A recorded run's frames in full size, the nearest to the `cursor` first.

        They are made by a backend that has the run's model in memory, between its runs.
        """
        lanes = [each for each in trajectories if each.settings]
        backend = self._where(lanes[0].settings.get("refiner") or lanes[0].model) if lanes else None
        if backend is None:
            return

        def stopping() -> bool:
            return self._closing or (cancel is not None and cancel.is_set())

        try:
            yield from backend.full_frames(trajectories, cursor, view, stopping)
        except BackendError as error:  # the small frames stay
            LOG.info("frames in full size broke off: %s", error)

    # --- the backends ----------------------------------------------------------------------------

    def _take(self, *names: str) -> Backend:
        """A free backend, if possible with the model in memory; the queue says there is one."""
        with self._lock:
            has = [each for each in self._free if each.learned.resident == names[0]]
            empty = [each for each in self._free if not each.learned.resident]
            backend = (has or empty or self._free)[0]
            self._free.remove(backend)
            return backend

    def _give_back(self, backend: Backend | None, ticket: Ticket | None) -> None:
        """Free the backend, and then the ticket's place; may be called twice."""
        with self._lock:
            if backend is not None:
                self._free.append(backend)
        if ticket is not None:
            ticket.leave()

    def _where(self, name: str) -> Backend | None:
        """A backend that has the model in memory, if possible one that is free."""
        with self._lock:
            free = tuple(self._free)
        for each in (*free, *self.backends):
            learned = each.learned
            if name and (name == learned.resident or name in learned.in_memory):
                return each
        return None

    def _learned_of(self, name: str) -> Learned:
        backend = self._where(name)
        return backend.learned if backend else Learned()

    def close(self, timeout: float) -> bool:
        """End every run by its next call, and the backends; no others begin.

        Returns whether all had ended within `timeout` seconds.
        """
        self._closing = True
        for job in tuple(self._jobs):
            job.stop()
        deadline = time.monotonic() + timeout
        with ThreadPoolExecutor(len(self.backends), "close") as pool:
            closing = [pool.submit(each.close, timeout) for each in self.backends]
            ended = [each.result() for each in closing]
        return all(ended) and time.monotonic() <= deadline + POLL_S


if TYPE_CHECKING:
    from explorer.views.engine_protocol import EngineLike

    def is_an_engine(engine: BorderEngine) -> EngineLike:
        return engine
