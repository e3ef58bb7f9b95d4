"""A worker process as a backend: what is asked of it, and another one when it has died."""

import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from explorer.hosting.workers import messages
from explorer.hosting.workers.backend import BackendError, Stopping, WorkerDied
from explorer.hosting.workers.border import Learned
from explorer.hosting.workers.child_process import ChildProcess
from explorer.hosting.workers.messages import Failure, Item
from explorer.hosting.workers.overdue import Overdue
from explorer.hosting.workers.worker_process import WorkerOptions
from explorer.models.catalog import ModelError
from explorer.runs.events import Event
from explorer.settings import RunSettings

if TYPE_CHECKING:
    from explorer.capture.full_frames import FullFrame
    from explorer.capture.trajectory import Trajectory

POLL_S = 0.02  # between two looks at whether a request is still wanted
SILENT_S = 2.0  # a process that has told nothing for so long is asked nothing beside its run
ANSWER_S = 1.0  # for what a page asks beside a run; it does without where that takes longer
CLOSED = "The program is ending."
FULL = "The frames of other runs are being made."


class ProcessBackend:
    """A Backend that is a process of its own, from `start()` on; another one whenever it has died.

    Whatever was asked of a process that dies fails with a sentence. One that hangs is killed: that
    gives no sign of life, or goes on for too long with a run that was stopped or that is no
    further. The processes end with this one.
    """

    def __init__(self, options: WorkerOptions):
        self._options = options
        self._lock = threading.Lock()
        self._closing = False
        self._sent = 0  # bytes of recordings that the process has, for their frames
        self._process: ChildProcess | None = None

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
        """A recorded run's frames in full size, as `Engine.full_frames` yields them.

        They are made no faster than they are taken. Raises BackendError while the process has as
        much of recordings as it may.
        """
        arguments = (tuple(trajectories), tuple(cursor), view)
        with self._room(sum(each.nbytes for each in trajectories)):
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

    @contextmanager
    def _room(self, size: int) -> Iterator[None]:
        """Count a recording that the process has a copy of; one fits, whatever its size."""
        with self._lock:
            if self._sent and self._sent + size > self._options.limits.kept_recordings_bytes:
                raise BackendError(FULL)
            self._sent += size
        try:
            yield
        finally:
            with self._lock:
                self._sent -= size

    # --- asking ----------------------------------------------------------------------------------

    def _living(self) -> ChildProcess:
        """The process, a new one if it has died."""
        with self._lock:
            if self._closing:
                raise BackendError(CLOSED)
            if self._process is None or self._process.has_died:
                self._process = self._started(self.learned)
            return self._process

    def _started(self, before: Learned) -> ChildProcess:
        """A new process; how long runs took is still known."""
        return ChildProcess(self._options, before, self._on_death)

    def _on_death(self, process: ChildProcess) -> None:
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
        overdue = Overdue(self._options.limits, lambda: self._estimated_s(*arguments))
        stopped = over = False
        try:
            while not over:
                if not stopped and stopping():
                    process.stop(number)
                    stopped = True
                if late := kind == messages.RUN and overdue.look(stopped):
                    process.give_up(late)  # which is the answer then
                try:
                    answer = answers.get(timeout=POLL_S)
                except queue.Empty:
                    continue
                over = not isinstance(answer, Item)
                overdue.take(getattr(answer, "value", None))
                if isinstance(answer, Failure):
                    raise self._error(answer)
                if isinstance(answer, Item) or answer.value is not None:
                    yield answer.value
                if kind == messages.FRAMES and not over:
                    process.taken(number)
        finally:
            if not over and not stopped:
                process.stop(number)
            process.forget(number)

    def _estimated_s(self, settings: Mapping[str, Any]) -> float | None:
        """How long a run of the model in memory takes; None if that is unknown."""
        learned = self.learned
        if learned.paces is None:
            return None
        run = RunSettings.from_dict(dict(settings))
        return learned.paces.estimate(run, learned.resident, run.refiner).seconds

    def _answer(self, kind: str, arguments: tuple) -> Any:
        """The result of a short request, None if it does not come in time."""
        deadline = time.monotonic() + ANSWER_S
        process = self._process
        if process is None or process.has_died or process.silent_s > SILENT_S:
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
        if failure.kind == messages.DIED:
            return BackendError(CLOSED) if self._closing else WorkerDied(failure.message)
        kinds = {messages.OF_MODEL: ModelError, messages.OF_SIZE: ValueError}
        return kinds.get(failure.kind, BackendError)(failure.message)
