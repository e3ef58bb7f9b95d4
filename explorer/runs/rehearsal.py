"""Work that a first run on a GPU would wait for, done while its model is loaded.

First all kernels are compiled, several at a time; then a short run of the native size captures the
graphs of text encoder, U-Net and VAE, and lets libraries choose and load their kernels.
"""

import importlib.util
import logging
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from explorer.capture.trajectory import DONE
from explorer.runs.denoising import denoise, vae_decoder
from explorer.runs.job import Job
from explorer.settings import RunSettings

if TYPE_CHECKING:
    from explorer.models.model import Model
    from explorer.models.resolved import OnProgress

LOG = logging.getLogger(__name__)

STEPS = 2  # DPM2's second call of a step comes with the first of two
COMPILING, CAPTURING = "Compiling kernels for {}.", "Capturing graphs for {}."


def rehearse(model: "Model", on_progress: "OnProgress", start: Callable[[Job], object]) -> None:
    """Prepare a model on a GPU for its first run; the caller holds the device.

    `start` gets the job before it runs, so that it can be stopped. Errors are logged, and left to
    the first run to report.
    """
    compile_kernels(model, on_progress)
    if model.is_refiner:  # it runs after a base, with that model's size and lanes
        return
    on_progress(CAPTURING.format(model.entry.label), None)
    settings = RunSettings(model=model.name, prompt="a", steps=STEPS)
    job = Job(settings)
    start(job)
    denoise(job, model)
    if job.state != DONE:
        LOG.warning("the first run will have to wait: %s", job.message or job.state)
        return
    model.decode(job.trajectories()[0].calls[0].denoised)


def compile_kernels(model: "Model", on_progress: "OnProgress") -> None:
    """Compile all kernels that runs of any size and number of lanes need.

    Each network is called once, on a copy that shares the weights, without launching our kernels:
    those for other sizes are compiled too. Does nothing if Triton is not installed.
    """
    if importlib.util.find_spec("triton") is None:
        return
    import torch

    from explorer.runtime.kernels.compilation import compiling, keep_on_disk

    keep_on_disk()
    message = COMPILING.format(model.entry.label)
    on_progress(message, None)
    try:
        with torch.no_grad(), compiling(lambda done, total: on_progress(message, done / total)):
            _walk_unet(model)
            _walk_vae(model)
    except (RuntimeError, TypeError, ValueError):  # running out of memory is one of them
        LOG.warning("kernels could not be compiled ahead", exc_info=True)
        torch.cuda.empty_cache()


def unet_inputs(model: "Model", batch: int, sides: tuple[int, int] | None = None) -> dict[str, Any]:
    """The inputs of the model's U-Net for a `batch` of latents of zeros.

    `sides` are their height and width, None those of the native size.
    """
    import torch

    unet, pipeline = model.pipeline.unet, model.pipeline
    config, place = unet.config, {"device": unet.device, "dtype": unet.dtype}
    tokens = model.tokenizer.model_max_length
    channels, *native = _latents(model)
    inputs: dict[str, Any] = {
        "sample": torch.zeros(batch, channels, *(sides or native), **place),
        "timestep": torch.zeros(batch, device=unet.device),
        "encoder_hidden_states": torch.zeros(batch, tokens, config.cross_attention_dim, **place),
    }
    if config.addition_embed_type == "text_time":
        pooled = pipeline.text_encoder_2.config.projection_dim
        times = config.projection_class_embeddings_input_dim - pooled
        inputs["added_cond_kwargs"] = {
            "text_embeds": torch.zeros(batch, pooled, **place),
            "time_ids": torch.zeros(batch, times // config.addition_time_embed_dim, **place),
        }
    return inputs


def _latents(model: "Model") -> tuple[int, int, int]:
    width, height = (side // model.pipeline.vae_scale_factor for side in model.native)
    return model.pipeline.unet.config.in_channels, height, width


def _walk_unet(model: "Model") -> None:
    from explorer.runtime.graphs import fused_copy
    from explorer.runtime.guided import dedup_cfg

    unet, batch = fused_copy(model.pipeline.unet), 2 * len(RunSettings().lanes)
    guided = dedup_cfg(unet)
    guided(**unet_inputs(model, batch), return_dict=False)
    unet(**unet_inputs(model, batch), return_dict=False)  # without CFG


def _walk_vae(model: "Model") -> None:
    """One picture, as pictures are decoded one by one."""
    import torch

    from explorer.models.previews import in_float32
    from explorer.runtime.graphs import fused_copy

    vae: Any = fused_copy(model.pipeline.vae)
    upcast = vae_decoder(model, quick=False).upcast
    with in_float32(vae) if upcast else nullcontext():
        latents = torch.zeros(1, *_latents(model), device=vae.device, dtype=vae.dtype)
        vae.decode(latents, return_dict=False)
