"""Networks as TorchScript graphs for a CPU, traced once per shape.

Walking through diffusers' modules costs a few milliseconds a call, whatever the batch. The traced
graph runs the same kernels on the same weights, so its outputs are the same to the bit.
"""

import logging
import warnings
from collections.abc import Callable, Hashable

import torch

from explorer.runtime.guided import dedup_cfg
from explorer.runtime.interruptible import checked_layers, interruptible
from explorer.runtime.overriding import without_overrides
from explorer.runtime.sharing import Network

LOG = logging.getLogger(__name__)

# Numbers of a batch of latents (16 at 64 x 64) up to which tracing pays: it takes twice the memory
# of a call, and beyond that Python's share of a call is negligible.
LARGEST_TRACED = 16 * 4 * 64 * 64
LARGEST_DECODED = 4 * 32 * 32  # the same for a VAE: 256 x 256 pixels, where it saves a tenth
LONG_CALL = 2**36  # weights times pixels of a batch's latents: some tenths of a second on two cores
MAX_GRAPHS = 4  # graphs a network, one for each shape and precision of its inputs


class UNetFunction(torch.nn.Module):
    """A U-Net as a function of tensors alone, in the order of `names`.

    The first three are the sample (batch x C x H x W), the timestep and the encoded prompt (batch x
    tokens x C); any others are SDXL's added conditions.
    """

    def __init__(self, unet: torch.nn.Module, names: tuple[str, ...]):
        super().__init__()
        self.unet = unet
        self.added = names[3:]

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The predicted noise (or v), batch x C x H x W."""
        added = dict(zip(self.added, inputs[3:], strict=True)) or None
        return self.unet(*inputs[:3], added_cond_kwargs=added, return_dict=False)[0]


class DecoderFunction(torch.nn.Module):
    """A VAE's decoder as a function from latents, n x C x h x w, to pictures, n x 3 x H x W."""

    def __init__(self, vae: Network):
        super().__init__()
        self.vae: Network = vae

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Pictures, n x 3 x H x W in -1 to 1, of latents n x C x h x w."""
        return self.vae.decode(latents, return_dict=False)[0]


class TraceCache:
    """The traced graphs of one network, at most MAX_GRAPHS of them, the newest."""

    largest = LARGEST_TRACED  # numbers of the first input that are still traced

    def __init__(self):
        self._graphs: dict[Hashable, torch.jit.ScriptModule | None] = {}

    def __len__(self) -> int:
        return len(self._graphs)

    def get(
        self, key: Hashable, module: Callable[[], torch.nn.Module], inputs: tuple[torch.Tensor, ...]
    ) -> torch.jit.ScriptModule | None:
        """The graph of `module()` for inputs of these shapes, traced if it is missing.

        None if the first of `inputs` is too large, or if tracing failed.
        """
        if key not in self._graphs:
            if inputs[0].numel() > self.largest:
                return None
            while len(self._graphs) >= MAX_GRAPHS:
                self._graphs.pop(next(iter(self._graphs)))
            self._graphs[key] = _trace(module, inputs)
        return self._graphs[key]

    def free(self) -> bool:
        """Free all graphs; returns whether there were any."""
        had_graphs = bool(self._graphs)
        self._graphs.clear()
        return had_graphs


class TracedUNet(TraceCache):
    """The traced graphs of one U-Net."""

    def run(
        self,
        unet: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        guided: bool = False,
        check: Callable[[], None] | None = None,
    ) -> torch.Tensor | None:
        """The U-Net's output, batch x C x H x W, by the graph for inputs of these shapes.

        The graph is created if it is missing; None if that fails. For a long call a graph would
        save nothing: then `check` is called before each of the network's layers, and its exceptions
        end the call.
        """
        key = (guided, *((name, each.shape, each.dtype) for name, each in inputs.items()))
        values = tuple(inputs.values())

        def function() -> UNetFunction:
            return UNetFunction(dedup_cfg(unet) if guided else unet, tuple(inputs))

        with without_overrides(unet, "forward"):  # trace the class's, not the one that called us
            if check is not None and is_long(unet, inputs["sample"]):
                return _checked(function(), values, check)
            graph = self.get(key, function, values)
        return None if graph is None else graph(*values)


def is_long(unet: torch.nn.Module, sample: torch.Tensor) -> bool:
    """Whether a call on a sample, batch x C x H x W, takes too long for a stop to wait for it."""
    pixels = len(sample) * sample.shape[-2] * sample.shape[-1]
    return pixels * sum(weights.numel() for weights in unet.parameters()) >= LONG_CALL


def _checked(
    module: torch.nn.Module, values: tuple[torch.Tensor, ...], check: Callable[[], None]
) -> torch.Tensor:
    with interruptible(check), checked_layers(module), torch.no_grad():
        return module(*values)


class TracedDecoder(TraceCache):
    """A VAE's decoder, by a graph for each shape of latents."""

    largest = LARGEST_DECODED

    def __init__(self, vae: torch.nn.Module):
        super().__init__()
        self._decoder = DecoderFunction(vae)

    def __call__(self, latents: torch.Tensor) -> torch.Tensor | None:
        """Pictures, n x 3 x H x W, of latents n x C x h x w; None if there is no graph."""
        graph = self.get((latents.shape, latents.dtype), lambda: self._decoder, (latents,))
        return None if graph is None else graph(latents)


def _trace(module: Callable[[], torch.nn.Module], inputs: tuple[torch.Tensor, ...]):
    try:
        traced = module().eval()
        with torch.no_grad(), warnings.catch_warnings(), checked_layers(traced):
            warnings.simplefilter("ignore")  # of what the shape decides: it is in the key
            graph = torch.jit.trace(traced, inputs, check_trace=False, strict=False)
            return torch.jit.freeze(graph)  # its constants are the weights, not copies of them
    except Exception:  # slower, not worse
        LOG.warning("a network could not be traced; it runs as it is", exc_info=True)
        return None
