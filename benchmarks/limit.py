"""What a device could do at best: the arithmetic of a run over the rate of its matrix products."""

import statistics
import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode


def operations(work: Callable[[], None]) -> int:
    """Floating-point operations of the products, convolutions and attention that `work` makes."""
    with FlopCounterMode(display=False) as counter:
        work()
    if not counter.get_total_flops():
        raise RuntimeError("no arithmetic was counted")
    return counter.get_total_flops()


def rate(device: str, dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product of random numbers, the median of ten."""
    side = 8192 if device.startswith("cuda") else 1536
    generator = torch.Generator(device).manual_seed(0)
    left, right = (
        torch.randn(side, side, device=device, generator=generator).to(dtype) for _ in range(2)
    )
    seconds = []
    for _ in range(13):
        settle(device)
        start = time.perf_counter()
        left @ right
        settle(device)
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / statistics.median(seconds[3:])


def settle(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
