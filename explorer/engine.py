"""The engine: loads the model, runs settings one at a time on its device, tells what happens."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.capture.frames import LaneFrames
from explorer.capture.trajectory import CANCELLED, DONE, ERROR, Trajectory
from explorer.events import Event, follow
from explorer.job import LOADING, QUEUED, Job, Stopped, sentence
from explorer.model_facts import ModelFacts, check_settings
from explorer.models.catalog import BUNDLED_FOLDER as BUNDLED
from explorer.models.catalog import Catalog, Entry, ModelError
from explorer.models.hub import Hub
from explorer.models.resident import Residents
from explorer.settings import RunSettings, SettingsError

if TYPE_CHECKING:
    import torch
    from diffusers import StableDiffusionPipeline

    from explorer.capture.previews import Decoder
    from explorer.models.model import Model

__all__ = ["BUNDLED", "Engine", "Event", "LaneFrames", "RunError", "run", "stream"]

POLL_S = 0.02

_DEVICE_LOCKS: dict[str, threading.Lock] = {}


class RunError(RuntimeError):
    """A run that failed; the message is a sentence, `trajectories` what was recorded before."""

    def __init__(self, message: str, trajectories: tuple[Trajectory, ...] = ()):
        super().__init__(message)
        self.trajectories = trajectories


class Engine(ModelFacts):
    """Runs settings on models of its catalogue. Nothing is loaded before `load()` or a first run.

    One model is resident, and beside it the refiner that runs use. `model` is a path, a hub id or
    "bundled", and the first of the catalogue; `models`, `allow` and `anything` are the catalogue's,
    `offload` is "none", "model" or "sequential". Engines of one process share each device: one run
    denoises at a time, others wait. Raises ModelError for ids that are none.
    """

    def __init__(
        self,
        model: str | Path = BUNDLED,
        device: str | None = None,
        dtype: "torch.dtype | str | None" = None,
        *,
        models: Iterable[str | Path] = (),
        allow: Iterable[str] = (),
        anything: bool = False,
        offload: str = "none",
        hub: Hub | None = None,
    ):
        self.catalog = Catalog((model, *models), allow, anything)
        self._hub = hub or Hub()
        self._models = Residents(device, dtype, offload, _decoder_for, self._hub, check_settings)

    # --- the models ------------------------------------------------------------------------------

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The models of the menu, the first one first."""
        return self.catalog.entries

    @property
    def state(self) -> str:
        """ "loading" until a model is there, "ready", or "absent: " and a sentence."""
        return self._models.state

    @property
    def progress(self) -> tuple[str, float | None]:
        """What loading is doing, as a sentence, and the fraction done where it is known."""
        return self._models.progress or ("", None)

    @property
    def resident(self) -> str:
        """The name of the model in memory; "" while there is none."""
        return self._models.name

    @property
    def device(self) -> str:
        """The device's name; the best there is unless one was asked for."""
        return self._models.device

    @property
    def dtype(self) -> str:
        """What the resident model computes in, such as "float16"; "" while there is none."""
        model = self._models.get(self.resident)
        return str(model.pipeline.unet.dtype).removeprefix("torch.") if model else ""

    @property
    def threads(self) -> int | None:
        """The number of CPU threads, measured when a model was loaded; None on a GPU."""
        return self._models.threads

    @property
    def pipeline(self) -> "StableDiffusionPipeline":
        """The resident model's stock diffusers pipeline; loads the first model where none is."""
        return self.model(self.resident).pipeline

    def model(self, name: str = "") -> "Model":
        """The model of that name, "" the first, made resident. Raises ModelError."""
        entry = self.catalog.find(name)
        while True:
            self.load(name)
            if model := self._models.get(entry.name):
                return model

    def load(self, name: str = "") -> None:
        """Make a model resident, once, whoever asks first; the one before is freed.

        Waits for a run to end. Raises ModelError; then the one before is resident again, and
        loading may be tried again.
        """
        entry, models = self.catalog.find(name), self._models
        if models.name == entry.name:
            return
        try:
            models.find([entry], models.tell)
            lock = device_lock(self.device)
            if lock.locked():
                models.tell(f"{entry.label} is loaded when the run under way has ended.")
            with lock:
                models.seat([entry], models.tell)
        finally:
            models.progress = None

    # --- running ---------------------------------------------------------------------------------

    def run(self, settings: RunSettings, cancel: threading.Event | None = None) -> list[Trajectory]:
        """Run in this thread and return what was recorded, also of a run that was cancelled.

        Raises SettingsError, or RunError with what was recorded before it failed.
        """
        job = self._job(settings, cancel)
        self._work(job, [])
        if job.state == ERROR:
            raise RunError(job.message, job.trajectories())
        return list(job.trajectories())

    def stream(
        self, settings: RunSettings, cancel: threading.Event | None = None
    ) -> Iterator[Event]:
        """Run in a thread of its own and tell what happens, at most every 80 ms.

        Raises SettingsError at once. The first event comes before any work. Setting `cancel` ends
        the run with a "cancelled" event, closing the generator ends it without; both take effect
        after the model call under way, and the device is free as soon as that call is done.
        """
        job = self._job(settings, cancel)
        decoders: list[Decoder] = []

        def start() -> None:
            arguments = job, decoders
            threading.Thread(target=self._work, args=arguments, name="denoise").start()

        return follow(job, start, lambda latents: decoders[0](latents))

    def _job(self, settings: RunSettings, cancel: threading.Event | None) -> Job:
        """Raises SettingsError, also for models that are not in the catalogue."""
        for field in ("model", "refiner"):
            try:
                self.catalog.find(getattr(settings, field))
            except ModelError as error:
                raise SettingsError(field, str(error)) from None
        return Job(settings, cancel)

    def _work(self, job: Job, decoders: "list[Decoder]") -> None:
        """Run the job; the decoder of its model is put into `decoders` before its first call."""
        run = job.settings
        names = [run.model, run.refiner] if run.refiner else [run.model]
        entries, models = [self.catalog.find(name) for name in names], self._models

        def tell(words: str, fraction: float | None = None) -> None:
            models.tell(words, fraction)
            share = "" if fraction is None else f" {fraction:.0%}"
            job.phase, job.note = LOADING, words + share

        try:
            if any(models.get(entry.name) is None for entry in entries):
                job.phase, job.note = LOADING, "Loading the model."
                models.find(entries, tell)
                job.check_stop()
            with self._turn(job):
                models.seat(entries, tell)
                models.progress = None
                chosen = [models.get(entry.name) for entry in entries]
                decoders.append(chosen[0].decode)
                self._denoise(job, *chosen)
        except Stopped:
            job.end(CANCELLED)
        except Exception as error:
            job.end(ERROR, str(error) if isinstance(error, ModelError) else sentence(error))
        finally:
            models.progress = None
            job.finished.set()
            job.news.put(None)

    @contextmanager
    def _turn(self, job: Job) -> Iterator[None]:
        lock = device_lock(self.device)
        while not lock.acquire(timeout=POLL_S):
            job.phase, job.note = QUEUED, "Waiting for another run to finish."
            job.check_stop()
        try:
            yield
        finally:
            lock.release()

    def _denoise(self, job: Job, *models: "Model") -> None:
        import torch

        from explorer.models.model import give_back

        if self.threads is not None:
            torch.set_num_threads(self.threads)  # OpenMP keeps a number for each thread
        try:
            job.denoise(*models)
        finally:
            for model in models:
                model.after_run()
            if job.state != DONE:  # a finished pipeline call has cleaned up after itself
                give_back(torch.device(self.device))


def _decoder_for(pipeline: Any, folder: Path) -> "Decoder":
    from explorer.capture.preview_decoder import decoder_for

    return decoder_for(pipeline, folder)


def device_lock(device: str) -> threading.Lock:
    """The one lock of a device in this process; "cuda" is "cuda:0"."""
    name, _, number = device.partition(":")
    key = name if name == "cpu" else f"{name}:{number or 0}"
    return _DEVICE_LOCKS.setdefault(key, threading.Lock())


@cache
def default_engine() -> Engine:
    """The engine of `run` and `stream`: the bundled model on the best device."""
    return Engine()


def run(settings: RunSettings, cancel: threading.Event | None = None) -> list[Trajectory]:
    """`Engine.run` on the bundled model."""
    return default_engine().run(settings, cancel)


def stream(settings: RunSettings, cancel: threading.Event | None = None) -> Iterator[Event]:
    """`Engine.stream` on the bundled model."""
    return default_engine().stream(settings, cancel)
