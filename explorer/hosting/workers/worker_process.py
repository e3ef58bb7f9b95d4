"""A worker process: an engine of its own, which does what the page's process asks for.

It ends with the process that started it, however that ends, and not by the terminal's Ctrl-C, which
reaches both: its runs are stopped by the other one.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from explorer.hosting.logs import begin_logs, take_over_logs, truncate_log_lines
from explorer.hosting.workers import messages
from explorer.hosting.workers.border import Learned, learned_from, serve_run
from explorer.hosting.workers.messages import (
    Alive,
    Failure,
    Item,
    News,
    Request,
    Result,
    Stop,
    Taken,
)
from explorer.hosting.workers.worth import seconds_of_a_run
from explorer.models.catalog import ModelError
from explorer.runtime.allocator import use_few_arenas
from explorer.settings import RunSettings
from explorer.settings.limits import LIMITS, Limits, set_limits

if TYPE_CHECKING:
    from explorer.engine import Engine

LOG = logging.getLogger(__name__)

NEWS_S = 0.1  # between two looks at what the engine has to tell
ALIVE_S = 0.5  # between two signs of life
NICENESS = 5  # on cores that both want, the page's process answers first
AHEAD = 2  # frames in full size that are made before the first of them is taken
ENDING_S = 0.1  # for answers that are under way when the process ends
IGNORED = signal.SIGINT, signal.SIGTERM  # the program that started it ends it
FIRST_TO_GO = "600"  # of 1000: the kernel, out of memory, ends this process and not the page's


def make_engine(arguments: Mapping[str, Any], limits: Limits) -> "Engine":
    """The engine of a worker, with what the user's machine knows of paces."""
    from explorer.engine import Engine
    from explorer.runs.kept_paces import KeptPaces

    return Engine(**arguments, limits=limits, paces=KeptPaces.of_user())


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """How a worker is made: the arguments of its `Engine`, the limits, and its place.

    `device` is what others call its device, "" if it chooses itself; of the GPUs it sees those that
    are `visible`, None for all; `cores` are those that it computes on, None for all. `make` makes
    the engine.
    """

    engine: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = LIMITS
    device: str = ""
    visible: str | None = None
    cores: frozenset[int] | None = None
    make: "Callable[[Mapping[str, Any], Limits], Engine]" = make_engine


def main(connection: Connection, options: WorkerOptions) -> None:
    """Serve requests until the other side has gone."""
    for each in IGNORED:
        signal.signal(each, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):  # they were held until here
        signal.pthread_sigmask(signal.SIG_UNBLOCK, IGNORED)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(FIRST_TO_GO)
    use_few_arenas()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    if options.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, options.cores)
    if options.visible is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = options.visible
    set_limits(options.limits)
    truncate_log_lines()
    begin_logs(os.environ)
    take_over_logs(os.environ)
    tqdm.set_lock(threading.RLock())  # its own is the system's, and would outlive this process
    worker = _Worker(connection, options.make(options.engine, options.limits))
    threading.Thread(target=worker.tell_news, name="news", daemon=True).start()
    threading.Thread(target=worker.tell_alive, name="signs of life", daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            worker.take(connection.recv())
    _end()


def _end() -> None:
    """End at once: Python's own way would wait for threads that compute."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


class _Worker:
    """Does each request in a thread of its own; the engine's queue has them take turns."""

    def __init__(self, connection: Connection, engine: "Engine"):
        self._connection, self._engine = connection, engine
        self._sending = threading.Lock()
        self._cancels: dict[int, threading.Event] = {}
        self._taken: dict[int, threading.Semaphore] = {}
        self._work: dict[str, Callable[..., Any]] = {
            messages.RUN: self._run,
            messages.FETCH: self._fetch,
            messages.LOAD: self._load,
            messages.FRAMES: self._full_frames,
            messages.MEMORY: self._memory_use,
            messages.UNREAD: self._unread,
            messages.PACE: self._pace,
            messages.CLOSE: self._close,
        }

    def take(self, message: Request | Stop | Taken) -> None:
        """Begin what is asked for, have it go on, or end it."""
        if isinstance(message, Taken):
            if taken := self._taken.get(message.number):
                taken.release()
            return
        if isinstance(message, Stop):
            if cancel := self._cancels.get(message.number):
                cancel.set()
            return
        self._cancels[message.number] = threading.Event()
        if message.kind == messages.FRAMES:
            self._taken[message.number] = threading.Semaphore(AHEAD)
        threading.Thread(target=self._do, args=(message,), name=message.kind, daemon=True).start()

    def _do(self, request: Request) -> None:
        number, cancel = request.number, self._cancels[request.number]
        work = partial(self._work[request.kind], *request.arguments)
        taken = self._taken.get(number)

        def yields(value: object) -> None:
            self._send(Item(number, value))
            while taken and not cancel.is_set() and not taken.acquire(timeout=NEWS_S):
                pass

        try:
            self._send(Result(number, work(cancel, yields)))
        except ModelError as error:
            self._send(Failure(number, messages.OF_MODEL, str(error)))
        except ValueError as error:
            self._send(Failure(number, messages.OF_SIZE, str(error)))
        except BaseException as error:  # whoever has asked waits for an answer in any case
            from explorer.runs.problems import sentence

            self._send(Failure(number, "", sentence(error)))
            if not isinstance(error, Exception):
                raise
        finally:
            self._cancels.pop(number, None)
            self._taken.pop(number, None)

    def _send(self, message: object) -> None:
        with self._sending:
            try:
                self._connection.send(message)
            except OSError:  # the other side has gone
                _end()

    # --- what it tells ---------------------------------------------------------------------------

    def tell_news(self) -> None:
        """Tell what there is to learn whenever it has changed."""
        told: object = None
        while True:
            learned, progress = learned_from(self._engine, paces=False), self._engine.progress
            news = _comparable(learned), progress
            if news != told:
                told = news
                self._send(News(learned, progress))
            time.sleep(NEWS_S)

    def tell_alive(self) -> None:
        """Tell that this process answers; the engine, whose locks may be held, is not asked."""
        while True:
            self._send(Alive())
            time.sleep(ALIVE_S)

    # --- what it does ----------------------------------------------------------------------------

    def _run(self, settings: Mapping[str, Any], cancel: threading.Event, yields: Any) -> None:
        for event in serve_run(self._engine, settings, cancel):
            yields(event)

    def _fetch(self, names: tuple[str, ...], cancel: threading.Event, yields: Any) -> Learned:
        self._engine.fetch(names, lambda: not cancel.is_set())
        return learned_from(self._engine)

    def _load(self, name: str, cancel: threading.Event, yields: Any) -> Learned:
        self._engine.load(name, lambda: not cancel.is_set())
        return learned_from(self._engine)

    def _full_frames(
        self, trajectories: Any, cursor: Any, view: str, cancel: threading.Event, yields: Any
    ) -> None:
        for frame in self._engine.full_frames(trajectories, cursor, view, cancel):
            yields(frame)

    def _memory_use(self, settings: Mapping[str, Any], cancel: threading.Event, yields: Any) -> str:
        return self._engine.memory_use(RunSettings.from_dict(dict(settings)))

    def _unread(self, prompt: str, name: str, cancel: threading.Event, yields: Any) -> str:
        return self._engine.facts.unread(prompt, name)

    def _pace(self, alone: bool, cancel: threading.Event, yields: Any) -> float:
        return seconds_of_a_run(self._engine, alone)

    def _close(self, timeout: float, cancel: threading.Event, yields: Any) -> None:
        """End every run by its next call, have its last event sent, and end."""
        deadline = time.monotonic() + timeout
        self._engine.close(timeout)
        while len(self._cancels) > 1 and time.monotonic() < deadline:
            time.sleep(ENDING_S / 4)
        with self._sending:  # whatever is being sent goes whole
            _end()


def _comparable(learned: Learned) -> object:
    models = {name: (known.folder, known.notes) for name, known in learned.models.items()}
    loaded = learned.device, learned.dtype, learned.resident, learned.in_memory
    return *loaded, learned.threads, learned.trouble, models
