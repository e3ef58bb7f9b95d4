"""The queue of a device: runs and loads take tickets and are served in that order.

Nothing here polls or occupies a thread: callers either wait on their ticket, or pass a function
that is called when its turn has come.
"""

import math
import threading
import time
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import heapreplace
from itertools import count

from explorer.sampling.wording import counted
from explorer.settings.limits import LIMITS, Limits

_LOCK = threading.RLock()  # for all queues and tickets: it is held for microseconds
_NUMBERS = count()
_QUEUES: dict[str, "DeviceQueue"] = {}


class QueueFull(RuntimeError):
    """The queue is full, for everybody or for this visitor; the message is a sentence."""


class Ticket:
    """A place in a device's queue, from `DeviceQueue.join` until `leave`.

    `granted` is set when the device is this ticket's. While `ready()` is false a ticket keeps its
    place, and those behind it are served. `seconds_left()` is how much longer it will have the
    device, None where that is unknown. `on_granted` is called, in any thread, when the device is
    this ticket's.
    """

    def __init__(
        self,
        queue: "DeviceQueue",
        visitor: str = "",
        is_run: bool = True,
        ready: Callable[[], bool] = lambda: True,
        seconds_left: Callable[[], float | None] = lambda: None,
        on_granted: Callable[[], None] = lambda: None,
    ):
        self.visitor, self.is_run = visitor, is_run
        self.ready, self.seconds_left, self.on_granted = ready, seconds_left, on_granted
        self.granted = threading.Event()
        self.number = time.monotonic(), next(_NUMBERS)
        self.queue: DeviceQueue = queue

    def wait(self, timeout: float | None = None) -> bool:
        """Wait in this thread for the device; returns whether it was granted."""
        return self.granted.wait(timeout)

    def leave(self) -> None:
        """Give up the place, or the device, to the next one. May be called twice."""
        with _LOCK:
            queue = self.queue
            queue._remove(self)
        queue.advance()

    def give_up(self) -> None:
        """Leave, unless the device is granted: then its user leaves when the work is done."""
        with _LOCK:
            if self.granted.is_set():
                return
            queue = self.queue
            queue._remove(self)
        queue.advance()

    @property
    def ahead(self) -> tuple["Ticket", ...]:
        """The tickets that are served before this one, the present holders first."""
        with _LOCK:
            return self.queue._ahead_of(self)

    @property
    def place(self) -> int:
        """How many runs end before this one's turn, including one under way."""
        runs = sum(ticket.is_run for ticket in self.ahead)
        return max(0, runs - self.queue.capacity + 1)

    @property
    def wait_s(self) -> float | None:
        """The seconds until its turn, estimated by the tickets ahead; None if one cannot."""
        ahead = self.ahead
        free_in = [0.0] * self.queue.capacity  # when each place at the device is free
        for ticket in ahead:
            seconds = ticket.seconds_left()
            if seconds is None:
                return None
            heapreplace(free_in, free_in[0] + seconds)
        return free_in[0]


class DeviceQueue:
    """The tickets of one device, in the order in which they were taken.

    `capacity` tickets may have it at a time: one, or several where it stands for as many workers. A
    queue that is not `is_open` serves no ticket until it has `become` the queue of a device: the
    default device is known only when torch has been loaded.
    """

    def __init__(self, is_open: bool = True, capacity: int = 1):
        self.is_open, self.capacity = is_open, capacity
        self._became: DeviceQueue | None = None
        self._holders: list[Ticket] = []
        self._waiting: list[Ticket] = []

    def join(
        self,
        visitor: str = "",
        *,
        limits: Limits = LIMITS,
        is_run: bool = True,
        ready: Callable[[], bool] = lambda: True,
        seconds_left: Callable[[], float | None] = lambda: None,
        on_granted: Callable[[], None] = lambda: None,
        came: float | None = None,
        last: bool = False,
    ) -> Ticket:
        """Take a place; a ticket that is ready is granted at once if the device is free.

        It is the next place, or the place of an arrival at `came` (of `time.monotonic()`), or with
        `last` one behind all later arrivals. The queue, and a named `visitor`, have limits on runs.
        Raises QueueFull.
        """
        with _LOCK:
            queue = self._newest()
            if is_run:
                queue._refuse_beyond(limits, visitor)
            ticket = Ticket(queue, visitor, is_run, ready, seconds_left, on_granted)
            if came is not None:
                ticket.number = came, ticket.number[1]
            if last:
                ticket.number = math.inf, ticket.number[1]
            insort(queue._waiting, ticket, key=lambda each: each.number)
        queue.advance()
        return ticket

    def advance(self) -> None:
        """Grant the device to the first tickets that are ready, as far as it is free."""
        while ticket := self._grant():
            ticket.on_granted()

    def _grant(self) -> Ticket | None:
        with _LOCK:
            queue = self._newest()
            if not queue.is_open or len(queue._holders) >= queue.capacity:
                return None
            ticket = next((each for each in queue._waiting if each.ready()), None)
            if ticket is not None:
                queue._waiting.remove(ticket)
                queue._holders.append(ticket)
                ticket.granted.set()
            return ticket

    def become(self, other: "DeviceQueue") -> None:
        """Merge into another queue; all tickets keep their order of arrival."""
        with _LOCK:
            if self._newest() is other:
                return
            self._became = other
            for ticket in self._waiting:
                ticket.queue = other
                insort(other._waiting, ticket, key=lambda each: each.number)
            self._waiting = []
        other.advance()

    @contextmanager
    def hold(self, is_run: bool = True) -> Iterator[Ticket]:
        """Wait in this thread for the device, and hold it for the block."""
        ticket = self.join(is_run=is_run)
        try:
            ticket.wait()
            yield ticket
        finally:
            ticket.leave()

    @property
    def busy(self) -> bool:
        """Whether the device is in use, by one at least."""
        return bool(self._newest()._holders)

    @property
    def runs(self) -> int:
        """The number of runs on the device or in the queue."""
        with _LOCK:
            return sum(ticket.is_run for ticket in self._newest()._everybody())

    def _newest(self) -> "DeviceQueue":
        return self if self._became is None else self._became._newest()

    def _everybody(self) -> list[Ticket]:
        return [*self._holders, *self._waiting]

    def _ahead_of(self, ticket: Ticket) -> tuple[Ticket, ...]:
        if ticket in self._holders:
            return ()
        before = (each for each in self._waiting if each.number < ticket.number and each.ready())
        return (*self._holders, *before)

    def _remove(self, ticket: Ticket) -> None:
        if ticket in self._holders:
            self._holders.remove(ticket)
        elif ticket in self._waiting:
            self._waiting.remove(ticket)

    def _refuse_beyond(self, limits: Limits, visitor: str) -> None:
        runs = [ticket for ticket in self._everybody() if ticket.is_run]
        # As many as it has places have the device, or are about to.
        if len(runs) - self.capacity >= limits.waiting_runs:
            raise QueueFull(too_many_wait(limits))
        theirs = sum(bool(visitor) and ticket.visitor == visitor for ticket in runs)
        if theirs > limits.waiting_runs_per_visitor:
            raise QueueFull(too_many_of_yours(limits))


def too_many_wait(limits: Limits) -> str:
    """The sentence for a run that comes when as many wait as may."""
    are = "is" if limits.waiting_runs == 1 else "are"
    return (
        f"{counted(limits.waiting_runs, 'run')} {are} waiting for this server already, and it "
        "takes no more: try again in a while."
    )


def too_many_of_yours(limits: Limits) -> str:
    """The sentence for a run whose visitor has as many as a visitor may have."""
    return (
        f"You have a run under way and {limits.waiting_runs_per_visitor} waiting, which is as many "
        "as a visitor may have: stop one, or wait for one to end."
    )


def device_queue(device: str) -> DeviceQueue:
    """The one queue of a device in this process; "cuda" is "cuda:0"."""
    name, _, number = device.partition(":")
    key = name if name == "cpu" else f"{name}:{number or 0}"
    with _LOCK:
        return _QUEUES.setdefault(key, DeviceQueue())
