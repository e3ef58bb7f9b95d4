"""The engine: loads the model, runs settings one at a time on its device, tells what happens."""

import math
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from explorer.capture.frames import LaneFrames
from explorer.capture.free_memory import free_bytes
from explorer.capture.trajectory import CANCELLED, DONE, ERROR, Trajectory
from explorer.device_queue import DeviceQueue, QueueFull, device_queue
from explorer.events import Event, follow, follow_async
from explorer.full_frames import made_between_runs
from explorer.job import LOADING, Job, Stopped, sentence, vae_decoder
from explorer.limits import DEFAULTS, Limits
from explorer.memory_plan import describe, elements_at_once
from explorer.model_facts import ModelFacts, check_settings
from explorer.models.catalog import BUNDLED_FOLDER as BUNDLED
from explorer.models.catalog import Catalog, Entry, ModelError
from explorer.models.hub import Hub
from explorer.models.resident import Residents
from explorer.paces import Paces
from explorer.settings import RunSettings, SettingsError

if TYPE_CHECKING:
    import torch
    from diffusers import StableDiffusionPipeline

    from explorer.capture.full_frames import FullFrame
    from explorer.capture.previews import Decoder
    from explorer.models.model import Model

__all__ = ["BUNDLED", "Engine", "Event", "LaneFrames", "RunError", "run", "stream"]

POLL_S = 0.02
FULL_AFTERWARDS = ("auto", "full")  # preview decoders after which the VAE makes every frame


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
    denoises at a time, others wait and are served as they came, within `limits`. Raises ModelError
    for ids that are none.
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
        limits: Limits = DEFAULTS,
    ):
        self.catalog = Catalog((model, *models), allow, anything)
        self._hub = hub or Hub()
        self._models = Residents(device, dtype, offload, _decoder_for, self._hub, check_settings)
        self._limits, self._paces = limits, Paces()
        # Which device is the best is known only once torch is there.
        self._queue = device_queue(device) if device else DeviceQueue(is_open=False)
        self._jobs: WeakSet[Job] = WeakSet()
        self._closing = False

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
        ticket = None
        try:
            self._open_queue()
            models.find([entry], self._tell)
            ticket = self._queue.join(is_run=False)
            if ticket.place:
                self._tell(f"{entry.label} is loaded when the run under way has ended.")
            ticket.wait()
            models.seat([entry], self._tell)
        finally:
            if ticket is not None:
                ticket.leave()
            models.progress = None

    def _tell(self, words: str, fraction: float | None = None) -> None:
        """Keep how far loading is, and break it off where the engine is closing."""
        if self._closing:
            raise ModelError("The program is ending.")
        self._models.tell(words, fraction)

    def _open_queue(self) -> None:
        """Join the queue of the device once it is known; loads torch where it was not named."""
        queue = device_queue(self.device)
        before, self._queue = self._queue, queue
        before.become(queue)

    def close(self, timeout: float) -> bool:
        """End every run by its next call, and loading by its next part; no others begin.

        Returns whether the device was free within `timeout` seconds.
        """
        self._closing = True
        for job in tuple(self._jobs):
            job.stop()
        ticket = self._queue.join(is_run=False, came=-math.inf)
        try:
            return not self._queue.busy or ticket.wait(timeout)
        finally:
            ticket.leave()

    def memory_use(self, settings: RunSettings) -> str:
        """What the networks will take of memory for a run, in words; "" while no model is there.

        Raises TooLarge, with the numbers, for a run that has no room.
        """
        model = self._models.get(self.catalog.find(settings.model).name)
        if model is None or not model.memory_is_known:
            return ""
        from explorer.refusals import memory_need

        need = memory_need(settings, model, quick=True)
        return describe(need, elements_at_once(need, free_bytes(), model.free_device_bytes()))

    # --- running ---------------------------------------------------------------------------------

    def run(self, settings: RunSettings, cancel: threading.Event | None = None) -> list[Trajectory]:
        """Run in this thread and return what was recorded, also of a run that was cancelled.

        Raises SettingsError, or RunError with what was recorded before it failed.
        """
        job = self._job(settings, cancel)
        self._enter(job)
        job.admitted = True
        try:
            self._prepare(job)
            while job.waits and not job.ticket.wait(POLL_S):
                pass
            if job.ticket is not None and job.ticket.turn.is_set():
                self._work(job, [])
            elif not job.state:
                job.end(CANCELLED)
        finally:
            if job.ticket is not None:
                job.ticket.leave()
        if job.state == ERROR:
            raise RunError(job.message, job.trajectories())
        return list(job.trajectories())

    def stream(
        self,
        settings: RunSettings,
        cancel: threading.Event | None = None,
        *,
        visitor: str = "",
    ) -> Iterator[Event]:
        """Run in a thread of its own and tell what happens, at most every 80 ms.

        Raises SettingsError at once. The first event comes before any work. Setting `cancel` ends
        the run with a "cancelled" event, closing the generator ends it without; both take effect
        after the model call under way, and the device is free as soon as that call is done. A
        `visitor` who is named has at most so many runs as the limits say; one too many ends with
        an "error" event and a sentence.
        """
        return follow(*self._followed(self._job(settings, cancel), visitor))

    def astream(
        self,
        settings: RunSettings,
        cancel: threading.Event | None = None,
        *,
        visitor: str = "",
        listening: Callable[[], bool] = lambda: True,
        came: float | None = None,
    ) -> AsyncIterator[Event]:
        """`stream` for an event loop: a run that waits for its turn holds no thread.

        Its place is that of one who `came` at that time of `time.monotonic()`, or the last one.
        A run whose events nobody is `listening` to has no turn, and after a while gives up.
        """
        job = self._job(settings, cancel)
        patience_s = self._limits.no_listener_s
        return follow_async(*self._followed(job, visitor, came), listening, patience_s)

    def full_frames(
        self,
        trajectories: Sequence[Trajectory],
        cursor: Sequence[int] = (),
        view: str = "denoised",
        cancel: threading.Event | None = None,
    ) -> "Iterator[FullFrame]":
        """A recorded run's frames in full size by the VAE, the nearest to the `cursor` first.

        `cursor` is a call of each lane, `view` what is on screen, "denoised" or "noisy". Runs and
        loads go first, whoever's they are. Ends early where `cancel` is set, another model has
        been loaded, or the run's `preview_decoder` leaves full size out. Raises RunError.
        """
        lanes = [each for each in trajectories if each.settings]
        if not lanes or lanes[0].settings.get("preview_decoder") not in FULL_AFTERWARDS:
            return
        name = lanes[0].settings.get("refiner") or lanes[0].model

        def stopped() -> bool:
            return self._closing or (cancel is not None and cancel.is_set())

        def model() -> "Model | None":
            return self._models.get(name)

        if model() is None:
            return
        if self.threads is not None:
            import torch

            torch.set_num_threads(self.threads)
        queue = device_queue(self.device)
        try:
            yield from made_between_runs(queue, model, trajectories, cursor, view, stopped)
        except Exception as error:
            raise RunError(sentence(error)) from None

    def _followed(
        self, job: Job, visitor: str, came: float | None = None
    ) -> tuple[Job, Callable, Callable, "Decoder"]:
        """The job, how it enters its queue and starts, and its model's decoder."""
        decoders: list[Decoder] = []
        on_turn = partial(in_own_thread, "denoise", self._work, job, decoders)
        enter = partial(self._enter, job, visitor, on_turn, came)
        return job, enter, partial(self._start, job), lambda latents: decoders[0](latents)

    def _job(self, settings: RunSettings, cancel: threading.Event | None) -> Job:
        """Raises SettingsError, also for models that are not in the catalogue."""
        for field in ("model", "refiner"):
            try:
                self.catalog.find(getattr(settings, field))
            except ModelError as error:
                raise SettingsError(field, str(error)) from None
        job = Job(settings, cancel)
        job.loading_progress = lambda: self.progress[0]
        self._jobs.add(job)
        return job

    def _entries(self, job: Job) -> list[Entry]:
        run = job.settings
        names = [run.model, run.refiner] if run.refiner else [run.model]
        return [self.catalog.find(name) for name in names]

    def _enter(
        self,
        job: Job,
        visitor: str = "",
        on_turn: Callable[[], None] = bool,
        came: float | None = None,
    ) -> None:
        """Take a place in the device's queue; the job has ended where there is none."""
        entries = self._entries(job)
        if self._closing:
            job.stop()
        try:
            job.ticket = self._queue.join(
                visitor,
                limits=self._limits,
                ready=lambda: job.admitted and all(map(self._models.has_found, entries)),
                seconds_left=partial(self._seconds_left, job),
                on_turn=on_turn,
                came=came,
            )
        except QueueFull as error:
            job.end(ERROR, str(error))
            job.finished.set()

    def _start(self, job: Job) -> None:
        """Let the job have its turn; a thread is taken only for what must come before that."""
        if job.finished.is_set():
            return
        job.admitted = True
        if self._queue.is_open and all(map(self._models.has_found, self._entries(job))):
            self._queue.advance()
        else:
            in_own_thread("prepare", self._prepare, job)

    def _seconds_left(self, job: Job) -> float | None:
        left, whole = job.pace.left_s, self._paces.seconds(job.settings)
        if left is None and whole is not None:
            left = max(0.0, whole - (job.elapsed_s or 0.0))
        return left

    def _telling(self, job: Job) -> Callable[..., None]:
        def tell(words: str, fraction: float | None = None) -> None:
            job.check_stop()
            self._tell(words, fraction)
            share = "" if fraction is None else f" {fraction:.0%}"
            job.phase, job.note = LOADING, words + share

        return tell

    def _prepare(self, job: Job) -> None:
        """Bring the job's models to this machine, so that it may have its turn."""
        missing = not all(map(self._models.has_found, self._entries(job)))
        try:
            self._open_queue()
            if missing and job.ticket is not None:
                job.phase, job.note = LOADING, "Loading the model."
                self._models.find(self._entries(job), self._telling(job))
        except BaseException as error:
            self._broke_off(job, error)
        finally:
            if missing:
                self._models.progress = None
            self._queue.advance()

    def _broke_off(self, job: Job, error: BaseException) -> None:
        """End the job with what went wrong; what is no Exception is raised on."""
        if isinstance(error, Stopped):
            job.end(CANCELLED)
        else:
            job.end(ERROR, str(error) if isinstance(error, ModelError) else sentence(error))
        job.ticket.leave()
        job.finished.set()
        job.news.put(None)
        if not isinstance(error, Exception):
            raise error

    def _work(self, job: Job, decoders: "list[Decoder]") -> None:
        """Run the job, whose turn it is; its model's decoder is in `decoders` before any call."""
        models, entries = self._models, self._entries(job)
        try:
            job.check_stop()
            models.find(entries, self._telling(job))  # again, where loading has failed since
            models.seat(entries, self._telling(job))
            models.progress = None
            chosen = [models.get(entry.name) for entry in entries]
            decoders.append(_preview_decoder(chosen[0], job.settings.preview_decoder))
            if job.settings.preview_decoder == "full":
                job.decode_live = vae_decoder(chosen[0], quick=False)
            self._denoise(job, *chosen)
            if job.state == DONE:
                self._paces.learn(job.settings, job.elapsed_s)
        except BaseException as error:
            self._broke_off(job, error)
        finally:
            models.progress = None
            job.ticket.leave()
            job.finished.set()
            job.news.put(None)

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


def _preview_decoder(model: "Model", choice: str) -> "Decoder":
    from explorer.capture.preview_decoder import preview_decoder

    return preview_decoder(model, choice)


def _decoder_for(pipeline: Any, folder: Path) -> "Decoder":
    from explorer.capture.preview_decoder import decoder_for

    return decoder_for(pipeline, folder)


def in_own_thread(name: str, work: Callable[..., None], *arguments: Any) -> None:
    """Do work that has told of its errors before it raises them."""

    def target() -> None:
        with suppress(BaseException):
            work(*arguments)

    threading.Thread(target=target, name=name).start()


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
