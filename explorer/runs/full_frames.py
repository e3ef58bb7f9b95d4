"""Full-size frames of a recorded run, made while no run needs the device."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from explorer.capture.trajectory import Trajectory
from explorer.models.resident import Residents
from explorer.runs.device_queue import DeviceQueue, device_queue

if TYPE_CHECKING:
    from explorer.capture.full_frames import FullFrame
    from explorer.models.model import Model

POLL_S = 0.05
FULL_AFTERWARDS = ("auto", "full")  # preview decoders after which frames are made in full size


def full_frames(
    models: Residents,
    trajectories: Sequence[Trajectory],
    cursor: Sequence[int],
    view: str,
    stopped: Callable[[], bool],
) -> Iterator["FullFrame"]:
    """Yield a run's frames, as `Engine.full_frames` does, by its model if that is in memory."""
    lanes = [each for each in trajectories if each.settings]
    if not lanes or lanes[0].settings.get("preview_decoder") not in FULL_AFTERWARDS:
        return
    model_of = partial(models.get, lanes[0].settings.get("refiner") or lanes[0].model)
    if model_of() is None:
        return
    if models.threads is not None:
        import torch

        torch.set_num_threads(models.threads)
    queue = device_queue(models.device)
    yield from _made_between_runs(queue, model_of, trajectories, cursor, view, stopped)


def _made_between_runs(
    queue: DeviceQueue,
    model_of: "Callable[[], Model | None]",
    trajectories: Sequence[Trajectory],
    cursor: Sequence[int],
    view: str,
    stopped: Callable[[], bool],
) -> Iterator["FullFrame"]:
    """Yield frames until all are made, `stopped()`, or `model_of()` is None (another is resident).

    The device is taken for a few pictures at a time, and only while no run waits for it.
    """
    import torch

    from explorer.capture.full_frames import FrameMaker, batches, outwards
    from explorer.runs.denoising import vae_decoder
    from explorer.runs.inputs import is_tiled
    from explorer.runtime.allocator import trim

    keys, model = outwards([each.nfe for each in trajectories], cursor, view), model_of()
    if not keys or model is None:
        return
    images, _, height, width = trajectories[keys[0][0]].calls[0].packed()[0].values.shape
    scale, on_gpu = model.pipeline.vae_scale_factor, model.device.type == "cuda"
    size, offloaded = (width * scale, height * scale), model.offload != "none"
    del model  # loading another model needs its memory
    with FrameMaker(trajectories) as maker:
        try:
            for batch in batches(keys, images * size[0] * size[1], on_gpu):
                ticket = queue.join(is_run=False, last=True, seconds_left=lambda: 0.0)
                try:
                    while not ticket.wait(POLL_S):
                        if stopped():
                            return
                    model = model_of()
                    if stopped() or model is None:
                        return
                    model.prepare_vae(is_tiled(size))
                    with torch.no_grad():
                        maker.decode(vae_decoder(model), batch)
                finally:
                    model = None
                    ticket.leave()
                yield from maker.finished()
            yield from maker.finished(wait=True)
        finally:
            trim()
            if offloaded:
                with queue.hold(is_run=False):
                    if model := model_of():
                        model.after_run()
