"""A worker process as a backend: what is asked of it, and another one when it has died."""

import itertools
import logging
import multiprocessing
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Any

from explorer.hosting.workers import messages
from explorer.hosting.workers.backend import BackendError, Stopping
from explorer.hosting.workers.border import Learned
from explorer.hosting.workers.messages import Failure, Item, News, Request, Stop
from explorer.hosting.workers.worker_process import WorkerOptions, main
from explorer.models.catalog import ModelError
from explorer.runs.events import Event

if TYPE_CHECKING:
    from explorer.capture.full_frames import FullFrame
    from explorer.capture.trajectory import Trajectory

LOG = logging.getLogger(__name__)

POLL_S = 0.02  # between two looks at whether a request is still wanted
ANSWER_S = 1.0  # for what a page asks beside a run; it does without where that takes longer
GRACE_S = 0.5  # for a worker that is ending, beyond the time for its runs
KILLED_S = 2.0  # until a killed process is gone

ENDED = (
    "The process that computes was ended by the system, which often means that memory ran out: "
    "lower the picture's size, the batch size or the number of lanes. It has been started again."
)
CRASHED = (
    "The process that computes has crashed ({how}), and has been started again: press Run again. "
    "If it happens with the same settings, change them."
)
CLOSED = "The program is ending."


class ProcessBackend:
    """A Backend that is a process of its own, from `start()` on; another one whenever it has died.

    Whatever was asked of a process that dies fails with a sentence. The processes end with this
    one.
    """

    def __init__(self, options: WorkerOptions):
        self._options = options
        self._lock = threading.Lock()
        self._closing = False
        self._process: _Process | None = None

    def start(self) -> None:
        """Begin the process now; otherwise it begins with the first thing that is asked of it."""
        self._living()

    @property
    def pid(self) -> int | None:
        """The present process's number; None before there is one."""
        return self._process and self._process.pid

    @property
    def ready(self) -> bool:
        """Whether the process has begun to answer."""
        return self._process is not None and self._process.has_begun

    @property
    def learned(self) -> Learned:
        """The newest that it has told of itself; of a new process nothing but the device."""
        return self._process.learned if self._process else Learned(device=self._options.device)

    @property
    def progress(self) -> tuple[str, float | None]:
        """The progress of loading: a sentence or "", and the fraction done or None."""
        return self._process.progress if self._process else ("", None)

    def run(self, settings: Mapping[str, Any], stopping: Stopping) -> Iterator[Event | Learned]:
        """A run's events as `border.serve_run` yields them, until the last one."""
        yield from self._ask(messages.RUN, (dict(settings),), stopping)

    def fetch(self, names: Sequence[str], stopping: Stopping) -> None:
        """Have the files of models on this machine; raises ModelError."""
        for _ in self._ask(messages.FETCH, (tuple(names),), stopping):
            pass

    def load(self, name: str, stopping: Stopping) -> None:
        """Make a model resident; raises ModelError. Returns early when it is `stopping()`."""
        for _ in self._ask(messages.LOAD, (name,), stopping):
            pass

    def full_frames(
        self,
        trajectories: "Sequence[Trajectory]",
        cursor: Sequence[int],
        view: str,
        stopping: Stopping,
    ) -> "Iterator[FullFrame]":
        """A recorded run's frames in full size, as `Engine.full_frames` yields them."""
        arguments = (tuple(trajectories), tuple(cursor), view)
        yield from self._ask(messages.FRAMES, arguments, stopping)

    def memory_use(self, settings: Mapping[str, Any]) -> str:
        """The memory that a run needs, in words, "" if unknown; raises ValueError beyond it."""
        return self._answer(messages.MEMORY, (dict(settings),)) or ""

    def unread(self, prompt: str, name: str) -> str:
        """The end of the prompt that does not fit into the model's text encoders."""
        answer = self._answer(messages.UNREAD, (prompt, name))
        if answer is None:
            raise BackendError("There was no answer in time.")
        return answer

    def seconds_of_a_run(self, alone: bool) -> float:
        """A measured short run of the resident model: see workers/worth.py."""
        return next(self._ask(messages.PACE, (alone,), lambda: False))

    def close(self, timeout: float) -> bool:
        """End what goes on by its next call; returns whether that took at most `timeout` s."""
        with self._lock:
            self._closing = True
            process = self._process
        return process is None or process.close(timeout)

    # --- asking ----------------------------------------------------------------------------------

    def _living(self) -> "_Process":
        """The process, a new one if it has died."""
        with self._lock:
            if self._closing:
                raise BackendError(CLOSED)
            if self._process is None or self._process.has_died:
                self._process = self._started(self.learned)
            return self._process

    def _started(self, before: Learned) -> "_Process":
        """A new process; how long runs took is still known."""
        return _Process(self._options, before, self._on_death)

    def _on_death(self, process: "_Process") -> None:
        """Start another one at once, unless it would die as soon."""
        with self._lock:
            if process is self._process and process.has_begun and not self._closing:
                self._process = self._started(process.learned)

    def _ask(self, kind: str, arguments: tuple, stopping: Stopping) -> Iterator[Any]:
        """Yield the items of an answer, and at last the result unless it is None.

        Closing this generator, or `stopping()`, ends what was asked for.
        """
        process = self._living()
        number, answers = process.begin(kind, arguments)
        stopped = over = False
        try:
            while not over:
                if not stopped and stopping():
                    process.stop(number)
                    stopped = True
                try:
                    answer = answers.get(timeout=POLL_S)
                except queue.Empty:
                    continue
                over = not isinstance(answer, Item)
                if isinstance(answer, Failure):
                    raise self._error(answer)
                if isinstance(answer, Item) or answer.value is not None:
                    yield answer.value
        finally:
            if not over and not stopped:
                process.stop(number)
            process.forget(number)

    def _answer(self, kind: str, arguments: tuple) -> Any:
        """The result of a short request, None if it does not come in time."""
        deadline = time.monotonic() + ANSWER_S
        process = self._process
        if process is None or process.has_died:
            return None
        number, answers = process.begin(kind, arguments)
        try:
            answer = answers.get(timeout=deadline - time.monotonic())
        except queue.Empty:
            return None
        finally:
            process.forget(number)
        if isinstance(answer, Failure):
            error = self._error(answer)
            if isinstance(error, BackendError):
                return None
            raise error
        return answer.value

    def _error(self, failure: Failure) -> Exception:
        if failure.kind == messages.DIED and self._closing:
            return BackendError(CLOSED)
        kinds = {messages.OF_MODEL: ModelError, messages.OF_SIZE: ValueError}
        return kinds.get(failure.kind, BackendError)(failure.message)


class _Process:
    """One worker process from its start to its death, and what it has been asked."""

    def __init__(
        self, options: WorkerOptions, learned: Learned, on_death: Callable[["_Process"], None]
    ):
        self._options = options
        self.learned, self.progress = self._forgotten(learned), ("", None)
        self.has_begun = self.has_died = False
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._numbers = itertools.count()
        self._asked: dict[int, queue.SimpleQueue] = {}
        self._on_death = on_death
        self._message = ""
        self._gone = threading.Event()  # a process is waited for by one thread alone
        context = multiprocessing.get_context("spawn")  # this process has threads
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=main, args=(theirs, options), name="worker")
        self._process.start()
        theirs.close()
        # At the program's end multiprocessing waits for its processes: this comes before.
        Finalize(self, self._process.kill, exitpriority=1)
        threading.Thread(target=self._read, name="worker's answers", daemon=True).start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def begin(self, kind: str, arguments: tuple) -> "tuple[int, queue.SimpleQueue]":
        """Ask for something; returns its number, and where the answers come."""
        answers: queue.SimpleQueue = queue.SimpleQueue()
        with self._lock:
            number = next(self._numbers)
            self._asked[number] = answers
            if self.has_died:
                answers.put(Failure(number, messages.DIED, self._message))
                return number, answers
        self._send(Request(number, kind, arguments))
        return number, answers

    def stop(self, number: int) -> None:
        """What was asked under this number is no longer wanted."""
        self._send(Stop(number))

    def forget(self, number: int) -> None:
        """Nobody waits for answers to this number any more."""
        with self._lock:
            self._asked.pop(number, None)

    def close(self, timeout: float) -> bool:
        """End it by its next call, and then in any case; whether it ended by itself in time."""
        self.begin(messages.CLOSE, (timeout,))
        ended = self._gone.wait(timeout + GRACE_S)
        if not ended:
            self._process.kill()
            self._gone.wait(KILLED_S)
        return ended

    def _send(self, message: object) -> None:
        with self._sending, suppress(OSError):  # of one that has died; its answers say so
            self._connection.send(message)

    def _read(self) -> None:
        try:
            while True:
                self._take(self._connection.recv())
        except (EOFError, OSError):
            pass
        except Exception:
            LOG.exception("what a worker process said could not be read")
        self._end()

    def _take(self, message: Any) -> None:
        if isinstance(message, News):
            self.has_begun, self.progress = True, message.progress
            self._learn(message.learned)
            return
        learned = getattr(message, "value", None)
        if isinstance(learned, Learned):
            self._learn(learned)
        with self._lock:
            answers = self._asked.get(message.number)
        if answers is not None:
            answers.put(message)

    def _learn(self, learned: Learned) -> None:
        device, paces = self._options.device or learned.device, learned.paces or self.learned.paces
        self.learned = replace(learned, device=device, paces=paces)

    def _forgotten(self, learned: Learned) -> Learned:
        """What is still true when the process that has taught it is gone."""
        return Learned(device=learned.device, paces=learned.paces)

    def _end(self) -> None:
        self._process.join(KILLED_S)
        if self._process.is_alive():  # it can no longer say anything
            self._process.kill()
            self._process.join(KILLED_S)
        code = self._process.exitcode
        LOG.warning("the worker process %s ended: %s", self.pid, _how(code))
        self._message = ENDED if code == -signal.SIGKILL else CRASHED.format(how=_how(code))
        self.learned, self.progress = self._forgotten(self.learned), ("", None)
        with self._lock:
            self.has_died = True
            asked = dict(self._asked)
        self._connection.close()
        self._gone.set()
        self._on_death(self)
        for number, answers in asked.items():
            answers.put(Failure(number, messages.DIED, self._message))


def _how(code: int | None) -> str:
    """How a process ended, in words."""
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"by {signal.Signals(-code).name}"
    return f"with exit status {code}"
