"""The queue of a device: runs and loads take tickets and are served in that order.

Nothing here polls or occupies a thread: callers either wait on their ticket, or pass a function
that is called when its turn has come.
"""

import math
import threading
import time
from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from heapq import heapreplace
from itertools import count
from typing import NamedTuple

from explorer.sampling.wording import counted
from explorer.settings.limits import LIMITS, Limits

STANDING_S = 0.5  # how old what waiting runs are told of the queue may be
ESTIMATE_S = 2.0  # and how old the estimate of a run that waits

_LOCK = threading.RLock()  # for all queues and tickets: it is held for microseconds
_NUMBERS = count()
_QUEUES: dict[str, "DeviceQueue"] = {}


class QueueFull(RuntimeError):
    """The queue is full, for everybody or for this visitor; the message is a sentence."""


class Standing(NamedTuple):
    """How many runs end before a ticket's turn, and in how many seconds; None where unknown."""

    place: int
    wait_s: float | None


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
        self._estimate: tuple[float, float | None] = -math.inf, None  # when, and what it was

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
    def standing(self) -> Standing:
        """Its place and its wait, as of half a second ago at most unless the queue has changed.

        They are computed for all tickets at once, so that a poll of each costs next to nothing.
        """
        return self.queue.standing_of(self)

    def estimate(self) -> float | None:
        """`seconds_left()`, as of two seconds ago at most; for a ticket that waits."""
        at, seconds = self._estimate
        if time.monotonic() - at > ESTIMATE_S:
            seconds = self.seconds_left()
            self._estimate = time.monotonic(), seconds
        return seconds

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
        self._standings: dict[Ticket, Standing] = {}
        self._stood_at = -math.inf  # when they were computed

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
        queue = self._newest()
        queue._standings, queue._stood_at = {}, -math.inf
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

    def standing_of(self, ticket: Ticket) -> Standing:
        """A ticket's place and wait; see `Ticket.standing`."""
        queue, now = self._newest(), time.monotonic()
        with _LOCK:
            if now - queue._stood_at <= STANDING_S and ticket in queue._standings:
                return queue._standings[ticket]
            queue._stood_at = now
            waiting = [(each, each.ready()) for each in queue._waiting]
            holders = tuple(queue._holders)
        standings = _standings(holders, waiting, queue.capacity)
        with _LOCK:
            if queue._stood_at == now:  # it has not changed meanwhile
                queue._standings = standings
        return standings.get(ticket, Standing(0, 0.0))

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


def _standings(
    holders: Sequence[Ticket], waiting: Sequence[tuple[Ticket, bool]], capacity: int
) -> dict[Ticket, Standing]:
    """The standing of each ticket that waits, in the order of their turns, each with whether it is
    ready: those that are not are passed over.
    """
    standings, runs, is_known = {}, sum(each.is_run for each in holders), True
    free_in = [0.0] * capacity  # when each place at the device is free

    def occupy(seconds: float | None) -> bool:
        if seconds is not None:
            heapreplace(free_in, free_in[0] + seconds)
        return seconds is not None

    for each in holders:
        is_known &= occupy(each.seconds_left())
    for each, is_ready in waiting:
        place = max(0, runs - capacity + 1)
        standings[each] = Standing(place, free_in[0] if is_known else None)
        if is_ready:
            runs += each.is_run
            is_known = is_known and occupy(each.estimate())
    return standings


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
