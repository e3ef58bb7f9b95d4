"""Which models there are and how one is loaded: device, precision, threads."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

LOG = logging.getLogger(__name__)

WORTH_IT = 0.9  # more threads must take at most this part of the time of fewer


class ModelError(RuntimeError):
    """A model that cannot be used; the message is a sentence to act on."""


def best_device() -> str:
    """A GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def load_pipeline(
    folder: str | Path, device: str, dtype: torch.dtype | None = None
) -> StableDiffusionPipeline:
    """Load a diffusers folder without the network; half precision on a GPU, float32 elsewhere.

    Raises ModelError.
    """
    folder = Path(folder)
    if not (folder / "model_index.json").is_file():
        raise ModelError(f"There is no model in {folder}: its model_index.json is missing.")
    if dtype is None:
        dtype = torch.float16 if torch.device(device).type == "cuda" else torch.float32
    try:
        pipeline = StableDiffusionPipeline.from_pretrained(
            folder,
            local_files_only=True,
            dtype=dtype,
            safety_checker=None,
            requires_safety_checker=False,
        ).to(device)
    except Exception as error:  # whatever a broken file makes the libraries raise
        LOG.exception("loading %s", folder)
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else ""
        raise ModelError(
            f"The model in {folder} could not be loaded on {device} "
            f"({type(error).__name__}: {reason})."
        ) from None
    pipeline.set_progress_bar_config(disable=True)
    if torch.device(device).type == "cpu":
        pipeline.unet.to(memory_format=torch.channels_last)  # a tenth faster, the more the batch
    return pipeline


def choose_threads(pipeline: StableDiffusionPipeline) -> int:
    """Measure how many CPU threads the U-Net is fastest with; set that number and return it.

    OMP_NUM_THREADS, where the user has set it, is kept.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads()
    threads = fastest(lambda threads: _seconds_of_a_call(pipeline, threads), _usable_cores())
    torch.set_num_threads(threads)
    return threads


def fastest(seconds: Callable[[int], float], most: int) -> int:
    """The number of threads, 1, 2, 4 and so on up to `most`, by a call's measured `seconds`.

    Doubling must save a tenth, else the smaller number stays: OpenMP's threads wait for each
    other, and beside a busy neighbour two of them were seen 15 times slower than one.
    """
    chosen, best = 1, seconds(1)
    while 2 * chosen <= most:
        doubled = seconds(2 * chosen)
        LOG.info("U-Net call: %.4f s with %d threads, %.4f s with twice", best, chosen, doubled)
        if doubled > WORTH_IT * best:
            break
        chosen, best = 2 * chosen, doubled
    return chosen


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _seconds_of_a_call(pipeline: StableDiffusionPipeline, threads: int) -> float:
    """The best of three guided calls on small latents, after one to warm up."""
    torch.set_num_threads(threads)
    unet = pipeline.unet
    latents = torch.zeros((2, unet.config.in_channels, 16, 16), dtype=unet.dtype)
    words = torch.zeros((2, 8, unet.config.cross_attention_dim), dtype=unet.dtype)
    seconds = []
    with torch.inference_mode():
        for _ in range(4):
            start = time.perf_counter()
            unet(latents, torch.tensor(1.0), encoder_hidden_states=words)
            seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
