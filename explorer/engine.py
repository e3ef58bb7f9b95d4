"""The engine: loads the model, runs settings one at a time on its device, tells what happens."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.capture.frames import LaneFrames
from explorer.capture.trajectory import CANCELLED, DONE, ERROR, Trajectory
from explorer.events import Event, follow
from explorer.job import LOADING, QUEUED, Job, Stopped, sentence
from explorer.sampling.samplers import DPM2, DPM2_A
from explorer.settings import LaneSettings, RunSettings

if TYPE_CHECKING:
    import torch
    from diffusers import StableDiffusionPipeline

__all__ = ["BUNDLED", "Engine", "Event", "LaneFrames", "RunError", "run", "stream"]

BUNDLED = Path(__file__).resolve().parents[1] / "assets" / "scenes"

POLL_S = 0.02

_DEVICE_LOCKS: dict[str, threading.Lock] = {}


class RunError(RuntimeError):
    """A run that failed; the message is a sentence, `trajectories` what was recorded before."""

    def __init__(self, message: str, trajectories: tuple[Trajectory, ...] = ()):
        super().__init__(message)
        self.trajectories = trajectories


class Engine:
    """Runs settings on one model. Nothing is loaded before `load()` or the first run.

    Engines of one process share each device: one run denoises on it at a time, others wait.
    """

    def __init__(
        self,
        model: str | Path = BUNDLED,
        device: str | None = None,
        dtype: "torch.dtype | None" = None,
    ):
        self.model = Path(model)
        self.threads: int | None = None
        self._device, self._dtype = device, dtype
        self._loading = threading.Lock()
        self._pipeline: StableDiffusionPipeline | None = None
        self._decode = None
        self._tokenizer = None
        self._problem = ""

    # --- the model -------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """ "loading" until the model is there, "ready", or "absent: " and a sentence."""
        if self._problem:
            return f"absent: {self._problem}"
        return "loading" if self._pipeline is None else "ready"

    @property
    def device(self) -> str:
        """The device's name; the best there is unless one was asked for."""
        if self._device is None:
            from explorer.models.catalog import best_device

            self._device = best_device()
        return self._device

    @property
    def pipeline(self) -> "StableDiffusionPipeline":
        """The stock diffusers pipeline; loads it where needed."""
        self.load()
        return self._pipeline

    def load(self) -> None:
        """Load the model, once, whoever asks first; raises ModelError, and may be tried again."""
        with self._loading:
            if self._pipeline is not None:
                return
            from explorer.capture.previews import decoder_for
            from explorer.models.catalog import ModelError, choose_threads, load_pipeline
            from explorer.models.fast import warm_up

            self._problem = ""
            try:
                pipeline = load_pipeline(self.model, self.device, self._dtype)
                if self.device.startswith("cpu"):
                    with device_lock(self.device):  # a run beside it would spoil the measurement
                        self.threads = choose_threads(pipeline)
                        tokens = pipeline.tokenizer.model_max_length
                        warm_up(pipeline.unet, 2 * len(self.lane_defaults()), tokens)
                self._decode = decoder_for(pipeline, self.model)
                # One of its own: used by two threads, a tokenizer mixes up their options.
                tokenizer = type(pipeline.tokenizer)
                self._tokenizer = tokenizer.from_pretrained(self.model / "tokenizer")
                self._pipeline = pipeline
            except Exception as error:
                self._problem = str(error) if isinstance(error, ModelError) else sentence(error)
                raise

    def lane_defaults(self) -> tuple[LaneSettings, ...]:
        """DPM2 and DPM2 a with the model's own scheduler arguments, read without torch."""
        try:
            config = json.loads((self.model / "scheduler" / "scheduler_config.json").read_text())
            return tuple(LaneSettings.from_config(each.key, config) for each in (DPM2, DPM2_A))
        except (OSError, ValueError, AttributeError):  # no model, or one that is not for us
            return tuple(LaneSettings(sampler=each.key) for each in (DPM2, DPM2_A))

    def defaults(self) -> RunSettings:
        """The settings to begin with: the model's lanes, and what its `defaults.json` suggests."""
        try:
            suggested = json.loads((self.model / "defaults.json").read_text(encoding="utf-8"))
            return RunSettings(lanes=self.lane_defaults(), **suggested)
        except (OSError, ValueError, TypeError):  # a model without suggestions
            return RunSettings(lanes=self.lane_defaults())

    def known_words(self) -> frozenset[str] | None:
        """The words the model was trained on, lower case; None for a model that does not say."""
        try:
            return frozenset(json.loads((self.model / "words.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def unknown_words(self, prompt: str) -> list[str]:
        """The prompt's words that the model does not know, each once, in their order."""
        known = self.known_words()
        if known is None:
            return []
        words = re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)*", prompt.lower())
        return [word for word in dict.fromkeys(words) if word not in known]

    def unread(self, prompt: str) -> str:
        """The end of the prompt that the model has no room for; "" while the model is not there."""
        tokenizer = self._tokenizer
        if tokenizer is None:
            return ""
        tokens = tokenizer(prompt, add_special_tokens=False, verbose=False).input_ids
        room = tokenizer.model_max_length - 2  # for its start and its end
        return tokenizer.decode(tokens[room:])

    # --- running ---------------------------------------------------------------------------------

    def run(self, settings: RunSettings, cancel: threading.Event | None = None) -> list[Trajectory]:
        """Run in this thread and return what was recorded, also of a run that was cancelled.

        Raises SettingsError, or RunError with what was recorded before it failed.
        """
        job = Job(settings, cancel)
        self._work(job)
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
        job = Job(settings, cancel)

        def start() -> None:
            threading.Thread(target=self._work, args=(job,), name="denoise").start()

        return follow(job, start, lambda latents: self._decode(latents))

    def _work(self, job: Job) -> None:
        try:
            if self._pipeline is None:
                job.phase, job.note = LOADING, "Loading the model."
                self.load()
            with self._turn(job):
                self._denoise(job)
        except Stopped:
            job.end(CANCELLED)
        except Exception as error:
            job.end(ERROR, self._problem or sentence(error))
        finally:
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

    def _denoise(self, job: Job) -> None:
        import torch

        if self.threads is not None:
            torch.set_num_threads(self.threads)  # OpenMP keeps a number for each thread
        try:
            job.denoise(self._pipeline)
        finally:
            if job.state != DONE:  # a finished pipeline call has cleaned up after itself
                self._pipeline.maybe_free_model_hooks()
                if torch.device(self.device).type == "cuda":
                    torch.cuda.empty_cache()


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
