"""The U-Net's transformer blocks compiled by TorchInductor: only those that repeat, each kind once.

Tens of seconds instead of minutes, and what was made is kept on disk for the next start. It must
not happen beside a run: while PyTorch traces, it changes what calling any module means, in every
thread of the process (seen: a run in another thread broke off).
"""

import torch

from explorer.models.sharing import sharing_copy

VARIANTS = 256  # of one block's code; Dynamo's own limit would end in uncompiled blocks


def compiled(model: torch.nn.Module, backend: str = "inductor") -> torch.nn.Module:
    """A copy of `model`, sharing its weights, whose repeated blocks compile at their first call."""
    torch._dynamo.config.recompile_limit = max(VARIANTS, torch._dynamo.config.recompile_limit)
    copy = sharing_copy(model)
    for module in copy.modules():
        if type(module).__name__ in model._repeated_blocks:
            module.compile(fullgraph=True, dynamic=False, backend=backend)
    return copy
