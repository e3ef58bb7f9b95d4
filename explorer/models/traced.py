"""The U-Net without Python's share of its time: traced once a shape, on a CPU, by TorchScript.

Walking through diffusers' modules costs a few milliseconds a call, whatever the batch. The traced
graph makes the same kernels run on the same weights, so its answers are the same to the bit.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from diffusers import UNet2DConditionModel

LOG = logging.getLogger(__name__)

KEPT = 4  # graphs a U-Net, one for each shape and precision of its inputs
_GRAPHS = "_explorer_graphs"


class _Answer(torch.nn.Module):
    """The U-Net as a function of three tensors."""

    def __init__(self, unet: UNet2DConditionModel):
        super().__init__()
        self.unet = unet

    def forward(self, sample, timestep, words):
        return self.unet(sample, timestep, words, return_dict=False)[0]


@contextmanager
def traced(unet: torch.nn.Module) -> Iterator[None]:
    """Let `unet` answer plain calls from a traced graph; all others, and other devices', as ever.

    A U-Net that somebody has hooked into or given another `forward` is left alone: a graph would
    pass it by.
    """
    if not _is_plain(unet):
        yield
        return
    own = unet.forward

    def forward(sample, timestep, encoder_hidden_states, return_dict=True, **options):
        plain = (
            not return_dict
            and isinstance(timestep, torch.Tensor)
            and all(option is None for option in options.values())
        )
        graph = plain and _graph(unet, own, sample, timestep, encoder_hidden_states)
        if graph:
            return (graph(sample, timestep, encoder_hidden_states),)
        return own(sample, timestep, encoder_hidden_states, return_dict=return_dict, **options)

    unet.forward = forward
    try:
        yield
    finally:
        del unet.forward


def warm_up(unet: torch.nn.Module, batch: int, tokens: int) -> None:
    """Make the graph for `batch` latents of the model's own size, before somebody waits for it."""
    side, width = unet.config.sample_size, unet.config.cross_attention_dim
    sample = torch.zeros(batch, unet.config.in_channels, side, side, dtype=unet.dtype)
    words = torch.zeros(batch, tokens, width, dtype=unet.dtype)
    with traced(unet), torch.no_grad():
        for _ in range(2):  # TorchScript looks at the first call and improves the next
            unet(sample, torch.zeros(batch), encoder_hidden_states=words, return_dict=False)


def _is_plain(unet: torch.nn.Module) -> bool:
    if type(unet) is not UNet2DConditionModel or unet.device.type != "cpu":
        return False
    return not any(
        "forward" in vars(module) or module._forward_hooks or module._forward_pre_hooks
        for module in unet.modules()
    )


def _graph(unet, own, *inputs: torch.Tensor):
    """The graph for inputs of these shapes, made where it is missing; None where it cannot be."""
    graphs = unet.__dict__.setdefault(_GRAPHS, {})
    key = tuple((each.shape, each.dtype) for each in inputs)
    if key not in graphs:
        while len(graphs) >= KEPT:
            graphs.pop(next(iter(graphs)))
        graphs[key] = _trace(unet, own, inputs)
    return graphs[key]


def _trace(unet, own, inputs):
    current, unet.forward = unet.forward, own
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what depends on the shape is why the shape is a key
            answer = _Answer(unet).eval()
            return torch.jit.trace(answer, inputs, check_trace=False, strict=False)
    except Exception:  # slower, not worse
        LOG.warning("the U-Net could not be traced; it runs as it is", exc_info=True)
        return None
    finally:
        unet.forward = current
