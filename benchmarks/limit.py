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
    """Operations a second at best: of a large matrix product or a large convolution.

    Of random numbers, the median of ten. On a CPU the two come from libraries of unequal speed.
    """
    return max(_rate_of_product(device, dtype), _rate_of_convolution(device, dtype))


def _rate_of_product(device: str, dtype: torch.dtype) -> float:
    side = 8192 if device.startswith("cuda") else 1536
    left, right = (_random((side, side), device, dtype) for _ in range(2))
    return 2 * side**3 / _seconds(lambda: left @ right, device)


def _rate_of_convolution(device: str, dtype: torch.dtype) -> float:
    channels, side, batch = (1280, 64, 8) if device.startswith("cuda") else (256, 32, 4)
    layout = torch.channels_last
    x = _random((batch, channels, side, side), device, dtype).to(memory_format=layout)
    weight = _random((channels, channels, 3, 3), device, dtype).to(memory_format=layout)
    seconds = _seconds(lambda: torch.nn.functional.conv2d(x, weight, padding=1), device)
    return 2 * batch * side**2 * 9 * channels**2 / seconds


def _random(shape: tuple[int, ...], device: str, dtype: torch.dtype) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device, dtype)


@torch.inference_mode()
def _seconds(work: Callable[[], object], device: str) -> float:
    seconds = []
    for _ in range(13):
        settle(device)
        start = time.perf_counter()
        work()
        settle(device)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[3:])


def settle(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
