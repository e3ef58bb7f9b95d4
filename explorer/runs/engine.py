"""The engine: loads models, and runs settings one at a time on its device."""

import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.capture.trajectory import ERROR, Trajectory
from explorer.models.catalog import BUNDLED_FOLDER as BUNDLED
from explorer.models.catalog import Catalog, Entry
from explorer.models.hub import Hub
from explorer.models.resident import Residents
from explorer.records.run import RecordedRun
from explorer.runs.dispatch import Dispatcher
from explorer.runs.event_builder import EventBuilder
from explorer.runs.event_stream import event_stream, event_stream_async
from explorer.runs.events import Event
from explorer.runs.full_frames import full_frames
from explorer.runs.kept_paces import KeptPaces
from explorer.runs.loads import Loads
from explorer.runs.model_facts import ModelFacts, check_settings
from explorer.runs.paces import Estimate, Paces
from explorer.runs.problems import sentence
from explorer.runs.refusals import memory_use
from explorer.runs.rehearsal import rehearse
from explorer.sampling.baselines import import_all
from explorer.settings import RunSettings
from explorer.settings.limits import LIMITS, Limits

if TYPE_CHECKING:
    import torch
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import (
        StableDiffusionPipeline,
    )

    from explorer.capture.full_frames import FullFrame
    from explorer.models.model import Model


class RunError(RuntimeError):
    """A run that failed; the message is a sentence, `trajectories` the recording up to then."""

    def __init__(self, message: str, trajectories: tuple[Trajectory, ...] = ()):
        super().__init__(message)
        self.trajectories = trajectories


class Engine:
    """Runs settings on the models of its catalogue. Nothing is loaded before `load()` or a run.

    One model is resident, together with the refiner that runs use. `model` is a path, a hub id or
    "bundled", and the first of the catalogue; `models`, `allow` and `anything` are the catalogue's,
    `offload` is "none", "model" or "sequential". The engines of a process share each device: one
    run denoises at a time, others wait in their order of arrival, within `limits`. With `paces`
    models are measured as they are loaded, and what was measured is kept there; without, there are
    no estimates. `facts` has what the models' files say. Raises ModelError for invalid ids.
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
        limits: Limits = LIMITS,
        paces: KeptPaces | None = None,
    ):
        self.catalog = Catalog((model, *models), allow, anything, known=bool(limits.hub_models))
        hub = hub or Hub()
        self._paces = Paces(paces)
        self._measures = paces is not None
        self._models = Residents(
            device, dtype, offload, hub, check_settings, self._rehearse, self._measure
        )
        self.facts = ModelFacts(self.catalog, self._models, hub)
        self._limits = limits
        self._dispatcher = Dispatcher(self.catalog, self._models, device, limits, self._paces)
        self._loads = Loads(self._models, self._dispatcher, self.entries[0])

    # --- the models ------------------------------------------------------------------------------

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The models of the menu, the first one first."""
        return self.catalog.entries

    @property
    def state(self) -> str:
        """ "loading" until a model is loaded, "ready", or "absent: " and a sentence."""
        return self._models.state

    @property
    def progress(self) -> tuple[str, float | None]:
        """The progress of loading: a sentence, and the fraction done or None."""
        return self._models.progress or ("", None)

    @property
    def resident(self) -> str:
        """The name of the model in memory; "" if there is none."""
        return self._models.name

    @property
    def device(self) -> str:
        """The device's name; the best available one unless one was named."""
        return self._models.device

    @property
    def dtype(self) -> str:
        """The resident model's dtype, such as "float16"; "" if there is none."""
        model = self._models.get(self.resident)
        return str(model.pipeline.unet.dtype).removeprefix("torch.") if model else ""

    @property
    def trouble(self) -> str:
        """Why this engine takes no run, for everybody to read; "" for one that does."""
        if self._dispatcher.closing:
            return "ending"
        return "the first model cannot be loaded" if self._loads.first_is_absent else ""

    @property
    def threads(self) -> int | None:
        """The number of CPU threads, measured when a model was loaded; None on a GPU."""
        return self._models.threads

    @property
    def residents(self) -> Residents:
        """The models in memory, and the files of those that were."""
        return self._models

    @property
    def paces(self) -> Paces:
        """How long runs take."""
        return self._paces

    @property
    def pipeline(self) -> "StableDiffusionPipeline":
        """The resident model's stock diffusers pipeline; loads the first model if none is."""
        return self.model(self.resident).pipeline

    def model(self, name: str = "") -> "Model":
        """The model of that name, "" the first, made resident. Raises ModelError."""
        entry = self.catalog.find(name)
        while True:
            self.load(name)
            if model := self._models.get(entry.name):
                return model

    def load(self, name: str = "", wanted: Callable[[], bool] = lambda: True) -> None:
        """Make a model resident, once for all callers; the previous one is freed.

        Waits for a run to end. When it is no longer `wanted`, the load leaves the queue or ends
        with the part being loaded. Raises ModelError; then the previous model is resident again,
        and loading may be retried.
        """
        self._loads.load(self.catalog.find(name), wanted)

    def fetch(self, names: Iterable[str], wanted: Callable[[], bool] = lambda: True) -> None:
        """Have the files of models on this machine, without loading any; raises ModelError."""
        self._loads.fetch([self.catalog.find(name) for name in names], wanted)

    def _rehearse(self, model: "Model", on_progress: Callable[..., None]) -> None:
        rehearse(model, on_progress, self._dispatcher.stop_at_close)

    def _measure(self, model: "Model") -> None:
        from explorer.runs.pace_measuring import device_name, measure

        device = device_name(model, self.threads)
        known = not self._measures or self._paces.knows(model.name, device)
        self._paces.loaded(model.name, device, None if known else measure(model))
        threading.Thread(target=import_all, name="baselines", daemon=True).start()

    def close(self, timeout: float) -> bool:
        """End every run by its next call, and loading by its next part; no others begin.

        Returns whether the device was free within `timeout` seconds.
        """
        return self._dispatcher.close(timeout)

    def memory_use(self, settings: RunSettings) -> str:
        """The memory that the networks need for a run, in words; "" if no model is loaded.

        Raises TooLarge, with the numbers, for a run that does not fit.
        """
        model = self._models.get(self.catalog.find(settings.model).name)
        if model is None or not model.memory_is_known:
            return ""
        return memory_use(settings, model)

    def estimate(self, settings: RunSettings) -> Estimate:
        """How long a run would take on the idle device, from what was measured of its model."""
        return self._paces.estimate_from(settings, self.catalog)

    # --- running ---------------------------------------------------------------------------------

    def run(self, settings: RunSettings, cancel: threading.Event | None = None) -> RecordedRun:
        """Run in this thread and return the recorded run, also a cancelled one.

        It is a sequence of its lanes' trajectories, and can be saved. Raises SettingsError, or
        RunError with the recording up to the failure.
        """
        job = self._dispatcher.job(settings, cancel)
        self._dispatcher.run_here(job)
        if job.state == ERROR:
            raise RunError(job.message, job.trajectories())
        return RecordedRun.of(
            job.trajectories(),
            state=job.state,
            message=job.message,
            model_fingerprint=job.model_fingerprint(),
        )

    def stream(
        self,
        settings: RunSettings,
        cancel: threading.Event | None = None,
        *,
        visitor: str = "",
    ) -> Generator[Event, None, None]:
        """Run in a separate thread and yield events, at most one every 80 ms.

        Raises SettingsError at once. The first event comes before any work. Setting `cancel` ends
        the run with a "cancelled" event, closing the generator ends it without one; both take
        effect after the current model call, and the device is free as soon as that call is done. If
        all pictures are made by then, the event is "done". Frames that would take long are then
        made with linear colours, as the event says. A named `visitor` may have as many runs as the
        limits allow; one too many ends with an "error" event and a sentence.
        """
        dispatcher = self._dispatcher
        return event_stream(*dispatcher.followed(dispatcher.job(settings, cancel), visitor))

    def astream(
        self,
        settings: RunSettings,
        cancel: threading.Event | None = None,
        *,
        visitor: str = "",
        listening: Callable[[], bool] = lambda: True,
        came: float | None = None,
    ) -> AsyncGenerator[Event, None]:
        """`stream` for an event loop: a run in the queue uses no thread.

        Its place in the queue is that of an arrival at `came` (of `time.monotonic()`), or the last
        one. A run to whose events nobody is `listening` is not started, and after a while gives up.
        """
        dispatcher, patience_s = self._dispatcher, self._limits.no_listener_s
        job = dispatcher.job(settings, cancel)
        _, enter, start, decode = dispatcher.followed(job, visitor, came)
        builder = EventBuilder(job, decode)
        return event_stream_async(builder, enter, start, listening, patience_s)

    def full_frames(
        self,
        trajectories: Sequence[Trajectory],
        cursor: Sequence[int] = (),
        view: str = "denoised",
        cancel: threading.Event | None = None,
    ) -> "Iterator[FullFrame]":
        """A recorded run's frames in full size by the VAE, the nearest to the `cursor` first.

        `cursor` is a call of each lane, `view` the one on screen, "denoised" or "noisy". All runs
        and loads go first. Ends early if `cancel` is set, another model has been loaded, or the
        run's `preview_decoder` excludes full size. Raises RunError.
        """

        def stopped() -> bool:
            return self._dispatcher.closing or (cancel is not None and cancel.is_set())

        try:
            yield from full_frames(self._models, trajectories, cursor, view, stopped)
        except Exception as error:
            raise RunError(sentence(error)) from None


@cache
def default_engine() -> Engine:
    """The engine of `run` and `stream`: the bundled model on the best device."""
    return Engine()


def run(settings: RunSettings, cancel: threading.Event | None = None) -> RecordedRun:
    """`Engine.run` on the bundled model."""
    return default_engine().run(settings, cancel)


def stream(
    settings: RunSettings, cancel: threading.Event | None = None
) -> Generator[Event, None, None]:
    """`Engine.stream` on the bundled model."""
    return default_engine().stream(settings, cancel)
