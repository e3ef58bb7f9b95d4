"""Networks as TorchScript graphs, traced once a shape: for a CPU.

Walking through diffusers' modules costs a few milliseconds a call, whatever the batch. The traced
graph makes the same kernels run on the same weights, so its answers are the same to the bit.
"""

import logging
import warnings
from collections.abc import Callable
from typing import Any

import torch

from explorer.runtime.guided import once
from explorer.runtime.interruptible import checked_layers, interruptible

LOG = logging.getLogger(__name__)

# Numbers of a batch of latents (16 at 64 x 64) up to which tracing pays: it holds twice what a call
# holds, and beyond that Python takes no share of a call that shows.
LARGEST_TRACED = 16 * 4 * 64 * 64
LARGEST_DECODED = 4 * 32 * 32  # the same for pictures: 256 x 256 pixels, where it saves a tenth
LONG = 2**36  # weights times pixels of a batch of latents: some tenths of a second on two cores
KEPT = 4  # graphs a network, one for each shape and precision of its inputs


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


class Decoding(torch.nn.Module):
    """A VAE as a function from latents to pictures."""

    def __init__(self, vae: torch.nn.Module):
        super().__init__()
        self.vae = vae

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.vae.decode(latents, return_dict=False)[0]


class Shelf:
    """The traced graphs of one network, the newest few."""

    largest = LARGEST_TRACED

    def __init__(self):
        self._graphs: dict[Any, torch.jit.ScriptModule | None] = {}

    def __len__(self) -> int:
        return len(self._graphs)

    def get(
        self, key: Any, module: Callable[[], torch.nn.Module], inputs: tuple[torch.Tensor, ...]
    ) -> torch.jit.ScriptModule | None:
        """The graph of what `module` makes, traced on `inputs` where it is missing."""
        if key not in self._graphs:
            if inputs[0].numel() > self.largest:
                return None
            while len(self._graphs) >= KEPT:
                self._graphs.pop(next(iter(self._graphs)))
            self._graphs[key] = _traced(module, inputs)
        return self._graphs[key]

    def free(self) -> bool:
        found = bool(self._graphs)
        self._graphs.clear()
        return found


class Traces(Shelf):
    """The traced graphs of one U-Net."""

    def answer(
        self,
        unet: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        guided: bool = False,
        check: Callable[[], None] | None = None,
    ) -> torch.Tensor | None:
        """What the U-Net answers, by the graph for inputs of these shapes; made where missing.

        A long call makes no graph, which would save it nothing: `check` is called before each of
        the network's layers, and what it raises ends the call.
        """
        key = (guided, *((name, each.shape, each.dtype) for name, each in inputs.items()))
        values = tuple(inputs.values())
        current = vars(unet).pop("forward", None)  # trace the U-Net's own
        try:
            if check is not None and is_long(unet, inputs["sample"]):
                return _checked(
                    Answer(once(unet) if guided else unet, tuple(inputs)), values, check
                )
            graph = self.get(
                key, lambda: Answer(once(unet) if guided else unet, tuple(inputs)), values
            )
        finally:
            if current is not None:
                unet.forward = current
        return None if graph is None else graph(*values)


def is_long(unet: torch.nn.Module, sample: torch.Tensor) -> bool:
    """Whether a call takes long enough that a stop should not wait for its end."""
    pixels = len(sample) * sample.shape[-2] * sample.shape[-1]
    return pixels * sum(weights.numel() for weights in unet.parameters()) >= LONG


def _checked(
    module: torch.nn.Module, values: tuple[torch.Tensor, ...], check: Callable[[], None]
) -> torch.Tensor:
    with interruptible(check), checked_layers(module), torch.no_grad():
        return module(*values)


class TracedDecoding(Shelf):
    """What a VAE's decoder makes of latents, by a graph for each shape."""

    largest = LARGEST_DECODED

    def __init__(self, vae: torch.nn.Module):
        super().__init__()
        self._decoding = Decoding(vae)

    def __call__(self, latents: torch.Tensor) -> torch.Tensor | None:
        """The pictures, or None where the graph cannot be had."""
        graph = self.get((latents.shape, latents.dtype), lambda: self._decoding, (latents,))
        return None if graph is None else graph(latents)


def _traced(module: Callable[[], torch.nn.Module], inputs: tuple[torch.Tensor, ...]):
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what depends on the shape is why the shape is a key
            graph = torch.jit.trace(module().eval(), inputs, check_trace=False, strict=False)
            return torch.jit.freeze(graph)  # its constants are the weights, not copies of them
    except Exception:  # slower, not worse
        LOG.warning("a network could not be traced; it runs as it is", exc_info=True)
        return None
