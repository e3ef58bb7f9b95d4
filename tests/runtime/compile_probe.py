"""What test_kernels.py runs for a GPU that is not there: `python compile_probe.py CASE...`.

A case is a compute capability, for which every kernel is compiled, down to machine code, and not
launched: the interpreter takes Python that the compiler refuses. Or it is "sizes": what is compiled
ahead on one size is all that others need.
"""

import json
import sys

import torch
from forks import outcomes
from kernels_probe import unet_of
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from explorer.runtime.kernels import channel_sums, compilation, gates, group_norm, time_shifts
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
    compiled = only_compiled(capability)
    with torch.no_grad():
        for group_norm.WHOLE in (0, 2**21):
            for channel_sums.WORTH in (0, 2**20):
                unet()(*inputs(2, 8, 8), return_dict=False)
        gates.gated_gelu(torch.randn(3, 640).half())
    wanted = KERNELS if capability >= 90 else KERNELS - {"_projected_gelu"}
    assert {name for name, _ in compiled} == wanted, compiled


def compile_sizes() -> None:
    compiled = only_compiled(90)
    group_norm.WHOLE = channel_sums.WORTH = 2**15
    asked = compilation._ONLY_COMPILING.set(True)
    with torch.no_grad():
        unet()(*inputs(2, 16, 16), return_dict=False)
        ahead = frozenset(compiled)
        compilation._ONLY_COMPILING.reset(asked)
        for batch, height, width in ((1, 8, 8), (3, 10, 18), (6, 32, 32), (1, 24, 28), (17, 8, 8)):
            unet()(*inputs(batch, height, width), return_dict=False)
            assert compiled == ahead, (batch, height, width, compiled - ahead)


def only_compiled(capability: int) -> set[tuple[str, str]]:
    """The names and contents of kernels, none of which is launched from now on."""
    compiled, run = set(), JITFunction.run

    def compile_only(self, *args, grid, warmup, **options):
        kernel = run(self, *args, grid=grid, warmup=True, **options)
        assert kernel.asm["cubin"]
        compiled.add((self.__name__, kernel.hash))

    driver.set_active(AbsentGPU(capability))
    JITFunction.run = compile_only
    gates._copies_tiles = lambda device: capability >= 90
    time_shifts.COLUMNS = 16
    return compiled


def unet() -> torch.nn.Module:
    return fused(unet_of().half())


def inputs(batch: int, height: int, width: int) -> tuple[torch.Tensor, ...]:
    sample, words = torch.zeros(batch, 4, height, width), torch.zeros(batch, 5, 16)
    return sample.half(), torch.ones(batch), words.half()


def run(case: str) -> None:
    if case == "sizes":
        compile_sizes()
    else:
        compile_all(int(case))


if __name__ == "__main__":
    print(json.dumps(outcomes(run, sys.argv[1:])))
