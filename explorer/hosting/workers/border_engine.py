"""An engine whose runs are computed behind the border; what the page needs is on this side."""

import logging
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING

from explorer.capture.trajectory import Trajectory
from explorer.hosting.workers.backend import Backend, BackendError
from explorer.hosting.workers.backend_pool import BackendPool
from explorer.hosting.workers.far_facts import FarFacts
from explorer.hosting.workers.shipped_events import ShippedEvents
from explorer.hosting.workers.shipped_runs import ShippedRuns
from explorer.models.catalog import Catalog, Entry
from explorer.models.hub import Hub
from explorer.runs.device_queue import DeviceQueue
from explorer.runs.event_stream import event_stream_async
from explorer.runs.events import Event
from explorer.runs.paces import Estimate, Paces
from explorer.settings import RunSettings
from explorer.settings.limits import LIMITS, Limits

if TYPE_CHECKING:
    from explorer.capture.full_frames import FullFrame

LOG = logging.getLogger(__name__)


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
        fetched = {each.name for each in catalog.entries if each.kind != "hub"}
        self._pool = BackendPool(backends, fetched)
        self._runs = ShippedRuns(catalog, self._pool, limits, self.estimate)
        self.facts = FarFacts(catalog, self._pool.where, hub or Hub())
        self._limits, self._paces = limits, paces

    # --- the models ------------------------------------------------------------------------------

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The models of the menu, the first one first."""
        return self.catalog.entries

    @property
    def progress(self) -> tuple[str, float | None]:
        """The progress of loading: a sentence, and the fraction done or None."""
        return self._pool.progress

    @property
    def resident(self) -> str:
        """The name of the model in memory, of several the one used last; "" if there is none."""
        return self._pool.resident

    @property
    def dtype(self) -> str:
        """The resident model's dtype, such as "float16"; "" if there is none."""
        return self._pool.learned_of(self.resident).dtype

    def load(self, name: str = "", wanted: Callable[[], bool] = lambda: True) -> None:
        """Make a model resident where the queue first gives a backend for it; raises ModelError.

        When it is no longer `wanted`, the load leaves the queue or ends with the part being loaded.
        """
        self._pool.load(self.catalog.find(name).name, wanted)

    def load_everywhere(self) -> None:
        """Make the first model resident in every backend at once; raises ModelError."""
        self._pool.load_everywhere(self.entries[0].name)

    # --- the backends ----------------------------------------------------------------------------

    @property
    def backends(self) -> tuple[Backend, ...]:
        """What computes the runs."""
        return self._pool.backends

    @property
    def queue(self) -> DeviceQueue:
        """The one queue of all backends."""
        return self._pool.queue

    @property
    def device(self) -> str:
        """The first backend's device; "" until it has told."""
        return self.devices[0]

    @property
    def devices(self) -> tuple[str, ...]:
        """The backends' devices."""
        return tuple(each.learned.device for each in self.backends)

    @property
    def threads(self) -> int | None:
        """The number of CPU threads of the first backend; None on a GPU."""
        return self.backends[0].learned.threads

    @property
    def trouble(self) -> str:
        """Why this engine takes no run, for everybody to read; "" for one that does."""
        return "ending" if self._pool.closing else self._pool.trouble

    def start(self) -> None:
        """Have all backends get ready; returns at once."""
        self._pool.start()

    def close(self, timeout: float) -> bool:
        """End every run by its next call, and the backends; no others begin.

        Returns whether all had ended within `timeout` seconds.
        """
        self._pool.closing = True
        self._runs.stop_all()
        return self._pool.close(timeout)

    # --- running ---------------------------------------------------------------------------------

    def memory_use(self, settings: RunSettings) -> str:
        """The memory that a run needs, in words; "" if unknown. Raises ValueError beyond it."""
        backend = self._pool.where(self.catalog.find(settings.model).name)
        return backend.memory_use(settings.to_dict()) if backend else ""

    def estimate(self, settings: RunSettings) -> Estimate:
        """How long a run would take on an idle backend, from what was measured of its model."""
        learned = (each.paces for each in self._pool.learned)
        for paces in filter(None, (*learned, self._paces)):
            if (estimate := paces.estimate_from(settings, self.catalog)).seconds:
                return estimate
        return Estimate()

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
        runs, job = self._runs, self._runs.job(settings, cancel)
        events, context = ShippedEvents(job), copy_context()

        def on_granted() -> None:
            work = (runs.drive, job, events)
            threading.Thread(target=context.run, args=work, name="shipped run").start()

        def enter() -> None:
            runs.enter(job, events, visitor, on_granted, came)

        def start() -> None:
            runs.start(job)

        return event_stream_async(events, enter, start, listening, self._limits.no_listener_s)

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
        name = lanes[0].settings.get("refiner") or lanes[0].model if lanes else ""
        backend = self._pool.where(name)
        if backend is None:
            return

        def stopping() -> bool:
            return self._pool.closing or (cancel is not None and cancel.is_set())

        try:
            yield from backend.full_frames(trajectories, cursor, view, stopping)
        except BackendError as error:  # the small frames stay
            LOG.info("frames in full size broke off: %s", error)


if TYPE_CHECKING:
    from explorer.views.engine_protocol import EngineLike

    def is_an_engine(engine: BorderEngine) -> EngineLike:
        return engine
