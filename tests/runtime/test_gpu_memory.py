"""What the driver tells of its GPUs' memory: figures of each, and nothing where there is none."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pynvml
import pytest

from explorer.runtime import gpu_memory as module
from explorer.runtime.gpu_memory import GpuMemory, gpu_memory

MIB, GIB = 2**20, 2**30
UNKNOWN, NO_PERMISSION = pynvml.NVML_ERROR_UNKNOWN, pynvml.NVML_ERROR_NO_PERMISSION


class Driver:
    """pynvml's functions over a list of GPUs: (used, total), or the error that one answers with.

    `starting` and `counting` are the errors of the library's start and of the count, if any.
    """

    NVMLError = pynvml.NVMLError

    def __init__(self, *gpus: tuple[int, int] | int, starting: int = 0, counting: int = 0):
        self.gpus, self.starting, self.counting, self.starts = gpus, starting, counting, 0

    def nvmlInit(self) -> None:
        self.starts += 1
        raise_for(self.starting)

    def nvmlDeviceGetCount(self) -> int:
        raise_for(self.counting)
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, gpu: int) -> str:
        return f"handle {gpu}"

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> SimpleNamespace:
        gpu = self.gpus[int(handle.removeprefix("handle "))]
        if isinstance(gpu, int):
            raise_for(gpu)
            raise AssertionError
        return SimpleNamespace(used=gpu[0], total=gpu[1])


def raise_for(error: int) -> None:
    if error:
        raise pynvml.NVMLError(error)


@pytest.fixture
def install(monkeypatch):
    """Puts a driver in the real one's place."""

    def install(driver: Driver) -> Driver:
        monkeypatch.setattr(module, "pynvml", driver)
        module._has_driver.cache_clear()
        return driver

    yield install
    module._has_driver.cache_clear()


def test_every_gpu_tells_what_is_used_and_what_there_is(install):
    install(Driver((3 * GIB, 80 * GIB), (500 * MIB, 24 * GIB)))
    assert gpu_memory() == [
        GpuMemory(0, 3 * GIB, 80 * GIB),
        GpuMemory(1, 500 * MIB, 24 * GIB),
    ]


def test_a_gpu_that_does_not_tell_is_left_out(install):
    install(Driver(NO_PERMISSION, (GIB, 2 * GIB)))
    assert gpu_memory() == [GpuMemory(1, GIB, 2 * GIB)]


@pytest.mark.parametrize("driver", [Driver(), Driver((GIB, GIB), counting=UNKNOWN)])
def test_a_driver_that_has_no_gpu_or_does_not_answer_tells_nothing(driver, install):
    install(driver)
    assert gpu_memory() == []


@pytest.mark.parametrize("error", [pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, UNKNOWN])
def test_a_machine_without_a_driver_that_works_has_no_gpu(error, install):
    install(Driver((GIB, GIB), starting=error))
    assert gpu_memory() == []


def test_the_driver_is_started_once(install):
    driver = install(Driver((GIB, 2 * GIB)))
    assert gpu_memory() == gpu_memory() != []
    assert driver.starts == 1


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
