"""Denoising: a run's lanes in the stock pipeline, with every call recorded and checked."""

import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.capture.trajectory import CANCELLED, DONE, ERROR, Call
from explorer.runs import inputs
from explorer.runs.job import Job, Stopped
from explorer.runs.lane_schedulers import custom_steps, lane_scheduler
from explorer.runs.problems import RunProblem, sentence
from explorer.runs.refusals import at_once, refuse
from explorer.runtime.interruptible import interruptible
from explorer.settings.groups import Group

if TYPE_CHECKING:
    import torch

    from explorer.models.model import Model
    from explorer.models.previews import VaeDecoder
    from explorer.sampling.lockstep import LockstepScheduler


def denoise(job: Job, model: "Model", refiner: "Model | None" = None) -> None:
    """Run a job's settings on a model; the outcome is in the job's `state` and `message`.

    All lanes start from the same noise: for picture i the first noise drawn by a generator with the
    seed plus i. Each lane then draws from copies of those generators, so that it equals the batch
    that `pipe(prompt, generator=[...])` makes with its scheduler. A `refiner` takes over at the
    settings' step. Lanes of unequal length run in groups, one after the other; finished lanes are
    kept whatever happens to the next group.
    """
    try:
        with interruptible(job.check_stop):
            _Denoising(job, model, refiner).run()
        job.end(DONE)
    except Stopped:
        job.end(CANCELLED, _missing_pictures(job))
    except Exception as error:
        job.end(ERROR, sentence(error))
    finally:
        job.stop_counting()


def vae_decoder(model: "Model", quick: bool = True) -> "VaeDecoder":
    """The decoder of a model's finished pictures; the `quick` one is for one thread at a time."""
    from explorer.models.previews import VaeDecoder
    from explorer.runtime.fast import fast_vae

    vae = model.pipeline.vae
    return VaeDecoder.of(model.pipeline, fast_vae(vae) if quick else None)


class _Denoising:
    """One job's passes through its models, group after group."""

    def __init__(self, job: Job, model: "Model", refiner: "Model | None"):
        self.job, self.model, self.refiner = job, model, refiner
        self._unchecked: deque[dict[int, Call]] = deque()  # lane to call, of lanes in lockstep
        self._last_call_at = 0.0

    def run(self) -> None:
        from explorer.runtime import threads

        job, model, refiner = self.job, self.model, self.refiner
        job.check_stop()
        job.model, job.on_gpu = model.name, model.pipeline.device.type == "cuda"
        job.has_spare_core = not job.on_gpu and threads.has_spare_core()
        refuse(job.settings, model, refiner)
        job.at_once = at_once(job.settings, model, refiner)
        job.noise_device = inputs.noise_device(job.settings, model.pipeline).type
        for each in filter(None, (model, refiner)):
            each.prepare_vae(inputs.is_tiled(inputs.picture_size(job.settings, model.native)))
        job.begin()
        start = inputs.initial_state(model.pipeline, job.settings, model.native)
        for group in job.groups:
            job.check_stop()
            self._decode(group.lanes, self._denoise_together(group, start))

    def _denoise_together(
        self, group: Group, start: inputs.InitialState
    ) -> list[Callable[[], np.ndarray]]:
        """Make a group's calls; returns a function for each lane's pictures, begun already on a
        GPU.
        """
        from explorer.sampling.lockstep import LockstepScheduler

        run, count = self.job.settings, len(group.lanes)
        lockstep = partial(
            LockstepScheduler,
            [lane_scheduler(run, lane, self.job.noise_device) for lane in group.lanes],
            [inputs.clone_generators(start.generators) for _ in group.lanes],
            images_per_lane=run.batch_size,
            custom_steps=[custom_steps(run, lane) for lane in group.lanes],
        )
        part = lockstep(
            first_call=group.first_call,
            end_call=group.refiner_call,
            already_scaled=start.picture is not None,
        )
        if start.picture is None:
            latents = start.noise.repeat(count, 1, 1, 1)
        else:
            latents = inputs.add_initial_noise(part, run.steps, start.picture, start.noise)
        try:
            latents = self._part(self.model, group, part, latents)
            if self.refiner and group.refiner_call is not None:
                part = lockstep(first_call=group.refiner_call, already_scaled=True)
                before = group.refiner_call - group.first_call
                latents = self._part(self.refiner, group, part, latents, before)
            decode = vae_decoder(self.refiner or self.model)
            try:
                return [decode.begin(part) for part in latents.chunk(count)]
            finally:  # a GPU, still busy with its last call, has its next work queued by now
                self._keep(group.lanes, latents)
        finally:
            self._settle()  # also if the run breaks off: its calls so far count

    def _keep(self, lanes: tuple[int, ...], latents: "torch.Tensor") -> None:
        finals = np.split(latents.float().cpu().numpy(), len(lanes))
        for lane, final in zip(lanes, finals, strict=True):
            self.job.finals[lane] = final if np.isfinite(final).all() else None

    def _part(
        self,
        model: "Model",
        group: Group,
        lockstep: "LockstepScheduler",
        latents: "torch.Tensor",
        calls_before: int = 0,
    ) -> "torch.Tensor":
        """One model's calls of a run, through its stock pipeline: latents in, latents out."""
        from explorer.capture.recorder import recording
        from explorer.runtime.fast import fast, fast_text_encoder
        from explorer.runtime.splitting import splitting

        job, pipe, together = self.job, model.pipeline, {}
        run = job.settings
        guided = run.cfg_scale > 1 and pipe.unet.config.time_cond_proj_dim is None
        lockstep.guidance = guided
        with fast_text_encoder(pipe.text_encoder):
            options: dict[str, Any] = inputs.encode_prompt(pipe, run, guided, len(latents))
        if model.is_refiner:  # its pipeline expects an image: latents are accepted as one
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
            # On a CPU a single lane equals the bare pipeline's run to the bit.
            once = guided and (job.on_gpu or len(group.lanes) > 1)
            undo.enter_context(fast(pipe.unet, once, job.check_stop))
            undo.enter_context(splitting(pipe.unet, job.at_once, guided))
            self._last_call_at = time.perf_counter()
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
        self.job.eta.add(group, now - self._last_call_at)
        self._last_call_at = now
        self.job.check_stop()

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
                self.job.calls[lane].append(call)
            self.job.calls_ready.put(calls)

    def _check(self, lane: int, call: Call) -> None:
        if not call.finite:
            step_range = self.job.step_ranges[lane]
            self._unchecked.clear()
            raise RunProblem(
                f"{_subject(self.job, lane)} gave NaN or infinite numbers in step "
                f"{call.step + 1} of {step_range.steps}, at sigma {call.sigma:.4g} (model call "
                f"{call.index + 1} of {step_range.nfe}). The calls before it are kept."
            )

    def _decode(self, lanes: tuple[int, ...], pictures: list[Callable[[], np.ndarray]]) -> None:
        """The lanes' pictures; a failure of one does not affect the others."""
        problems = []
        for lane, decoded in zip(lanes, pictures, strict=True):
            self.job.check_stop()
            self.job.note = f"Decoding the picture of {self.job.lane_name(lane)}."
            if self.job.finals[lane] is None:
                problems.append(f"{_subject(self.job, lane)} ended with NaN or infinite numbers.")
                continue
            try:
                self.job.images[lane] = decoded()
            except FloatingPointError as error:
                problems.append(f"{_subject(self.job, lane)} has no picture: {error}")
        self.job.note = ""
        if problems:
            raise RunProblem(" ".join(problems))


def _missing_pictures(job: Job) -> str:
    """Which lanes have made all their calls but were not decoded when the run was stopped."""
    missing = [
        job.lane_name(lane)
        for lane, step_range in enumerate(job.step_ranges)
        if job.images[lane] is None and len(job.calls[lane]) == step_range.nfe
    ]
    if not missing:
        return ""
    return f"Stopped before the last picture was decoded of: {'; '.join(missing)}."


def _subject(job: Job, lane: int) -> str:
    """The lane's name for the beginning of a sentence."""
    name = job.lane_name(lane)
    return f"{name}," if len(job.settings.lanes) > 1 else name
