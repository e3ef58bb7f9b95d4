"""Whether several workers on a CPU are worth it: they share its cores, caches and memory.

Measured with short runs, whatever the sizes of caches and the speed of the memory may be.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from explorer.settings import RunSettings

if TYPE_CHECKING:
    from explorer.engine import Engine

LOG = logging.getLogger(__name__)

RUN_S = 1.0  # at least so long do workers compute side by side
MOST_SIDE = 256
STEPS = 4
WORTH_IT = 1.05  # less gain than that may be chance


class Measured(Protocol):
    """A backend whose pace can be measured."""

    def seconds_of_a_run(self, alone: bool, /) -> float: ...


def advice(backends: Sequence[Measured]) -> str:
    """A sentence where one worker would do as many runs as these, or more; "" where it would not.

    Each has its model in memory, and nothing to do.
    """
    alone = backends[0].seconds_of_a_run(True)
    with ThreadPoolExecutor(len(backends), "worth") as pool:
        together = list(pool.map(lambda each: each.seconds_of_a_run(False), backends))
    gain = sum(alone / seconds for seconds in together)
    LOG.info("a short run takes %.3f s alone, and %s s side by side", alone, together)
    if gain >= WORTH_IT:
        return ""
    return (
        f"{len(backends)} workers on this machine's {_cores()} cores do {gain:.2f} times the runs "
        f"of one: measured with a short run, {alone:.2f} s by one worker with all cores, and "
        f"{max(together):.2f} s by the slowest where all compute. If nothing else was "
        "using them, start with --workers 1."
    )


def seconds_of_a_run(engine: "Engine", alone: bool) -> float:
    """The measured seconds of a short run on a worker's engine.

    `alone` is with all cores, and the number of threads that is then best; otherwise it is with
    those of the worker, for a while, so that others can be measured at the same time.
    """
    residents, share = engine.residents, engine.residents.threads
    settings = _short_run(engine)

    def measure() -> float:
        return min(_seconds(lambda: engine.run(settings)) for _ in range(2))

    if not alone:
        engine.run(settings)  # to warm up
        deadline, took = time.monotonic() + RUN_S, []
        while not took or time.monotonic() < deadline:
            took.append(_seconds(lambda: engine.run(settings)))
        return sorted(took)[len(took) // 2]
    try:
        with ThreadPoolExecutor(1) as pool:  # what it computes in has all cores, too
            cores = pool.submit(_take_all_cores).result()
            seconds = []
            for threads in {1, cores}:
                residents.threads = threads
                seconds.append(pool.submit(measure).result())
        return min(seconds)
    finally:
        residents.threads = share


def _short_run(engine: "Engine") -> RunSettings:
    width, height = engine.model(engine.resident).native
    side = min(width, height, MOST_SIDE)
    run = replace(engine.facts.defaults(engine.resident), steps=STEPS, width=side, height=side)
    return replace(run, lanes=run.lanes[:1])


def _seconds(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def _take_all_cores() -> int:
    """Let this thread, and those that it begins, have all cores there are; their number."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(threading.get_native_id(), range(os.cpu_count() or 1))
    return _cores()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
