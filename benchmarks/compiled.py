"""What TorchInductor would bring: the U-Net's transformer blocks compiled, in place of our kernels.

The app does not do this. Compiling takes tens of seconds and must not happen beside a run: while
PyTorch traces, it changes what calling any module means, in every thread of the process.
"""

from typing import Any

import torch

from explorer.runtime.sharing import sharing_copy

VARIANTS = 256  # of one block's code; Dynamo's own limit would end in uncompiled blocks


class CompiledBlocks:
    """A fast path of a U-Net (see `explorer.runtime.fast`): on a GPU in a CUDA graph."""

    def __init__(self, unet: torch.nn.Module):
        if unet.device.type == "cuda":
            from explorer.runtime.kernels import fused

            kinds = [kind for kind in fused.KINDS if kind is not fused.FusedTransformer]
            unet = fused.fused(unet, kinds)
        self._copy = compiled(unet)
        self._graphs: dict[Any, Any] = {}

    def run(
        self, unet: torch.nn.Module, inputs: dict[str, torch.Tensor], guided: bool = False
    ) -> torch.Tensor:
        values = tuple(inputs.values())
        if unet.device.type != "cuda":
            return self._call(*values)
        from explorer.runtime.graphs import Graph

        key = tuple(each.shape for each in values)
        if key not in self._graphs:
            self._graphs[key] = Graph(self._call, values, torch.cuda.Stream())
        return self._graphs[key](*values)

    def free(self) -> bool:
        self._graphs.clear()
        return False

    def _call(self, *values: torch.Tensor) -> torch.Tensor:
        return self._copy(*values, return_dict=False)[0]


def compiled(model: torch.nn.Module, backend: str = "inductor") -> torch.nn.Module:
    """A copy of `model`, sharing its weights, whose repeated blocks compile at their first call."""
    torch._dynamo.config.recompile_limit = max(VARIANTS, torch._dynamo.config.recompile_limit)
    copy = sharing_copy(model)
    for module in copy.modules():
        if type(module).__name__ in model._repeated_blocks:
            module.compile(fullgraph=True, dynamic=False, backend=backend)
    return copy
