"""What the driver tells of its GPUs' memory: figures of each, and nothing where there is none."""

import ctypes
import os
import subprocess
import sys

import pytest

from explorer.runtime import gpu_memory as module
from explorer.runtime.gpu_memory import GpuMemory, gpu_memory

MIB, GIB = 2**20, 2**30
UNKNOWN, NO_PERMISSION = 999, 4  # errors of NVML


class Driver:
    """NVML's functions over a list of GPUs: (used, total), or the error that one answers with."""

    def __init__(self, *gpus: tuple[int, int] | int, answer: int = 0):
        self.gpus, self.answer = gpus, answer

    def nvmlInit_v2(self) -> int:
        return self.answer

    def nvmlDeviceGetCount_v2(self, count) -> int:
        count._obj.value = len(self.gpus)
        return self.answer

    def nvmlDeviceGetHandleByIndex_v2(self, gpu: ctypes.c_uint, handle) -> int:
        handle._obj.value = gpu.value + 1
        return 0

    def nvmlDeviceGetMemoryInfo(self, handle: ctypes.c_void_p, memory) -> int:
        gpu = self.gpus[handle.value - 1]
        if isinstance(gpu, int):
            return gpu
        memory._obj.used, memory._obj.total = gpu
        return 0


def test_every_gpu_tells_what_is_used_and_what_there_is():
    driver = Driver((3 * GIB, 80 * GIB), (500 * MIB, 24 * GIB))
    assert gpu_memory(driver) == [
        GpuMemory(0, 3 * GIB, 80 * GIB),
        GpuMemory(1, 500 * MIB, 24 * GIB),
    ]


def test_a_gpu_that_does_not_tell_is_left_out():
    driver = Driver(NO_PERMISSION, (GIB, 2 * GIB))
    assert gpu_memory(driver) == [GpuMemory(1, GIB, 2 * GIB)]


@pytest.mark.parametrize("driver", [Driver(), Driver((GIB, GIB), answer=UNKNOWN)])
def test_a_driver_that_has_no_gpu_or_does_not_answer_tells_nothing(driver):
    assert gpu_memory(driver) == []


@pytest.mark.parametrize("library", [None, object(), Driver((GIB, GIB), answer=UNKNOWN)])
def test_a_machine_without_a_driver_that_works_has_no_gpu(library, monkeypatch):
    def load(name: str):
        if library is None:
            raise OSError(f"{name}: cannot open shared object file")
        return library

    monkeypatch.setattr(module.ctypes, "CDLL", load)
    module._nvml.cache_clear()
    try:
        assert gpu_memory() == []
    finally:
        module._nvml.cache_clear()


PROGRAM = """
from explorer.runtime.gpu_memory import gpu_memory
before = gpu_memory()
import torch
assert not torch.cuda.is_initialized()
held = torch.zeros(2**28, dtype=torch.uint8, device="cuda:0")
torch.cuda.synchronize()
after = gpu_memory()
free, total = torch.cuda.mem_get_info(0)
assert len(after) == len(before) >= 1
print(after[0].used_bytes - before[0].used_bytes, after[0].total_bytes, total)
"""


@pytest.mark.gpu
def test_the_driver_counts_what_cuda_has_taken():
    environment = {**os.environ, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    taken, total, by_cuda = map(int, told.stdout.split())
    assert taken >= 2**28
    assert total == pytest.approx(by_cuda, rel=0.05)
