"""Networks without Python's overhead: the fastest path for their device.

On a CPU traced graphs (traced.py), on a GPU CUDA graphs of networks with fused kernels (graphs.py,
kernels/fused.py). The weights are shared with the networks, never copied.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPTextModel

from explorer.runtime.overriding import overriding
from explorer.runtime.sharing import FAST_PATH, Network, sharing_copy
from explorer.runtime.traced import TracedDecoder, TracedUNet

LOG = logging.getLogger(__name__)

INPUTS = ("sample", "timestep", "encoder_hidden_states")
LARGEST_GRAPHED = 80 * 80  # latent pixels up to which launching takes longer than decoding
SMALL = 50_000_000  # weights of a network that a CPU may run once more to make its graph
_plainly = threading.Event()  # set: networks on a GPU run as they are


class FastPath(Protocol):
    """A faster way to run one U-Net; recreated when the U-Net's weights move."""

    def run(
        self, unet: torch.nn.Module, inputs: dict[str, torch.Tensor], guided: bool = False
    ) -> torch.Tensor | None:
        """The U-Net's output, batch x C x H x W; None if the U-Net itself should run."""

    def free(self) -> bool:
        """Free all graphs and their memory; returns whether there were any."""
        ...


def compute_plainly(is_plain: bool = True) -> None:
    """Run networks on a GPU as they are from now on, for a process that lives for a run or two."""
    (_plainly.set if is_plain else _plainly.clear)()


@contextmanager
def fast(
    unet: torch.nn.Module, guided: bool = False, check: Callable[[], None] | None = None
) -> Iterator[None]:
    """Run plain calls of `unet` by the fastest path of its device, all others as usual.

    `guided` promises that the second half of every batch equals the first except for the prompt. A
    U-Net with hooks or with another `forward` is left alone: a graph would bypass them. On CUDA
    outputs differ by the rounding of half precision; on a CPU not at all, or with `guided` by the
    rounding of float32. If memory runs out, the graphs are freed and the call is repeated without
    them. `check` is called now and then within a long call on a CPU; its exceptions end the call.
    """
    path = fast_path_of(unet)
    if path is None:
        yield
        return
    plain_forward = unet.forward

    def run(inputs: dict[str, torch.Tensor]) -> torch.Tensor | None:
        if isinstance(path, TracedUNet):
            return path.run(unet, inputs, guided, check)
        return path.run(unet, inputs, guided)

    def forward(sample, timestep, encoder_hidden_states, return_dict=True, **options):
        inputs = _plain_inputs(sample, timestep, encoder_hidden_states, return_dict, options)
        output = None if inputs is None else run(inputs)
        if output is not None:
            return (output,)
        positional = (sample, timestep, encoder_hidden_states)
        try:
            return plain_forward(*positional, return_dict=return_dict, **options)
        except torch.OutOfMemoryError:
            if not path.free():
                raise
            LOG.warning("memory ran out: the U-Net's graphs were freed")
        return plain_forward(*positional, return_dict=return_dict, **options)

    with overriding(unet, "forward", forward):
        yield


def fast_path_of(unet: torch.nn.Module) -> FastPath | None:
    """The U-Net's fast path, created if there is none for its weights; None if it has none."""
    if type(unet) is not UNet2DConditionModel or _device_type(unet) not in _fast_devices():
        return None
    addresses = _weight_addresses(unet)
    if addresses is None:
        return None
    known, path = vars(unet).get(FAST_PATH, (None, None))
    if known != addresses:
        if path is not None:
            path.free()
        path = _new_fast_path(unet)
        vars(unet)[FAST_PATH] = _weight_addresses(unet), path  # which may have moved the weights
    return path


@contextmanager
def fast_text_encoder(encoder: torch.nn.Module | None) -> Iterator[None]:
    """Run plain calls of a text encoder on a GPU as a CUDA graph: one launch for a prompt."""
    if (
        type(encoder) is not CLIPTextModel
        or _device_type(encoder) != "cuda"
        or "cuda" not in _fast_devices()
        or _weight_addresses(encoder) is None
    ):
        yield
        return
    plain_forward = encoder.forward
    graphed = _cached(encoder, lambda: _graphed(lambda tokens: plain_forward(tokens)[0]))

    def forward(input_ids, attention_mask=None, **options):
        is_plain = attention_mask is None and not any(options.values())
        output = graphed(input_ids) if is_plain else None
        return plain_forward(input_ids, attention_mask, **options) if output is None else (output,)

    with overriding(encoder, "forward", forward):
        yield


def fast_vae(vae: Network) -> Network:
    """A copy of the VAE with the same weights that decodes faster; the VAE itself if none would."""
    if _device_type(vae) not in _fast_devices() or _weight_addresses(vae) is None:
        return vae
    if _device_type(vae) != "cuda" and not is_small(vae):
        return vae
    copy = _cached(vae, lambda: _new_fast_vae(vae))
    for name, value in vars(vae).items():
        if isinstance(value, bool | int | float):  # whether it tiles, and how
            setattr(copy, name, value)
    return copy


def _new_fast_vae(vae: Network) -> Network:
    if _device_type(vae) == "cuda":
        from explorer.runtime.graphs import fused_copy

        copy = fused_copy(vae)
        plain_decode = copy.decode
        graphed = _graphed(lambda latents: plain_decode(latents, return_dict=False)[0])
    else:
        copy = sharing_copy(vae)
        plain_decode = copy.decode
        graphed = TracedDecoder(vae)
    addresses = _weight_addresses(copy)

    def decode(latents, return_dict=True, **options):
        output = None
        is_small_picture = latents.shape[-2] * latents.shape[-1] <= LARGEST_GRAPHED
        is_plain = not return_dict and not options
        # While it is converted to float32, its weights are at other addresses.
        if is_small_picture and is_plain and addresses == _weight_addresses(copy):
            output = graphed(latents)
        return plain_decode(latents, return_dict, **options) if output is None else (output,)

    copy.decode = decode
    return copy


def is_small(model: Network) -> bool:
    """Whether tracing, an additional run of the model, is worth a CPU's time."""
    return _device_type(model) == "cpu" and model.num_parameters() < SMALL


def _graphed(function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    from explorer.runtime.graphs import GraphedFunction

    return GraphedFunction(function)


def _cached(model: torch.nn.Module, make: Callable[[], Any]) -> Any:
    """The result of `make` for the model; made again if its weights have moved."""
    addresses = _weight_addresses(model)
    known, made = vars(model).get(FAST_PATH, (None, None))
    if known != addresses:
        made = make()
        vars(model)[FAST_PATH] = addresses, made
    return made


def release_graphs(unet: torch.nn.Module) -> None:
    """Free the graphs of a U-Net that is no longer used, or whose memory is needed."""
    _, path = vars(unet).pop(FAST_PATH, (None, None))
    if path is not None:
        path.free()


def warm_up(unet: Network, batch: int, tokens: int) -> None:
    """Make the graph for a guided `batch` of the model's native size in advance.

    Does nothing for a U-Net that takes more inputs than a prompt (SDXL's).
    """
    config = unet.config
    if config.addition_embed_type is not None:
        return
    place = {"device": unet.device, "dtype": unet.dtype}
    sample = torch.zeros(batch, config.in_channels, *_native_size(unet), **place)
    prompt_embeds = torch.zeros(batch, tokens, config.cross_attention_dim, **place)
    timestep = torch.zeros(batch, device=unet.device)
    with fast(unet, guided=True), torch.no_grad():
        for _ in range(2):  # TorchScript profiles the first call and optimizes the next
            unet(sample, timestep, encoder_hidden_states=prompt_embeds, return_dict=False)


def warm_up_decoding(vae: Network, unet: Network) -> None:
    """Make the graph that decodes one picture of the model's native size."""
    place = {"device": vae.device, "dtype": vae.dtype}
    latents = torch.zeros(1, unet.config.in_channels, *_native_size(unet), **place)
    with torch.no_grad():
        for _ in range(2):
            fast_vae(vae).decode(latents, return_dict=False)


def _native_size(unet: Network) -> tuple[int, int]:
    """Height and width of the U-Net's native latents."""
    side = unet.config.sample_size
    return (side, side) if isinstance(side, int) else tuple(side)


def _new_fast_path(unet: torch.nn.Module) -> FastPath:
    if _device_type(unet) == "cpu":
        return TracedUNet()
    from explorer.runtime.graphs import GraphedUNet, join_weights

    join_weights(unet)
    return GraphedUNet()


def _weight_addresses(model: torch.nn.Module) -> tuple[int, ...] | None:
    """The addresses of its weights: graphs and copies are useless once they have moved.

    None for a model with hooks or another `forward`. A single traversal, as each takes
    milliseconds.
    """
    addresses: list[int] = []
    for module in model.modules():
        if "forward" in vars(module) or module._forward_hooks or module._forward_pre_hooks:
            return None
        parameters = module._parameters.values()
        addresses += [weight.data_ptr() for weight in parameters if weight is not None]
    return tuple(addresses)


def _fast_devices() -> tuple[str, ...]:
    return ("cpu",) if _plainly.is_set() else ("cpu", "cuda")


def _device_type(model: torch.nn.Module) -> str:
    """The device type of its first weight; diffusers' `device` traverses the model, too."""
    return next(model.parameters()).device.type


def _plain_inputs(
    sample, timestep, prompt_embeds, return_dict, options
) -> dict[str, torch.Tensor] | None:
    """The inputs by name, including SDXL's added ones; None for a call with other options."""
    options = {name: option for name, option in options.items() if option is not None}
    added = options.pop("added_cond_kwargs", {})
    inputs = dict(zip(INPUTS, (sample, timestep, prompt_embeds), strict=True)) | added
    if (
        return_dict
        or options
        or not all(isinstance(each, torch.Tensor) for each in inputs.values())
    ):
        return None
    return inputs
