"""One run on the device: its lanes through the stock pipeline, every call recorded and checked."""

import logging
import queue
import statistics
import threading
import time
from collections import deque
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.capture.trajectory import CANCELLED, DONE, ERROR, Call, Trajectory
from explorer.settings import LaneSettings, RunSettings, SettingsError

if TYPE_CHECKING:
    import torch

LOG = logging.getLogger(__name__)

QUEUED, LOADING, RUNNING = "queued", "loading", "running"


class Stopped(Exception):
    """The run was cancelled, or whoever followed it went away."""


class RunProblem(Exception):
    """What went wrong in a run; the message is a sentence for a human."""


class Job:
    """One run, shared by the thread that denoises and the one that follows it.

    The thread that denoises puts each checked call into `news` and sets `finished` at last; the
    other one may `stop` it, which takes effect after the model call under way. `phase` is
    "queued", "loading" or "running", with a `note` for a human; `state` and `message` are how it
    ended. Raises SettingsError for settings that no schedule can be made of.
    """

    def __init__(
        self,
        settings: RunSettings,
        cancel: threading.Event | None = None,
    ):
        self.settings = settings.resolved()
        self.groups = _groups(self.settings)
        self.phase, self.note = QUEUED, ""
        self.state, self.message = "", ""
        self.news: queue.SimpleQueue[dict[int, Call] | None] = queue.SimpleQueue()
        self.finished = threading.Event()
        self.seconds: list[float] = []  # of each call of all lanes that run together
        self._cancel, self._stop = cancel, threading.Event()
        self._calls: list[list[Call]] = [[] for _ in self.settings.lanes]
        self._finals: list[np.ndarray | None] = [None] * len(self.settings.lanes)
        self._images: list[np.ndarray | None] = [None] * len(self.settings.lanes)
        self._unchecked: deque[dict[int, Call]] = deque()  # lane to call, of lanes in lockstep
        self._mark = 0.0
        self._began: float | None = None
        self._ended: float | None = None

    # --- stopping --------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask the run to end; returns at once."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        cancelled = self._cancel is not None and self._cancel.is_set()
        # At the program's end Python waits for this run's thread: it must not take long.
        return self._stop.is_set() or cancelled or not threading.main_thread().is_alive()

    def check_stop(self) -> None:
        """Raise Stopped where the run should end."""
        if self.stopping:
            raise Stopped

    def end(self, state: str, message: str = "") -> None:
        self.state, self.message = state, message

    # --- denoising -------------------------------------------------------------------------------

    def denoise(self, pipe: Any) -> None:
        """Run the settings through `pipe`; whatever happens is told by `state` and `message`.

        All lanes start from the noise that `torch.Generator().manual_seed(seed)` draws first, and
        each goes on drawing from a copy of that generator: every lane is the picture that
        `pipe(prompt, generator=torch.Generator().manual_seed(seed))` makes with its scheduler.
        """
        try:
            self.check_stop()
            self.phase, self.note = RUNNING, ""
            self._began = time.monotonic()
            for lanes in self.groups.values():
                self._denoise_together(pipe, lanes)
            self._decode(pipe)
            self.end(DONE)
        except Stopped:
            self.end(CANCELLED)
        except Exception as error:
            self.end(ERROR, sentence(error))
        finally:
            self._ended = time.monotonic()

    def _denoise_together(self, pipe: Any, lanes: list[int]) -> None:
        from explorer.capture.recorder import recording
        from explorer.models.fast import fast
        from explorer.sampling.lockstep import LockstepScheduler

        run = self.settings
        noise, generators = self._noise(pipe, len(lanes))
        schedulers = [_scheduler(run.lanes[lane]) for lane in lanes]
        guided = run.cfg_scale > 1 and pipe.unet.config.time_cond_proj_dim is None
        own, together = pipe.scheduler, {}
        with ExitStack() as undo:
            undo.callback(self._settle)  # also of a run that breaks off: its calls so far count
            for lane, scheduler in zip(lanes, schedulers, strict=True):
                on_call = partial(self._on_call, together, lanes, lane)
                undo.enter_context(recording(scheduler, on_call))
            undo.callback(setattr, pipe, "scheduler", own)
            pipe.scheduler = LockstepScheduler(schedulers, generators, guided)
            undo.enter_context(fast(pipe.unet))
            self._mark = time.perf_counter()
            finals = pipe(
                prompt=[run.prompt] * len(lanes),
                negative_prompt=[run.negative_prompt] * len(lanes),
                num_inference_steps=run.steps,
                guidance_scale=run.cfg_scale,
                latents=noise,
                output_type="latent",
            ).images
        finals = finals.float().cpu().numpy()
        for lane, final in zip(lanes, finals, strict=True):
            if not np.isfinite(final).all():
                raise RunProblem(f"{self._name(lane)} ended with NaN or infinite numbers.")
            self._finals[lane] = final[None]

    def _noise(self, pipe: Any, lanes: int) -> tuple["torch.Tensor", list["torch.Generator"]]:
        import torch
        from diffusers.utils.torch_utils import randn_tensor

        generator = torch.Generator("cpu").manual_seed(self.settings.seed)
        side = pipe.unet.config.sample_size
        height, width = (side, side) if isinstance(side, int) else side
        noise = randn_tensor(
            (1, pipe.unet.config.in_channels, height, width),
            generator=generator,
            device=pipe.device,
            dtype=pipe.unet.dtype,
        )
        state = generator.get_state()
        generators = [torch.Generator("cpu").set_state(state) for _ in range(lanes)]
        return noise.repeat(lanes, 1, 1, 1), generators

    def _on_call(self, together: dict[int, Call], lanes: list[int], lane: int, call: Call) -> None:
        together[lane] = call
        if len(together) < len(lanes):
            return
        self._unchecked.append(dict(together))
        together.clear()
        # On a GPU the newest call is still on its way. Waiting for the one before it costs
        # nothing, and keeps the launching from running ahead of the device: a stop is a stop.
        self._settle(keep=1)
        now = time.perf_counter()
        self.seconds.append(now - self._mark)
        self._mark = now
        self.check_stop()

    def _settle(self, keep: int = 0) -> None:
        """Check the calls that have arrived, and wait for all but the newest `keep`."""
        while self._unchecked:
            calls = self._unchecked[0]
            if len(self._unchecked) <= keep and not all(call.arrived for call in calls.values()):
                break
            self._unchecked.popleft()
            for lane, call in calls.items():
                self._check(lane, call)
            for lane, call in calls.items():
                self._calls[lane].append(call)
            self.news.put(calls)

    def _check(self, lane: int, call: Call) -> None:
        if not call.finite:
            run = self.settings
            self._unchecked.clear()
            raise RunProblem(
                f"{self._name(lane)} gave NaN or infinite numbers in step {call.step + 1} of "
                f"{run.steps}, at sigma {call.sigma:.4g} (model call {call.index + 1} of "
                f"{run.nfe}). The calls before it are kept."
            )

    def _decode(self, pipe: Any) -> None:
        from explorer.capture.previews import VaeDecoder

        decode = VaeDecoder(pipe.vae)
        for lane, final in enumerate(self._finals):
            self.check_stop()
            try:
                self._images[lane] = decode(final)[0]
            except FloatingPointError as error:
                raise RunProblem(f"{self._name(lane)} has no picture: {error}") from None

    def _name(self, lane: int) -> str:
        """The lane as a person knows it; its letter only where there are several."""
        label = self.settings.lanes[lane].label
        return label if len(self.settings.lanes) == 1 else f"Lane {chr(65 + lane)}, {label},"

    # --- what came of it -------------------------------------------------------------------------

    @property
    def elapsed_s(self) -> float | None:
        """Seconds since the denoising began; None before."""
        if self._began is None:
            return None
        return (self._ended or time.monotonic()) - self._began

    @property
    def eta_s(self) -> float | None:
        """Seconds that the calls still to come will take; the first one's warm-up counts little."""
        if not self.seconds:
            return None
        return statistics.median(self.seconds) * max(0, sum(self.groups) - len(self.seconds))

    def trajectories(self) -> tuple[Trajectory, ...]:
        """What was recorded; lanes that ran together have made the same number of calls."""
        return tuple(
            Trajectory(
                settings=self.settings.to_dict(),
                lane=lane,
                label=settings.label,
                calls=tuple(self._calls[lane]),
                final=self._finals[lane],
                image=self._images[lane],
                state=self.state,
                error=self.message,
            )
            for lane, settings in enumerate(self.settings.lanes)
        )


def _groups(settings: RunSettings) -> dict[int, list[int]]:
    """The lanes by the number of their model calls: those of one number run in lockstep."""
    groups: dict[int, list[int]] = {}
    for lane, each in enumerate(settings.lanes):
        try:
            calls = each.schedule(settings.steps).nfe
        except ValueError as error:
            raise SettingsError("lanes", f"Lane {chr(65 + lane)}: {error}") from None
        groups.setdefault(calls, []).append(lane)
    return groups


def _scheduler(lane: LaneSettings) -> Any:
    from explorer.sampling import schedulers

    return getattr(schedulers, lane.solver.class_name)(**lane.scheduler_config())


def sentence(error: Exception) -> str:
    """What to tell a human; the traceback of what nobody expected goes to the log."""
    if isinstance(error, RunProblem):
        return str(error)
    if _is_out_of_memory(error):
        return (
            "The device ran out of memory: run one lane instead of two, or set the CFG scale to 1, "
            "which halves the batch."
        )
    LOG.error("the run broke off", exc_info=error)
    reason = next(iter(str(error).strip().splitlines()), "")[:200]
    detail = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    return f"The run broke off unexpectedly ({detail})."


def _is_out_of_memory(error: Exception) -> bool:
    text = str(error)
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "out of memory" in text
        or "can't allocate memory" in text
    )
