"""One run on the device: its lanes through the stock pipeline, every call recorded and checked."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.capture.trajectory import CANCELLED, DONE, ERROR, Call, Trajectory
from explorer.runs import inputs
from explorer.runs.device_queue import Ticket
from explorer.runs.problems import RunProblem, sentence
from explorer.runs.refusals import at_once, refuse
from explorer.runtime.interruptible import interruptible
from explorer.sampling import baselines
from explorer.sampling.wording import lane_letter
from explorer.settings import RunSettings
from explorer.settings.groups import Group, Pace, groups_of

if TYPE_CHECKING:
    import torch

    from explorer.models.previews import Decoder, VaeDecoder

__all__ = ["LOADING", "QUEUED", "RUNNING", "Job", "RunProblem", "Stopped", "sentence"]

QUEUED, LOADING, RUNNING = "queued", "loading", "running"


@dataclass(frozen=True)
class Standing:
    """How far a run is before its first call, with a sentence.

    While it waits in the queue: the runs before it, and the seconds until its turn where they can
    be estimated.
    """

    phase: str
    note: str = ""
    place: int | None = None
    wait_s: float | None = None


class Stopped(BaseException):
    """The run was cancelled, whoever followed it went away, or the program is ending.

    No error that code between may take for a fault of a model, a file or a network.
    """


class Job:
    """One run, shared by the thread that denoises and the one that follows it.

    The thread that denoises puts each checked call into `news` and sets `finished` at last; the
    other one may `stop` it, which takes effect after the model call under way. `phase` is
    "queued", "loading" or "running", with a `note` for a human; `state` and `message` are how it
    ended. Others may compute beside it where it `leaves_room`. Raises SettingsError for settings
    that no schedule can be made of.
    """

    def __init__(
        self,
        settings: RunSettings,
        cancel: threading.Event | None = None,
    ):
        self.settings = settings.resolved()
        self.step_ranges, self.groups = self.settings.step_ranges, groups_of(self.settings)
        self.pace = Pace(self.groups)
        self.model, self.noise_device = self.settings.model, ""
        self.phase, self.note = QUEUED, ""
        self.ticket: Ticket | None = None  # its place in the device's queue
        self.admitted = False  # whether it may have its turn
        self.loading_progress: Callable[[], str] = str
        self.at_once = 0  # elements of a batch that go through the networks together
        self.on_gpu = self.leaves_room = False
        self.decode_live: VaeDecoder | None = None  # for previews during the run, where asked for
        # What frames are made by that a stop leaves no time for, and whether the others are better.
        self.linear_colours: Decoder | None = None
        self.has_better_frames = True
        self.state, self.message = "", ""
        self.news: queue.SimpleQueue[dict[int, Call] | None] = queue.SimpleQueue()
        self.finished = threading.Event()
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

    # --- waiting ---------------------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether it has still to wait for its turn."""
        ended = self.finished.is_set() or self.state or self.stopping
        return not ended and self.ticket is not None and not self.ticket.turn.is_set()

    def leave_queue(self) -> None:
        """Give up the place in the queue; a run whose turn has come leaves it by itself."""
        if self.ticket is not None:
            self.ticket.give_up()

    @property
    def standing(self) -> Standing:
        """How far the run is before its first call."""
        ticket = self.ticket
        if self.phase != QUEUED or ticket is None or not self.admitted or ticket.turn.is_set():
            return Standing(self.phase, self.note)
        place = ticket.place
        if not place:  # the device is loading what this run waits for
            return Standing(LOADING, self.loading_progress() or "Loading the model.")
        others = "another run" if place == 1 else f"{place} other runs"
        return Standing(QUEUED, f"Waiting for {others} to finish.", place, ticket.wait_s)

    # --- denoising -------------------------------------------------------------------------------

    def denoise(self, model: Any, refiner: Any = None) -> None:
        """Run the settings on a `Model`; whatever happens is told by `state` and `message`.

        All lanes start from the same noise, that of picture i being what a generator with the seed
        plus i draws first, and each goes on drawing from copies of those generators: every lane is
        the batch that `pipe(prompt, generator=[...])` makes with its scheduler. A `refiner` takes
        over at the settings' step. Lanes of unequal length go one group after the other, and those
        that are finished stay so whatever comes after.
        """
        try:
            with interruptible(self.check_stop):
                self._denoise(model, refiner)
            self.end(DONE)
        except Stopped:
            self.end(CANCELLED, self._missing_pictures())
        except Exception as error:
            self.end(ERROR, sentence(error))
        finally:
            self._ended = time.monotonic()

    def _denoise(self, model: Any, refiner: Any) -> None:
        from explorer.runtime import threads

        self.check_stop()
        self.model, self.on_gpu = model.name, model.pipeline.device.type == "cuda"
        self.leaves_room = not (self.on_gpu or threads.take_every_core())
        refuse(self.settings, model, refiner)
        self.at_once = at_once(self.settings, model, refiner)
        self.noise_device = inputs.noise_device(self.settings, model.pipeline).type
        for each in filter(None, (model, refiner)):
            each.prepare_vae(*inputs.picture_size(self.settings, model.native))
        self.phase, self.note = RUNNING, ""
        self._began = time.monotonic()
        begin = inputs.beginning(model.pipeline, self.settings, model.native)
        for group in self.groups:
            self.check_stop()
            self._decode(group.lanes, self._denoise_together(model, refiner, group, begin))

    def _denoise_together(
        self, model: Any, refiner: Any, group: Group, begin: inputs.Beginning
    ) -> list[Callable[[], np.ndarray]]:
        """A group's calls; returns what gives each lane's pictures, which a GPU has begun with."""
        from explorer.sampling.lockstep import LockstepScheduler

        run, count = self.settings, len(group.lanes)
        lockstep = partial(
            LockstepScheduler,
            [self._scheduler(lane) for lane in group.lanes],
            [inputs.copies(begin.draws) for _ in group.lanes],
            images_per_lane=run.batch_size,
            custom_steps=[self._custom_steps(lane) for lane in group.lanes],
        )
        part = lockstep(
            first_call=group.first_call,
            end_call=group.refiner_call,
            already_scaled=begin.clean is not None,
        )
        if begin.clean is None:
            latents = begin.noise.repeat(count, 1, 1, 1)
        else:
            latents = inputs.noised(part, run.steps, begin.clean, begin.noise)
        try:
            latents = self._part(model, group, part, latents)
            if refiner:
                part = lockstep(first_call=group.refiner_call, already_scaled=True)
                latents = self._part(
                    refiner, group, part, latents, group.refiner_call - group.first_call
                )
            decode = vae_decoder(refiner or model)
            try:
                return [decode.begin(part) for part in latents.chunk(count)]
            finally:  # a GPU, which is at its last call yet, has its next work by now
                self._keep(group.lanes, latents)
        finally:
            self._settle()  # also where the run breaks off: its calls so far count

    def _keep(self, lanes: tuple[int, ...], latents: "torch.Tensor") -> None:
        finals = np.split(latents.float().cpu().numpy(), len(lanes))
        for lane, final in zip(lanes, finals, strict=True):
            self._finals[lane] = final if np.isfinite(final).all() else None

    def _scheduler(self, lane: int) -> Any:
        from explorer.sampling import schedulers

        run = self.settings
        solver, config = run.lanes[lane].solver, run.lanes[lane].scheduler_config()
        if solver.baseline:
            seeds = range(run.seed, run.seed + run.batch_size)
            return baselines.scheduler(solver, config, seeds, self.noise_device)
        return getattr(schedulers, solver.class_name)(**config)

    def _custom_steps(self, lane: int) -> dict[str, Any]:
        each = self.settings.lanes[lane]
        return baselines.custom_steps(each.solver, each.sigmas) if each.sigmas else {}

    def _part(
        self,
        model: Any,
        group: Group,
        lockstep: Any,
        latents: "torch.Tensor",
        calls_before: int = 0,
    ) -> "torch.Tensor":
        """One model's calls of a run, through its stock pipeline: latents in, latents out."""
        from explorer.capture.recorder import recording
        from explorer.runtime.fast import fast, fast_reading
        from explorer.runtime.splitting import splitting

        run, pipe, together = self.settings, model.pipeline, {}
        guided = run.cfg_scale > 1 and pipe.unet.config.time_cond_proj_dim is None
        lockstep.guidance = guided
        with fast_reading(pipe.text_encoder):
            options: dict[str, Any] = inputs.words(pipe, run, guided, len(latents))
        if model.is_refiner:  # its pipeline asks for a picture: the latents are one
            options |= {"image": latents, "strength": 1.0}
        else:
            size = inputs.picture_size(run, model.native)
            options |= dict(zip(("width", "height"), size, strict=True))
        with ExitStack() as undo:
            for lane, scheduler in zip(group.lanes, lockstep.lanes, strict=True):
                on_call = partial(self._on_call, together, group, lane)
                undo.enter_context(recording(scheduler, on_call, calls_before))
            undo.callback(setattr, pipe, "scheduler", pipe.scheduler)
            pipe.scheduler = lockstep
            # On a CPU a lane alone is the bare pipeline's run to the bit.
            once = guided and (self.on_gpu or len(group.lanes) > 1)
            undo.enter_context(fast(pipe.unet, once, self.check_stop))
            undo.enter_context(splitting(pipe.unet, self.at_once, guided))
            self._mark = time.perf_counter()
            return pipe(
                num_inference_steps=run.steps,
                guidance_scale=run.cfg_scale,
                guidance_rescale=run.cfg_rescale,
                latents=latents,
                output_type="latent",
                **options,
            ).images

    def _on_call(self, together: dict[int, Call], group: Group, lane: int, call: Call) -> None:
        together[lane] = call
        if len(together) < len(group.lanes):
            return
        self._unchecked.append(dict(together))
        together.clear()
        # On a GPU the newest call is still on its way. Waiting for the one before it costs
        # nothing, and keeps the launching from running ahead of the device: a stop is a stop.
        self._settle(keep=1)
        now = time.perf_counter()
        self.pace.add(group, now - self._mark)
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
            step_range = self.step_ranges[lane]
            self._unchecked.clear()
            raise RunProblem(
                f"{self._name(lane)} gave NaN or infinite numbers in step {call.step + 1} of "
                f"{step_range.steps}, at sigma {call.sigma:.4g} (model call {call.index + 1} of "
                f"{step_range.nfe}). The calls before it are kept."
            )

    def _decode(self, lanes: tuple[int, ...], pictures: list[Callable[[], np.ndarray]]) -> None:
        """The lanes' pictures; one that fails does not cost the others theirs."""
        problems = []
        for lane, decoded in zip(lanes, pictures, strict=True):
            self.check_stop()
            self.note = f"Decoding the picture of {self._name(lane).rstrip(',')}."
            if self._finals[lane] is None:
                problems.append(f"{self._name(lane)} ended with NaN or infinite numbers.")
                continue
            try:
                self._images[lane] = decoded()
            except FloatingPointError as error:
                problems.append(f"{self._name(lane)} has no picture: {error}")
        self.note = ""
        if problems:
            raise RunProblem(" ".join(problems))

    def _missing_pictures(self) -> str:
        """Which lanes have made all their calls but were not decoded when the run was stopped."""
        lanes = range(len(self.step_ranges))
        missing = [
            self._name(lane).rstrip(",")
            for lane in lanes
            if self._images[lane] is None and len(self._calls[lane]) == self.step_ranges[lane].nfe
        ]
        if not missing:
            return ""
        return f"Stopped before the last picture was decoded of: {'; '.join(missing)}."

    def _name(self, lane: int) -> str:
        """The lane as a person knows it; its letter only where there are several."""
        label = self.settings.lanes[lane].label
        return label if len(self.settings.lanes) == 1 else f"Lane {lane_letter(lane)}, {label},"

    # --- what came of it -------------------------------------------------------------------------

    @property
    def elapsed_s(self) -> float | None:
        """Seconds since the denoising began; None before."""
        if self._began is None:
            return None
        return (self._ended or time.monotonic()) - self._began

    def trajectories(self) -> tuple[Trajectory, ...]:
        """What was recorded; lanes that ran together have made the same number of calls."""
        return tuple(
            Trajectory(
                settings=self.settings.to_dict(),
                lane=lane,
                label=settings.label,
                calls=tuple(self._calls[lane]),
                final=self._finals[lane],
                images=self._images[lane],
                state=self.state if self._images[lane] is None else DONE,
                error=self.message if self._images[lane] is None else "",
                model=self.model,
                device=self.noise_device,
            )
            for lane, settings in enumerate(self.settings.lanes)
        )


def vae_decoder(model: Any, quick: bool = True) -> "VaeDecoder":
    """The decoder of a model's finished pictures; the `quick` one is for one thread at a time."""
    from explorer.models.previews import VaeDecoder
    from explorer.runtime.fast import quick_vae

    vae = model.pipeline.vae
    return VaeDecoder.of(model.pipeline, quick_vae(vae) if quick else None)
