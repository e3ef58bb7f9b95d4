"""A process that computes, as the page's process has it: asked over a pipe, until it dies."""

import itertools
import logging
import multiprocessing
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import resource_tracker
from multiprocessing.util import Finalize
from typing import Any

from explorer.hosting.workers import messages
from explorer.hosting.workers.border import Learned
from explorer.hosting.workers.messages import Alive, Failure, News, Request, Stop, Taken
from explorer.hosting.workers.worker_process import IGNORED, WorkerOptions, main
from explorer.sampling.wording import about

LOG = logging.getLogger(__name__)

LOOK_S = 0.25  # between two looks at whether the process has said something
STARTING = 5  # times as long as later may a process be silent until it has begun to answer
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
SILENT = (
    "The process that computes gave no sign of life for {} and has been replaced: press Run again. "
    "If it happens with the same settings, change them."
)


class ChildProcess:
    """One worker process from its start to its death, and what it has been asked.

    Of what the process before had `learned` it keeps what is still true. `on_death` is called, in
    a thread of its own, when the process has died; then all that was asked of it fails. It is
    killed when it has been silent for longer than the limit: while it lives it says so twice a
    second, whatever it computes. `silent_s` is for how long it has said nothing.
    """

    def __init__(
        self, options: WorkerOptions, learned: Learned, on_death: Callable[["ChildProcess"], None]
    ):
        self._options = options
        self.learned, self.progress = self._forgotten(learned), ("", None)
        self.has_begun = self.has_died = False
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._numbers = itertools.count()
        self._asked: dict[int, queue.SimpleQueue] = {}
        self._on_death = on_death
        self._message = self._given_up = ""  # why it died, and why it was given up before
        self._heard, self.silent_s = 0, 0.0  # messages
        self._gone = threading.Event()  # a process is waited for by one thread alone
        context = multiprocessing.get_context("spawn")  # this process has threads
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=main, args=(theirs, options), name="worker")
        with signals_held():
            self._process.start()
        theirs.close()
        # At the program's end multiprocessing waits for its processes: this comes before.
        Finalize(self, self._process.kill, exitpriority=1)
        threading.Thread(target=self._read, name="worker's answers", daemon=True).start()
        threading.Thread(target=self._watch, name="worker's watch", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """Its number."""
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

    def taken(self, number: int) -> None:
        """One more of the items that were asked for under this number has been taken."""
        self._send(Taken(number))

    def forget(self, number: int) -> None:
        """Nobody waits for answers to this number any more."""
        with self._lock:
            self._asked.pop(number, None)

    def give_up(self, message: str) -> None:
        """Kill it, for a reason that whoever waits for an answer is told.

        One that the kernel cannot end at once, such as in a call of a driver, is left behind.
        """
        LOG.warning("the worker process %s is given up: %s", self.pid, message)
        self._given_up = message
        self._process.kill()
        if not self._gone.wait(2 * KILLED_S):
            self._bury(message)

    def close(self, timeout: float) -> bool:
        """End it by its next call, and then in any case; whether it ended by itself in time."""
        # In a thread: one that hangs may have left no room for another message.
        threading.Thread(target=self.begin, args=(messages.CLOSE, (timeout,)), daemon=True).start()
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

    def _watch(self) -> None:
        """Give it up when it is silent; looks are counted, because this process may be held up."""
        heard = -1
        while not self._gone.wait(LOOK_S):
            self.silent_s = self.silent_s + LOOK_S if heard == self._heard else 0.0
            heard = self._heard
            most = self._options.limits.hung_worker_s * (1 if self.has_begun else STARTING)
            if self.silent_s > most:
                self.give_up(SILENT.format(about(most)))
                return

    def _take(self, message: Any) -> None:
        self._heard += 1
        if isinstance(message, Alive):
            return
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
        killed = code == -signal.SIGKILL
        self._bury(self._given_up or (ENDED if killed else CRASHED.format(how=_how(code))))
        self._connection.close()
        self._gone.set()

    def _bury(self, message: str) -> None:
        """Tell everybody that it has died, once."""
        with self._lock:
            if self.has_died:
                return
            self._message, self.has_died = message, True
            asked = dict(self._asked)
        self.learned, self.progress = self._forgotten(self.learned), ("", None)
        self._on_death(self)
        for number, answers in asked.items():
            answers.put(Failure(number, messages.DIED, message))


@contextmanager
def signals_held() -> Iterator[None]:
    """A process that is started within the block gets no signal until it ignores it.

    A terminal's Ctrl-C may reach a worker while it is still importing.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which would let them through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _how(code: int | None) -> str:
    """How a process ended, in words."""
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"by {signal.Signals(-code).name}"
    return f"with exit status {code}"
