"""CPU threads: the best number for the U-Net, and the thread in which to compute."""

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch

LOG = logging.getLogger(__name__)

Result = TypeVar("Result")

WORTH_IT = 0.9  # more threads must take at most this fraction of the time of fewer


def choose_threads(unet: Any) -> int:
    """Measure the number of CPU threads with which the U-Net is fastest; set it and return it.

    If the user has set OMP_NUM_THREADS, that is kept.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads()
    threads = fastest(lambda threads: _seconds_of_a_call(unet, threads), _usable_cores())
    torch.set_num_threads(threads)
    return threads


def fastest(seconds: Callable[[int], float], most: int) -> int:
    """The number of threads, 1, 2, 4 and so on up to `most`, by a call's measured `seconds`.

    Doubling must save a tenth, or the smaller number is kept: OpenMP's threads wait for each other,
    and on a busy machine two of them were seen to be 15 times slower than one.
    """
    chosen, best = 1, seconds(1)
    while 2 * chosen <= most:
        doubled = seconds(2 * chosen)
        LOG.info("U-Net call: %.4f s with %d threads, %.4f s with twice", best, chosen, doubled)
        if doubled > WORTH_IT * best:
            break
        chosen, best = 2 * chosen, doubled
    return chosen


def has_spare_core() -> bool:
    """Whether PyTorch's threads leave a core to others."""
    return torch.get_num_threads() < _usable_cores()


def in_own_thread(work: Callable[[], Result]) -> Result:
    """Do CPU work in a new thread that ends with it.

    OpenMP keeps a team of threads for every thread that has ever computed. While all teams together
    have more threads than there are cores, each of them sleeps at every barrier instead of
    spinning: with two teams of two on two cores a run was seen to take 1.9 s instead of 1.1 s.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _seconds_of_a_call(unet: Any, threads: int) -> float:
    """The best of three guided calls on small latents, after one to warm up."""
    torch.set_num_threads(threads)
    place = {"device": unet.device, "dtype": unet.dtype}
    latents = torch.zeros((2, unet.config.in_channels, 16, 16), **place)
    prompt_embeds = torch.zeros((2, 8, unet.config.cross_attention_dim), **place)
    added = None
    if unet.config.addition_embed_type is not None:  # SDXL: one linear layer takes all of it
        config = unet.config
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        added = {"text_embeds": torch.zeros((2, pooled), **place)}
        added["time_ids"] = torch.zeros((2, 6), **place)
    seconds = []
    with torch.inference_mode():
        for _ in range(4):
            start = time.perf_counter()
            unet(
                latents,
                torch.tensor(1.0),
                encoder_hidden_states=prompt_embeds,
                added_cond_kwargs=added,
            )
            seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
