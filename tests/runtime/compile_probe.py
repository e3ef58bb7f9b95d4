"""What test_kernels.py runs for a GPU that is not there: `python compile_probe.py CAPABILITY...`.

Every kernel is compiled for that compute capability, down to machine code, and not launched. The
interpreter takes Python that the compiler refuses.
"""

import json
import sys

import torch
from forks import outcomes
from kernels_probe import unet_of
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from explorer.runtime.kernels import channel_sums, gates, group_norm, time_shifts
from explorer.runtime.kernels.fused import fused

KERNELS = {
    *("_sums", "_whole", "_affine", "_apply", "_shifts"),
    *("_doubled", "_gated_gelu", "_projected_gelu", "_layer_norm"),
}


class AbsentGPU:
    """What Triton asks of a driver before it compiles."""

    def __init__(self, capability: int):
        self.capability = capability

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self.capability, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


def compile_all(capability: int) -> None:
    compiled, run = set(), JITFunction.run

    def compile_only(self, *args, grid, warmup, **options):
        kernel = run(self, *args, grid=grid, warmup=True, **options)
        assert kernel.asm["cubin"]
        compiled.add(self.__name__)

    driver.set_active(AbsentGPU(capability))
    JITFunction.run = compile_only
    gates._copies_tiles = lambda device: capability >= 90
    time_shifts.COLUMNS = 16
    half = unet_of().half()
    with torch.no_grad():
        for group_norm.WHOLE in (0, 2**21):
            for channel_sums.WORTH in (0, 2**20):
                inputs = torch.randn(2, 4, 8, 8).half(), torch.ones(2), torch.randn(2, 5, 16).half()
                fused(half)(*inputs, return_dict=False)
        gates.gated_gelu(torch.randn(3, 640).half())
    wanted = KERNELS if capability >= 90 else KERNELS - {"_projected_gelu"}
    assert compiled == wanted, compiled ^ wanted


if __name__ == "__main__":
    print(json.dumps(outcomes(lambda case: compile_all(int(case)), sys.argv[1:])))
