"""Brings a run to the device: its place in the queue, its models, its turn."""

import math
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakSet

from explorer.capture.trajectory import CANCELLED, DONE, ERROR
from explorer.models.catalog import Catalog, Entry, ModelError
from explorer.models.resident import Residents
from explorer.runs.denoising import denoise, vae_decoder
from explorer.runs.device_queue import DeviceQueue, device_queue
from explorer.runs.events import LOADING
from explorer.runs.fingerprints import Fingerprints
from explorer.runs.job import Job, Stopped
from explorer.runs.paces import Estimate, Paces
from explorer.runs.problems import sentence
from explorer.runs.refusals import models_of, refuse_long
from explorer.settings import RunSettings, SettingsError
from explorer.settings.limits import Limits

if TYPE_CHECKING:
    from explorer.models.model import Model
    from explorer.models.previews import Decoder

POLL_S = 0.02
LENIENCE = 1.5  # beyond the limit of a run's time, once it has waited


class Dispatcher:
    """Runs the jobs of one engine on their device, one at a time, and loads what they need.

    `models` are those in memory, `device` is the requested one. The engines of a process share each
    device's queue.
    """

    def __init__(
        self,
        catalog: Catalog,
        models: Residents,
        device: str | None,
        limits: Limits,
        paces: Paces,
    ):
        self.catalog = catalog
        self._models = models
        self._limits, self._paces = limits, paces
        # The best device is known only once torch has been imported.
        self.queue = device_queue(device) if device else DeviceQueue(is_open=False)
        self._jobs: WeakSet[Job] = WeakSet()
        self._fingerprints = Fingerprints()
        self.closing = False

    def on_progress(self, text: str, fraction: float | None = None) -> None:
        """Store the progress of loading, and abort it if the engine is closing."""
        if self.closing:
            raise Stopped
        self._models.on_progress(text, fraction)

    def open_queue(self) -> None:
        """Join the device's queue once the device is known; imports torch if none was named."""
        queue = device_queue(self._models.device)
        before, self.queue = self.queue, queue
        before.become(queue)

    def close(self, timeout: float) -> bool:
        """Stop every run at its next call, and loading at its next part; no others begin.

        Returns whether the device was free within `timeout` seconds.
        """
        self.closing = True
        for job in tuple(self._jobs):
            job.stop()
        ticket = self.queue.join(is_run=False, came=-math.inf)
        try:
            return not self.queue.busy or ticket.wait(timeout)
        finally:
            ticket.leave()

    def run_here(self, job: Job) -> None:
        """Run the job in this thread, when its turn has come."""
        self.enter(job)
        job.admitted = True
        try:
            self.prepare(job)
            ticket = job.ticket
            while ticket is not None and job.waits and not ticket.wait(POLL_S):
                pass
            if ticket is not None and ticket.granted.is_set():
                self.work(job, [])
            elif not job.state:
                job.end(CANCELLED)
        finally:
            job.free_device()

    def followed(
        self, job: Job, visitor: str, came: float | None = None
    ) -> tuple[Job, Callable, Callable, "Decoder"]:
        """The job, the functions that queue it and start it, and its model's decoder."""
        decoders: list[Decoder] = []
        on_granted = partial(in_own_thread, "denoise", self.work, job, decoders)
        enter = partial(self.enter, job, visitor, on_granted, came)
        return job, enter, partial(self.start, job), lambda latents: decoders[0](latents)

    def job(self, settings: RunSettings, cancel: threading.Event | None) -> Job:
        """A new job; raises SettingsError, also for models that are not in the catalogue."""
        models_of(settings, self.catalog.find)
        job = Job(settings, cancel)
        job.loading_progress = lambda: (self._models.progress or ("", None))[0]
        self.stop_at_close(job)
        return job

    def stop_at_close(self, job: Job) -> None:
        """Let `close` stop a job, as long as it is referenced."""
        self._jobs.add(job)

    def _entries(self, job: Job) -> list[Entry]:
        return models_of(job.settings, self.catalog.find)

    def enter(
        self,
        job: Job,
        visitor: str = "",
        on_granted: Callable[[], None] = lambda: None,
        came: float | None = None,
    ) -> None:
        """Take a place in the device's queue; if there is none, the job ends."""
        entries = self._entries(job)
        if self.closing:
            job.stop()
        job.take_place(
            self.queue,
            visitor=visitor,
            limits=self._limits,
            ready=lambda: job.admitted and all(map(self._models.has_fetched, entries)),
            seconds_left=partial(self._seconds_left, job),
            on_granted=on_granted,
            came=came,
        )

    def start(self, job: Job) -> None:
        """Make the job ready for its turn; a thread is used only for work before that."""
        if job.finished.is_set():
            return
        job.admitted = True
        if self.queue.is_open and all(map(self._models.has_fetched, self._entries(job))):
            self.queue.advance()
        else:
            in_own_thread("prepare", self.prepare, job)

    def _seconds_left(self, job: Job) -> float | None:
        left = job.eta.left_s
        if left is None:
            whole = self._estimate(job).seconds
            left = None if whole is None else max(0.0, whole - (job.elapsed_s or 0.0))
        return left

    def _estimate(self, job: Job) -> Estimate:
        names = [entry.name for entry in self._entries(job)]
        return self._paces.estimate(job.settings, *names)

    def _progress_of(self, job: Job) -> Callable[..., None]:
        def on_progress(text: str, fraction: float | None = None) -> None:
            job.check_stop()
            self.on_progress(text, fraction)
            share = "" if fraction is None else f" {fraction:.0%}"
            job.phase, job.note = LOADING, text + share

        return on_progress

    def prepare(self, job: Job) -> None:
        """Download the job's models, so that it may have its turn."""
        missing = not all(map(self._models.has_fetched, self._entries(job)))
        try:
            self.open_queue()
            if missing and job.ticket is not None:
                job.phase, job.note = LOADING, "Loading the model."
                self._models.fetch(self._entries(job), self._progress_of(job))
        except BaseException as error:
            self._broke_off(job, error)
        finally:
            if missing:
                self._models.progress = None
            self.queue.advance()

    def _broke_off(self, job: Job, error: BaseException) -> None:
        """End the job with the error; exceptions that must not be caught are raised again."""
        if isinstance(error, Stopped):
            job.end(CANCELLED)
        else:
            told = isinstance(error, ModelError | SettingsError)
            job.end(ERROR, str(error) if told else sentence(error))
        job.free_device()
        job.finished.set()
        job.calls_ready.put(None)
        if not isinstance(error, (Exception, Stopped)):
            raise error

    def work(self, job: Job, decoders: "list[Decoder]") -> None:
        """Run the job on the device; its model's decoder is in `decoders` before the first call."""
        models, entries = self._models, self._entries(job)
        try:
            job.check_stop()
            models.fetch(entries, self._progress_of(job))  # again, in case loading has failed since
            models.make_resident(entries, self._progress_of(job))
            models.progress = None
            chosen = [model for entry in entries if (model := models.get(entry.name))]
            files = models.files(chosen[0].name)
            job.model_fingerprint = self._fingerprints.of(chosen[0], files)
            self._refuse_long(job)
            decoders.append(_preview_decoder(chosen[0], job.settings.preview_decoder))
            job.linear_colours = chosen[0].approximate.colours
            job.has_better_frames = decoders[0] is not chosen[0].approximate
            if job.settings.preview_decoder == "full":
                job.decode_live = vae_decoder(chosen[0], quick=False)
            self._denoise(job, *chosen)
            self._paces.learn(job.settings, chosen[0].name, job.eta.typical_s())
        except BaseException as error:
            self._broke_off(job, error)
        finally:
            models.progress = None
            job.free_device()
            job.finished.set()
            job.calls_ready.put(None)

    def _refuse_long(self, job: Job) -> None:
        """Raise Refused where a model's pace, known only now, makes a run far too long.

        A run whose time was known was refused before it waited, if at all.
        """
        most = replace(self._limits, run_s=round(LENIENCE * self._limits.run_s))
        refuse_long(job.settings, self._estimate(job), most)

    def _denoise(self, job: Job, *models: "Model") -> None:
        import torch

        from explorer.models.model import free_cached_memory
        from explorer.runtime.allocator import trim

        if self._models.threads is not None:
            torch.set_num_threads(self._models.threads)  # OpenMP keeps a number for each thread
        try:
            denoise(job, *models)
        finally:
            for model in models:
                model.after_run()
            if job.state == DONE:  # a finished pipeline call has freed its memory
                trim()
            else:
                free_cached_memory(torch.device(self._models.device))


def _preview_decoder(model: "Model", choice: str) -> "Decoder":
    from explorer.models.preview_decoder import preview_decoder

    return preview_decoder(model, choice)


def in_own_thread(name: str, work: Callable[..., None], *arguments: object) -> None:
    """Do work in a thread; it reports its errors before it raises them."""

    def target() -> None:
        with suppress(BaseException):
            work(*arguments)

    threading.Thread(target=target, name=name).start()
