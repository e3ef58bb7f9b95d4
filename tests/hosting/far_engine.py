"""The tests' engine in a real worker process: what a prompt says is where a run holds, or dies."""

import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fake_engine import FakeEngine
from loops import as_they_come

from explorer.hosting.workers.border_engine import BorderEngine
from explorer.hosting.workers.process_backend import ProcessBackend
from explorer.hosting.workers.worker_process import WorkerOptions
from explorer.models.catalog import Catalog
from explorer.runs.events import Ended, Event
from explorer.runs.paces import Paces
from explorer.settings import RunSettings
from explorer.settings.limits import LIMITS, Limits

FULL_SIDE = 8


class Deadly:
    """Something that ends its process when it is pickled."""

    def __reduce__(self) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)
        return str, ()


class FarEngine(FakeEngine):
    """As many steps as asked for, and what is in the brackets of the prompt:

    [hold 3] before that call, [loading] and [frames] for ever, [last] dies with the last event,
    [exit] ends the process by itself, [leave] the thread of the run, [deaf] never closes, [frozen]
    gives no sign of life from its first calls on, [stuck] goes no further from there, [slow] for
    4 s. Frames in full size have `FULL_SIDE`.
    """

    threads, trouble = 1, ""

    def __init__(self, pace: float):
        super().__init__(pace)
        self.full_side = FULL_SIDE
        self.paces, self.deaf = Paces(), False
        known = {"bundled": (Path("/nowhere"), ())}
        self.residents = SimpleNamespace(known=lambda: known, get=lambda name: self.resident)

    def stream(self, settings: RunSettings, cancel: threading.Event | None = None) -> Iterator:
        tags = dict(re.findall(r"\[(\w+)(?: (\d+))?\]", settings.prompt))
        self.hold_at = int(tags["hold"]) if "hold" in tags else None
        self.hold_in = next((each for each in ("loading", "frames") if each in tags), "")
        self.deaf |= "deaf" in tags
        if "exit" in tags:
            os._exit(7)
        if "leave" in tags:
            raise SystemExit
        hung = False
        for event in as_they_come(self.astream(settings, cancel)):
            self.resident = "bundled"
            yield self._last(event, tags)
            if getattr(event, "call", 0) and not (hung or isinstance(event, Ended)):
                hung = True
                self._hang(tags)

    def _hang(self, tags: dict) -> None:
        if "frozen" in tags:
            os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(600 if "stuck" in tags else 4 if "slow" in tags else 0)

    def _last(self, event: Event, tags: dict) -> Event:
        if isinstance(event, Ended) and "last" in tags:
            return replace(event, images=(Deadly(),))
        return event

    def fetch(self, names, wanted) -> None:
        """Everything is there."""

    def close(self, timeout: float) -> bool:
        while self.deaf:
            time.sleep(1)
        return True


def make_far_engine(arguments: Mapping[str, Any], limits: Limits) -> Any:
    return FarEngine(**arguments)


def engine_in_processes(
    workers: int = 1, pace: float = 0.01, limits: Limits = LIMITS
) -> BorderEngine:
    """An engine whose workers have no model, and begin at once."""
    options = WorkerOptions(engine={"pace": pace}, make=make_far_engine, limits=limits)
    backends = [ProcessBackend(options) for _ in range(workers)]
    engine = BorderEngine(Catalog(("bundled",)), backends)
    engine.start()
    return engine
