"""The memory of NVIDIA GPUs as their driver has it, asked without CUDA.

CUDA would take some of that memory, and a process that has begun it cannot be forked for more of
it. The driver's own library (NVML, which nvidia-smi asks too) needs nothing on the GPU.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import pynvml


@dataclass(frozen=True)
class GpuMemory:
    """A GPU, by the number that nvidia-smi gives it, and its memory in bytes.

    What is used is used by any program, or kept by the driver (which nvidia-smi leaves out).
    """

    gpu: int
    used_bytes: int
    total_bytes: int


def gpu_memory() -> list[GpuMemory]:
    """The memory of every GPU that the machine or the container has; [] without a driver.

    A GPU that does not tell, such as one that is divided into instances, is left out.
    """
    count, found = 0, []
    if _has_driver():
        with suppress(pynvml.NVMLError):
            count = pynvml.nvmlDeviceGetCount()
    for gpu in range(count):
        with suppress(pynvml.NVMLError):
            memory = pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(gpu))
            found.append(GpuMemory(gpu, int(memory.used), int(memory.total)))
    return found


@cache
def _has_driver() -> bool:
    """Whether the driver's library is there and answers; it is loaded once for the process."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return False
    return True
