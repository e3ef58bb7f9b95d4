"""Runs on ZeroGPU: the platform forks a process with a GPU for a run, on the visitor's GPU time.

This is the page's side, without a GPU: it asks for time by an estimate, and says why the platform
gave none. What the forked process does is in zero_gpu_worker.py.
"""

import logging
import math
import re
import tempfile
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.hosting.first_item import GivenUp, first_item
from explorer.hosting.folders import choose_temp_folder
from explorer.hosting.workers.backend import BackendError, Stopping, WorkerDied
from explorer.hosting.workers.border import Learned, learned_from
from explorer.hosting.workers.border_engine import BorderEngine
from explorer.models.catalog import ModelError
from explorer.runs.events import Ended, Event
from explorer.runs.kept_paces import KeptPaces
from explorer.runs.paces import Paces
from explorer.sampling.wording import about
from explorer.settings import RunSettings
from explorer.settings.limits import LIMITS, Limits

if TYPE_CHECKING:
    from explorer.capture.full_frames import FullFrame
    from explorer.capture.trajectory import Trajectory
    from explorer.hosting.zero_gpu_worker import ZeroGpuEngine

LOG = logging.getLogger(__name__)

ZERO_GPU = "SPACES_ZERO_GPU"  # in the environment of such a Space it is "true"
YES = ("1", "t", "true")  # as the platform's package reads it
UNKNOWN_S, LEAST_S, MOST_S = (
    60,
    10,
    300,
)  # asked for while nothing is known; at least; without limit
ROUND_S = 5  # up to a multiple of this: the platform counts what is asked for
SPARE, START_S = 1.3, 5.0  # an estimate's error; a forked process until its first call
STOPPED_S = 3.0  # for a stopped run to send what it has computed; then its process is given up
READY_S = 60.0  # for a model's memory to be measured, in a thread, before the first fork
UNREAD_S = 0.2  # that a prompt's note waits while a process is being forked

WORKER_ERROR = "ZeroGPU worker error"
# By the platform's titles of its errors, a sentence; {asked} are the seconds that were asked for.
SENTENCES = {
    "ZeroGPU illegal duration": (
        "This run would need about {asked} of a GPU, which is more than ZeroGPU gives a run: lower "
        "the steps, the size, the batch size or the number of lanes."
    ),
    "ZeroGPU queue timeout": (
        "No GPU has become free within a minute: press Run again, or try later."
    ),
    "ZeroGPU pending credits exceeded": (
        "Other runs of yours hold your GPU time at present: press Run again when they have ended."
    ),
    "ZeroGPU client error": (
        "ZeroGPU has given no GPU: reload the page and press Run again, or try later."
    ),
    WORKER_ERROR: (
        "The process with the GPU ended before the run did: it took longer than the {asked} that "
        "were asked for, or memory ran out. Lower the steps, the size, the batch size or the "
        "number of lanes."
    ),
}
QUOTA = "ZeroGPU quota exceeded"
_LEFT = re.compile(r"\((\d+)s requested vs\. (\d+)s left\)")
_WAIT = re.compile(r"Try again in (\d{1,3}:\d\d:\d\d)")
NOT_TAKEN = "ZeroGPU did not take this run; press Run again, or try later."
ONE_MODEL = "On ZeroGPU only {} runs: models are loaded before the page starts."


def is_zero_gpu(environment: Mapping[str, str]) -> bool:
    """Whether this is a Space on ZeroGPU."""
    return environment.get(ZERO_GPU, "").lower() in YES


def seconds_to_ask(estimate: float | None, limits: Limits = LIMITS) -> int:
    """The seconds of a GPU to ask for, by an estimate of the run's own; the operator's at most.

    They are the visitor's, whose quota the platform checks against what is asked for.
    """
    wanted = UNKNOWN_S if estimate is None else math.ceil(SPARE * estimate + START_S)
    most = math.ceil(limits.run_s + START_S) if limits.run_s else MOST_S
    return max(LEAST_S, min(math.ceil(wanted / ROUND_S) * ROUND_S, most))


def reason(error: Exception, asked: int) -> str:
    """A sentence for an error of the platform; nothing of its own text but numbers is passed on."""
    title, text = str(getattr(error, "title", "")), str(error)
    if title == QUOTA:
        return _quota(text, asked)
    sentence = SENTENCES.get(title, NOT_TAKEN)
    return sentence.format(asked=about(asked))


def _quota(text: str, asked: int) -> str:
    left, wait = _LEFT.search(text), _WAIT.search(text)
    if left:
        told = f"this run asks for {left[1]} s, and {left[2]} s are left"
    else:
        told = f"this run asks for about {about(asked)}"
    again = f" Or try again in {wait[1]} (hours, minutes, seconds)." if wait else ""
    return (
        f"Your GPU time on ZeroGPU is used up: {told}. Lower the steps, the size or the number of "
        f"lanes, or sign in to Hugging Face, which gives you more.{again} The recorded examples "
        "need none."
    )


def begin() -> None:
    """Import the platform's package, before anything that touches CUDA; it imports Gradio."""
    choose_temp_folder()  # Gradio reads where it is when it is imported
    import_module("spaces")


def zero_gpu_engine(arguments: Mapping[str, Any], limits: Limits = LIMITS) -> BorderEngine:
    """An engine whose runs ZeroGPU computes, with its model in memory; for the main thread.

    `arguments` are those of `Engine`. Raises ValueError where they cannot be kept here, and
    ModelError where the model does not load.
    """
    for name in ("models", "allow", "anything"):
        if arguments.get(name):
            raise ValueError("On ZeroGPU one model is loaded at the start: give one --model alone.")
    if arguments.get("offload", "none") != "none":
        raise ValueError("On ZeroGPU the whole model is on the GPU: leave --offload out.")
    from explorer.hosting.zero_gpu_worker import ZeroGpuEngine

    kept = KeptPaces(Path(tempfile.mkdtemp(prefix="sampler-explorer-")) / "paces.json")
    engine = ZeroGpuEngine(**{**arguments, "limits": limits, "paces": kept})
    engine.catalog.entries = engine.catalog.entries[:1]
    backend = ZeroGpuBackend(engine, kept, limits)
    backend.get_ready()
    return BorderEngine(engine.catalog, [backend], limits=limits)


class ZeroGpuBackend:
    """A Backend whose runs the platform computes, each in a process that it forks from this one.

    Make it, and `get_ready`, in the main thread and before the page is launched: only there the
    platform's package emulates a GPU. Only the engine's first model can be used.
    """

    def __init__(self, engine: "ZeroGpuEngine", kept: KeptPaces, limits: Limits = LIMITS):
        from explorer.hosting import zero_gpu_worker

        self._worker, self._limits, self._engine = zero_gpu_worker, limits, engine
        self._forking = threading.Lock()
        self._closing = False
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._learned = Learned()
        self.progress: tuple[str, float | None] = ("", None)
        self._paces = Paces(kept)
        zero_gpu_worker.adopt(engine)

    def get_ready(self) -> None:
        """Load the model, and let nothing go on that a fork would cut; raises ModelError."""
        engine = self._engine
        engine.load()
        model, deadline = engine.model(), time.monotonic() + READY_S
        while not model.memory_is_known and time.monotonic() < deadline:
            time.sleep(0.05)
        self._learned = replace(learned_from(engine, paces=False), paces=self._paces)

    @property
    def learned(self) -> Learned:
        """What loading has told; how long runs take is the newest."""
        return self._learned

    def run(self, settings: Mapping[str, Any], stopping: Stopping) -> Iterator[Event | Learned]:
        """A run's events, as Backend.run; a run that is stopped has a moment for its last one."""
        run = RunSettings.from_dict(dict(settings))
        asked = seconds_to_ask(self._paces.estimate(run, self._name).seconds, self._limits)
        self._worker.want_stopped(False)
        self._is_idle.clear()
        events = self._worker.run_forked(dict(settings), asked)
        try:
            # It comes when the platform has given a GPU and the process is forked.
            first = first_item(events, lambda: stopping() or self._closing, self._forking)
            yield from self._followed(first, events, stopping)
        except GivenUp:
            raise BackendError("") from None
        except BackendError:
            raise
        except Exception as error:
            LOG.warning("ZeroGPU: %s", type(error).__name__, exc_info=True)
            died = getattr(error, "title", "") == WORKER_ERROR
            raise (WorkerDied if died else BackendError)(reason(error, asked)) from None
        finally:
            self._is_idle.set()
            self._paces.refresh()

    def _followed(
        self,
        told: Event | Learned | None,
        events: Generator[Event | Learned, None, None],
        stopping: Stopping,
    ) -> Iterator[Event | Learned]:
        """The events from the first on."""
        deadline = None
        with closing(events):
            while told is not None:
                if isinstance(told, Learned):
                    self._paces.refresh()
                    told = replace(self._learned, paces=self._paces)
                yield told
                if isinstance(told, Ended):
                    deadline = math.inf  # nothing is to be stopped any more
                if deadline is None and (stopping() or self._closing):
                    self._worker.want_stopped(True)
                    deadline = time.monotonic() + STOPPED_S
                if deadline is not None and time.monotonic() > deadline:
                    # The generator is closed, and with it the process's work.
                    raise BackendError("")
                told = next(events, None)

    @property
    def _name(self) -> str:
        return self._engine.entries[0].name

    def _check(self, name: str) -> None:
        if name not in ("", self._name):
            raise ModelError(ONE_MODEL.format(self._engine.entries[0].label))

    def fetch(self, names: Sequence[str], stopping: Stopping) -> None:
        """Raises ModelError for a model that is not the one that is loaded."""
        for name in names:
            self._check(name)

    def load(self, name: str, stopping: Stopping) -> None:
        """Likewise."""
        self._check(name)

    def full_frames(
        self,
        trajectories: "Sequence[Trajectory]",
        cursor: Sequence[int],
        view: str,
        stopping: Stopping,
    ) -> "Iterator[FullFrame]":
        """None: they would be made on the visitor's GPU time, which nobody has asked for."""
        yield from ()

    def memory_use(self, settings: Mapping[str, Any]) -> str:
        """Unknown: the GPU is not this process's."""
        return ""

    def unread(self, prompt: str, name: str) -> str:
        """The end of the prompt that the model does not read; "" while a process is being forked.

        A tokenizer that is in use at a fork would be so for ever in the forked process.
        """
        if not self._forking.acquire(timeout=UNREAD_S):
            return ""
        try:
            return self._engine.facts.unread(prompt, name)
        finally:
            self._forking.release()

    def close(self, timeout: float) -> bool:
        """End the run under way by its next call, and then the platform's processes."""
        self._closing = True
        self._worker.want_stopped(True)
        has_ended = self._is_idle.wait(timeout)
        self._worker.end_processes()
        return has_ended


if TYPE_CHECKING:
    from explorer.hosting.workers.backend import Backend

    def is_a_backend(backend: ZeroGpuBackend) -> Backend:
        return backend
