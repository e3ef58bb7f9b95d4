"""The memory of NVIDIA GPUs as their driver has it, asked without CUDA.

CUDA would take some of that memory, and a process that has begun it cannot be forked for more of
it. The driver's own library (NVML, which nvidia-smi asks too) needs nothing on the GPU.
"""

import ctypes
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

NVML = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
OK = 0  # what every function of the library answers that has succeeded


@dataclass(frozen=True)
class GpuMemory:
    """A GPU, by the number that nvidia-smi gives it, and its memory in bytes.

    What is used is used by any program, or kept by the driver (which nvidia-smi leaves out).
    """

    gpu: int
    used_bytes: int
    total_bytes: int


class _Memory(ctypes.Structure):
    """NVML's nvmlMemory_t."""

    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


def gpu_memory(nvml: Any = None) -> list[GpuMemory]:
    """The memory of every GPU that the machine or the container has; [] without a driver.

    A GPU that does not tell, such as one that is divided into instances, is left out. `nvml` is the
    driver's library.
    """
    nvml, count, found = nvml or _nvml(), ctypes.c_uint(), []
    if nvml is None or nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != OK:
        return []
    for gpu in range(count.value):
        handle, memory = ctypes.c_void_p(), _Memory()
        if nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(gpu), ctypes.byref(handle)) != OK:
            continue
        if nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) == OK:
            found.append(GpuMemory(gpu, memory.used, memory.total))
    return found


@cache
def _nvml() -> Any:
    """The driver's library, ready to be asked; None where there is none."""
    try:
        nvml = ctypes.CDLL(NVML)
        return nvml if nvml.nvmlInit_v2() == OK else None
    except (OSError, AttributeError):
        return None
