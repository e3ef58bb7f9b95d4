"""The door of a server: which runs it takes, by their size and by whose they are.

The page, programs and the command line ask here before a run waits for the device.
"""

import queue
import threading
import time
import weakref
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

from explorer.hosting.allowances import Allowance, Allowances
from explorer.hosting.metrics import Metrics
from explorer.models.catalog import KNOWN
from explorer.runs.device_queue import too_many_of_yours, too_many_wait
from explorer.runs.events import Computed, Denoising, Ended, Event
from explorer.runs.inputs import picture_size
from explorer.runs.refusals import models_of, refuse_long
from explorer.sampling.wording import about, counted
from explorer.settings import Refused, RunSettings, SettingsError
from explorer.settings.limits import LIMITS, Limits
from explorer.views.engine_protocol import EngineLike

FRAMES_SHARE = 0.5  # of the device's time that somebody's runs may use: they go first
TOO_MANY = 429  # the status of a request that may be made again later


@dataclass(frozen=True, eq=False)
class _UnderWay:
    """A run that waits or goes on, whose it is, and the seconds that it is estimated to take."""

    visitor: str
    address: str
    cancel: threading.Event
    seconds: float = 0.0

    def is_of(self, key: tuple[str, str]) -> bool:
        """Whether it is a visitor's, or an address's, by a key such as ("visitor", "...")."""
        return (self.visitor if key[0] == "visitor" else self.address) == key[1]


class Admission:
    """Takes runs for an engine within an operator's limits, and refuses the others in a sentence.

    A `visitor` and an `address` are texts that tell them apart; "" is nobody in particular, for
    whom no limit of visitors or addresses holds. For any thread. `now` is the clock, in seconds.
    What it takes and refuses is counted in its `metrics`.
    """

    def __init__(
        self,
        engine: EngineLike,
        limits: Limits = LIMITS,
        now: Callable[[], float] = time.monotonic,
    ):
        self._engine, self._limits = engine, limits
        self._lock = threading.Lock()
        self._under_way: set[_UnderWay] = set()
        # Those whose generators are gone: whatever removes objects may do so in any thread, at any
        # point, also where this one holds the lock.
        self._left: queue.SimpleQueue[_UnderWay] = queue.SimpleQueue()
        self._begun = Allowances(now)
        self._device = Allowances(now)
        self.metrics = Metrics(lambda: self.under_way)

    @property
    def under_way(self) -> int:
        """The runs that wait for the device or have it."""
        with self._lock:
            self._forget_left()
            return len(self._under_way)

    def admit(self, settings: RunSettings, visitor: str = "", address: str = "") -> None:
        """Count a run as one that begins now; raises Refused, counting nothing, beyond a limit.

        The sentence has the number, the limit and what to lower, or when to try again. `astream`
        counts also what waits, and for how long the device was used.
        """
        with self._counted():
            self._check_size(settings)
            with self._lock:
                self._check_whose(visitor, address)
                self._count_begun(visitor, address)

    def check(self, settings: RunSettings, visitor: str = "", address: str = "") -> None:
        """Raise Refused for a run that would not be taken now, counting none that would be."""
        with self._counted():
            self._check_size(settings)
            with self._lock:
                self._check_whose(visitor, address)

    def astream(
        self,
        settings: RunSettings,
        visitor: str = "",
        address: str = "",
        cancel: threading.Event | None = None,
        *,
        session: str = "",
        listening: Callable[[], bool] = lambda: True,
        came: float | None = None,
    ) -> AsyncGenerator[Event, None]:
        """`Engine.astream` of a run that is admitted; raises Refused at once for any other.

        `session` is whose runs the device's queue takes for one visitor's, else `visitor` is.
        """
        cancel = cancel or threading.Event()
        with self._counted():
            self._check_size(settings)
            seconds = self._engine.estimate(settings).seconds or 0.0
            run = _UnderWay(visitor, address, cancel, seconds)
            events = self._engine.astream(
                settings, cancel, visitor=session or visitor, listening=listening, came=came
            )
            followed = self._followed(run, settings, events)
            with self._lock:
                self._check_whose(visitor, address)
                self._count_begun(visitor, address)
                self._under_way.add(run)
        # For a generator that nobody ever asks for an event: its own end does not come.
        weakref.finalize(followed, self._left.put, run).atexit = False
        return followed

    async def _followed(
        self, run: _UnderWay, settings: RunSettings, events: AsyncGenerator[Event, None]
    ) -> AsyncGenerator[Event, None]:
        seconds, denoising_s, last = 0.0, None, None
        try:
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Computed):
                        seconds = event.elapsed_s or seconds
                        if denoising_s is None and not isinstance(event, Denoising):
                            denoising_s = seconds  # all calls are made
                    last = event if isinstance(event, Ended) else last
                    yield event
        finally:
            self.metrics.ended(settings, last, seconds if denoising_s is None else denoising_s)
            with self._lock:
                self._under_way.discard(run)
                self._spend(run.visitor, run.address, seconds)

    def frames_wait_s(self, visitor: str, address: str) -> float:
        """In how many seconds frames in full size may be made for somebody; 0 for now.

        They count as the device's time like runs, and may use a share of what those may, so that a
        run is not refused because of them.
        """
        with self._lock:
            return max(
                (
                    self._device.wait_s(key, most, (1 - FRAMES_SHARE) * most.each_minute)
                    for key, most in self._device_limits(visitor, address)
                ),
                default=0.0,
            )

    def count_frames(self, visitor: str, address: str, seconds: float) -> None:
        """Count the device's time that somebody's frames in full size have just used."""
        with self._lock:
            self._spend(visitor, address, seconds)

    def _spend(self, visitor: str, address: str, seconds: float) -> None:
        for key, most in self._device_limits(visitor, address):
            self._device.spend(key, most, seconds, over_s=seconds)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count what is refused within the block."""
        try:
            yield
        except Refused as error:
            self.metrics.refused(error.limit)
            raise

    # --- what is refused -------------------------------------------------------------------------

    def _check_size(self, settings: RunSettings) -> None:
        """Refuse a run that is too large, whoever asks for it."""
        self._check_models(settings)
        refuse_long(settings, self._engine.estimate(settings), self._limits)

    def _check_whose(self, visitor: str, address: str) -> None:
        """Refuse one run too many, of everybody, a visitor or an address."""
        self._forget_left()
        self._check_waiting(visitor, address)
        self._check_begun(visitor, address)
        self._check_device(visitor, address)

    def _forget_left(self) -> None:
        while not self._left.empty():
            self._under_way.discard(self._left.get())

    def _check_models(self, settings: RunSettings) -> None:
        """Refuse models that are not on offer, and a model's own size beyond the limit."""
        try:
            models_of(settings, self._engine.catalog.find)
        except SettingsError as error:
            if getattr(settings, error.name) in KNOWN and not self._limits.hub_models:
                raise Refused(error.name, str(error), "hub_models") from None
            raise
        identity = self._engine.facts.identity(settings.model)
        if identity is None:
            return
        side = max(picture_size(settings, (identity.width, identity.height)))
        if side > self._limits.side:
            raise Refused(
                "width" if not settings.width else "height",
                f"A picture's longer side may be at most {self._limits.side} on this server; the "
                f"model's own is {side}: set width and height.",
                "side",
            )

    def _check_waiting(self, visitor: str, address: str) -> None:
        limits, runs = self._limits, [each for each in self._under_way if not each.cancel.is_set()]
        if len(runs) > limits.waiting_runs:
            raise _later(too_many_wait(limits), "waiting_runs")
        theirs = sum(bool(visitor) and each.visitor == visitor for each in runs)
        if theirs > limits.waiting_runs_per_visitor:
            raise _later(too_many_of_yours(limits), "waiting_runs_per_visitor")
        nearby = sum(bool(address) and each.address == address for each in runs)
        if 0 < limits.waiting_runs_per_address <= nearby:
            raise _later(
                f"{counted(nearby, 'run')} from your network address are waiting or under way, and "
                f"this server allows {limits.waiting_runs_per_address} for one address: try again "
                "in a while.",
                "waiting_runs_per_address",
            )

    def _check_begun(self, visitor: str, address: str) -> None:
        for key, most in self._begun_limits(visitor, address):
            if wait_s := self._begun.wait_s(key, most, more=1):
                whose = "a visitor" if key[0] == "visitor" else "a network address"
                raise _later(
                    f"This server starts at most {counted(round(most.each_minute), 'run')} a "
                    f"minute for {whose}, and has started as many: try again in {about(wait_s)}.",
                    most.limit,
                    wait_s,
                )

    def _check_device(self, visitor: str, address: str) -> None:
        runs = [each for each in self._under_way if not each.cancel.is_set()]
        for key, most in self._device_limits(visitor, address):
            # What waits counts too: many short waits would together be a long one for the others.
            coming = sum(each.seconds for each in runs if each.is_of(key))
            if wait_s := self._device.wait_s(key, most, coming):
                whose = "Your runs" if key[0] == "visitor" else "Runs from your network address"
                have = "those under way take" if coming else "have used it for"
                raise _later(
                    f"{whose} may use this server's device for {most.each_minute:g} seconds a "
                    f"minute, and {have} longer: try again in {about(wait_s)}. Fewer steps, lanes "
                    "or pixels make a run shorter.",
                    most.limit,
                    wait_s,
                )

    # --- what is counted -------------------------------------------------------------------------

    def _count_begun(self, visitor: str, address: str) -> None:
        for key, most in self._begun_limits(visitor, address):
            self._begun.spend(key, most, 1)

    def _begun_limits(self, visitor: str, address: str) -> list[tuple[tuple[str, str], Allowance]]:
        return self._limits_of("runs_per_minute", visitor, address)

    def _device_limits(self, visitor: str, address: str) -> list[tuple[tuple[str, str], Allowance]]:
        return self._limits_of("device_s_per_minute", visitor, address)

    def _limits_of(
        self, name: str, visitor: str, address: str
    ) -> list[tuple[tuple[str, str], Allowance]]:
        """A limit's two forms, of this visitor and of this address, where they hold."""
        of_address = f"{name}_per_address"
        both = [(("visitor", visitor), name), (("address", address), of_address)]
        return [
            (key, Allowance(limit, most))
            for key, limit in both
            if key[1] and (most := getattr(self._limits, limit))
        ]


def _later(message: str, limit: str, wait_s: float | None = None) -> Refused:
    return Refused("", message, limit, TOO_MANY, wait_s)
