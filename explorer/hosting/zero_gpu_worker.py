"""What a process does that ZeroGPU forks for a run. Imported on such a Space only, and early.

The platform's package comes before anything touches CUDA, which it emulates in the main thread.
"""

import mmap
import multiprocessing
import threading
from collections.abc import Callable, Generator
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from explorer.engine import Engine
from explorer.hosting.workers.border import Learned, serve_run
from explorer.runs.events import Event
from explorer.runtime.fast import compute_plainly

if TYPE_CHECKING:
    from explorer.models.model import Model

spaces: Any = import_module("spaces")

# Without graphs and kernels of ours: they are made in a visitor's time on a GPU, 16 to 27 s of a
# Space's first run, and save the first run of a later process nothing (docs/measured.md).
PLAINLY = True
# One byte that all processes share: 1 stops the run. It has no lock, which a process that is killed
# while it reads would hold for ever.
_stopped = mmap.mmap(-1, 1)
_engine: "ZeroGpuEngine | None" = None
_is_measured = threading.Event()  # in a forked process, after its first run


class ZeroGpuEngine(Engine):
    """An engine that is loaded where there is no GPU, and runs in forked processes that have one.

    What loading does on a GPU beyond loading is left out; a model is measured by the first process
    that has it on a GPU.
    """

    def _rehearse(self, model: "Model", on_progress: Callable[..., None]) -> None:
        pass

    def _measure(self, model: "Model") -> None:
        pass

    def measure(self) -> None:
        """Measure the model on the GPU, unless an earlier process has."""
        self.paces.refresh()
        super()._measure(self.model())


def adopt(engine: ZeroGpuEngine) -> None:
    """Let forked processes run on this engine."""
    global _engine
    _engine = engine


def want_stopped(is_wanted: bool) -> None:
    """Whether the run under way is no longer wanted."""
    _stopped[0] = int(is_wanted)


def end_processes() -> None:
    """End the forked processes: one that waits for a run heeds no signal that asks it to end.

    This process would wait for them at its own end.
    """
    for process in multiprocessing.active_children():
        process.kill()
        process.join(1.0)


def _duration(settings: dict[str, Any], asked: int) -> int:
    return asked


@spaces.GPU(duration=_duration)
def run_forked(settings: dict[str, Any], asked: int) -> Generator[Event | Learned, None, None]:
    """Run settings in a forked process: the events of border.serve_run, at least two a second.

    `asked` are the seconds of a GPU that the page's process has asked for.
    """
    engine = _engine
    assert engine is not None, "no engine was adopted before the fork"
    compute_plainly(PLAINLY)
    if not _is_measured.is_set():
        engine.measure()
        _is_measured.set()
    cancel = threading.Event()
    for told in serve_run(engine, settings, cancel):
        if _stopped[0]:
            cancel.set()
        yield replace(told, paces=None) if isinstance(told, Learned) else told
