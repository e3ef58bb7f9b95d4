"""The U-Net as a TorchScript graph, traced once a shape: for a CPU.

Walking through diffusers' modules costs a few milliseconds a call, whatever the batch. The traced
graph makes the same kernels run on the same weights, so its answers are the same to the bit.
"""

import logging
import warnings
from typing import Any

import torch

from explorer.models.guided import once

LOG = logging.getLogger(__name__)

KEPT = 4  # graphs a U-Net, one for each shape and precision of its inputs


class Answer(torch.nn.Module):
    """A U-Net as a function of tensors alone, in the order of `names`.

    The first three are the sample, the timestep and the encoded prompt; any others are SDXL's added
    conditions.
    """

    def __init__(self, unet: torch.nn.Module, names: tuple[str, ...]):
        super().__init__()
        self.unet = unet
        self.added = names[3:]

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        added = dict(zip(self.added, inputs[3:], strict=True)) or None
        return self.unet(*inputs[:3], added_cond_kwargs=added, return_dict=False)[0]


class Traces:
    """The traced graphs of one U-Net."""

    def __init__(self):
        self._graphs: dict[Any, torch.jit.ScriptModule | None] = {}

    def __len__(self) -> int:
        return len(self._graphs)

    def answer(
        self, unet: torch.nn.Module, inputs: dict[str, torch.Tensor], guided: bool = False
    ) -> torch.Tensor | None:
        """What the U-Net answers, by the graph for inputs of these shapes; made where missing."""
        key = (guided, *((name, each.shape, each.dtype) for name, each in inputs.items()))
        if key not in self._graphs:
            while len(self._graphs) >= KEPT:
                self._graphs.pop(next(iter(self._graphs)))
            self._graphs[key] = _trace(unet, inputs, guided)
        graph = self._graphs[key]
        return None if graph is None else graph(*inputs.values())

    def free(self) -> bool:
        found = bool(self._graphs)
        self._graphs.clear()
        return found


def _trace(unet: torch.nn.Module, inputs: dict[str, torch.Tensor], guided: bool):
    current = vars(unet).pop("forward", None)  # trace the U-Net's own
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what depends on the shape is why the shape is a key
            answer = Answer(once(unet) if guided else unet, tuple(inputs)).eval()
            values = tuple(inputs.values())
            graph = torch.jit.trace(answer, values, check_trace=False, strict=False)
            return torch.jit.freeze(graph)  # its constants are the weights, not copies of them
    except Exception:  # slower, not worse
        LOG.warning("the U-Net could not be traced; it runs as it is", exc_info=True)
        return None
    finally:
        if current is not None:
            unet.forward = current
