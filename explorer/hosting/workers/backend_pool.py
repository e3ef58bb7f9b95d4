"""The backends of an engine: which of them is free, and which has a model in memory."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from explorer.hosting.workers.backend import Backend, BackendError, Starting
from explorer.hosting.workers.border import Learned
from explorer.models.catalog import ModelError
from explorer.runs.device_queue import DeviceQueue, Ticket

POLL_S = 0.1


class BackendPool:
    """Backends that share one queue, with as many places as there are backends.

    Whoever has been granted the device by a ticket of the `queue` may `take` a backend, and gives
    it back with the ticket. Models are given by the names of catalogue entries; `fetched` are those
    whose files are on this machine from the start. When it is `closing`, nothing new begins.
    """

    def __init__(self, backends: Sequence[Backend], fetched: set[str]):
        self.backends = tuple(backends)
        self.queue = DeviceQueue(capacity=len(self.backends))
        self.closing = False
        self._lock = threading.Lock()
        self._free = list(self.backends)
        self._newest = self.backends[0]  # whose model is the resident one
        self._fetched = fetched

    def start(self) -> None:
        """Have all backends get ready; returns at once."""
        for each in self.backends:
            if isinstance(each, Starting):
                each.start()

    # --- what they have told ---------------------------------------------------------------------

    @property
    def progress(self) -> tuple[str, float | None]:
        """The progress of loading: a sentence, and the fraction done or None."""
        told = (each.progress for each in self.backends)
        return next((each for each in told if each[0]), ("", None))

    @property
    def resident(self) -> str:
        """The name of the model in memory, of several the one used last; "" if there is none."""
        return next((each.resident for each in self.learned if each.resident), "")

    @property
    def learned(self) -> tuple[Learned, ...]:
        """What each has told of itself, first the one used last."""
        return tuple(each.learned for each in (self._newest, *self.backends))

    @property
    def trouble(self) -> str:
        """Why no backend takes a run, "" if one does."""
        troubles = [each.learned.trouble for each in self.backends]
        return troubles[0] if all(troubles) else ""

    def learned_of(self, name: str) -> Learned:
        """What a backend with the model in memory has told; nothing where there is none."""
        backend = self.where(name)
        return backend.learned if backend else Learned()

    def where(self, name: str) -> Backend | None:
        """A backend that has the model in memory, if possible one that is free."""
        with self._lock:
            free = tuple(self._free)
        for each in (*free, *self.backends):
            learned = each.learned
            if name and (name == learned.resident or name in learned.in_memory):
                return each
        return None

    # --- whose turn it is ------------------------------------------------------------------------

    def take(self, *names: str) -> Backend:
        """A free backend, if possible with the model in memory; the queue says there is one."""
        with self._lock:
            has = [each for each in self._free if each.learned.resident == names[0]]
            empty = [each for each in self._free if not each.learned.resident]
            backend = (has or empty or self._free)[0]
            self._free.remove(backend)
            self._newest = backend
            return backend

    def give_back(self, backend: Backend | None, ticket: Ticket | None) -> None:
        """Free the backend, and then the ticket's place; may be called twice."""
        with self._lock:
            if backend is not None:
                self._free.append(backend)
        if ticket is not None:
            ticket.leave()

    # --- models ----------------------------------------------------------------------------------

    def has_fetched(self, names: Sequence[str]) -> bool:
        """Whether the files of all these models are on this machine."""
        return self._fetched.issuperset(names)

    def fetch(self, names: Sequence[str], stopping: Callable[[], bool]) -> None:
        """Have the files of models on this machine; raises ModelError and BackendError."""
        missing = [name for name in names if name not in self._fetched]
        if missing:
            self._newest.fetch(missing, stopping)
            if not stopping():
                self._fetched.update(missing)

    def load(self, name: str, wanted: Callable[[], bool]) -> None:
        """Make a model resident where the queue first gives a backend for it; raises ModelError.

        When it is no longer `wanted`, the load leaves the queue or ends with the part being loaded.
        """
        if backend := self.where(name):
            self._newest = backend
            return

        def stopping() -> bool:
            return self.closing or not wanted()

        ticket = backend = None
        try:
            self.fetch([name], stopping)
            ticket = self.queue.join(is_run=False)
            while not ticket.wait(POLL_S):
                if stopping():
                    break
            else:
                backend = self.take(name)
                backend.load(name, stopping)
        except BackendError as error:
            raise ModelError(str(error)) from None
        finally:
            self.give_back(backend, ticket)
        if self.closing:
            raise ModelError("The program is ending.")

    def load_everywhere(self, name: str) -> None:
        """Make a model resident in every backend at once; raises ModelError."""
        with ThreadPoolExecutor(len(self.backends), "load model") as pool:
            loads = [
                pool.submit(each.load, name, lambda: self.closing)
                for each in self.backends
                if each.learned.resident != name
            ]
            try:
                for load in loads:
                    load.result()
            except BackendError as error:
                raise ModelError(str(error)) from None

    def close(self, timeout: float) -> bool:
        """End all backends; returns whether they had ended within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with ThreadPoolExecutor(len(self.backends), "close") as pool:
            closing = [pool.submit(each.close, timeout) for each in self.backends]
            ended = [each.result() for each in closing]
        return all(ended) and time.monotonic() <= deadline + POLL_S
