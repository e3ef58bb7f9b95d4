"""Networks without Python's share of their time: one door to what their device offers.

On a CPU traced graphs (traced.py), on a GPU CUDA graphs of networks with fused kernels (graphs.py,
fused.py). The weights are the networks' own.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel

from explorer.runtime.sharing import sharing_copy
from explorer.runtime.traced import TracedDecoding, Traces

LOG = logging.getLogger(__name__)

_WAY = "_explorer_way"  # where a U-Net keeps its own
INPUTS = ("sample", "timestep", "encoder_hidden_states")
GRAPHED = 80 * 80  # pixels of a latent up to which launching takes longer than decoding
SMALL = 50_000_000  # weights of a network that a CPU may go through once more to make its graph


class Way(Protocol):
    """How a U-Net may answer faster; made once for it, and made anew when its weights move."""

    def answer(
        self, unet: torch.nn.Module, inputs: dict[str, torch.Tensor], guided: bool = False
    ) -> Any:
        """The answer to these inputs, or None where the U-Net had better answer itself."""

    def free(self) -> bool:
        """Let go of all memory; whether there was any to let go of."""


@contextmanager
def fast(
    unet: torch.nn.Module, guided: bool = False, check: Callable[[], None] | None = None
) -> Iterator[None]:
    """Let `unet` answer plain calls in the fastest way of its device; all others as ever.

    `guided` promises that the second half of every batch repeats the first but for the prompt.
    A U-Net that somebody has hooked into or given another `forward` is left alone: a graph would
    pass it by. On CUDA answers differ by the rounding of half precision, on a CPU by nothing, or
    by that of float32 where `guided`. Where memory runs out the graphs are let go and the call is
    made once more without them. `check` is called now and then within a long call on a CPU; what it
    raises ends the call.
    """
    way = way_of(unet)
    if way is None:
        yield
        return
    own = unet.forward
    checking = {"check": check} if isinstance(way, Traces) else {}

    def forward(sample, timestep, encoder_hidden_states, return_dict=True, **options):
        inputs = _plain(sample, timestep, encoder_hidden_states, return_dict, options)
        answer = None if inputs is None else way.answer(unet, inputs, guided, **checking)
        if answer is not None:
            return (answer,)
        every = (sample, timestep, encoder_hidden_states)
        try:
            return own(*every, return_dict=return_dict, **options)
        except torch.OutOfMemoryError:
            if not way.free():
                raise
            LOG.warning("memory ran out: the U-Net's graphs were let go")
        return own(*every, return_dict=return_dict, **options)

    unet.forward = forward
    try:
        yield
    finally:
        del unet.forward


def way_of(unet: torch.nn.Module) -> Way | None:
    """The U-Net's way, made where it is missing or where its weights have moved; None without."""
    if type(unet) is not UNet2DConditionModel or _kind(unet) not in ("cpu", "cuda"):
        return None
    weights = _places(unet)
    if weights is None:
        return None
    known, way = vars(unet).get(_WAY, (None, None))
    if known != weights:
        if way is not None:
            way.free()
        way = _new_way(unet)
        vars(unet)[_WAY] = _places(unet), way  # they may have been moved for it
    return way


@contextmanager
def fast_reading(encoder: torch.nn.Module | None) -> Iterator[None]:
    """Let a text encoder on a GPU answer plain calls by a graph: a prompt is launched at once."""
    plain = type(encoder) is CLIPTextModel and _kind(encoder) == "cuda"
    if not plain or _places(encoder) is None:
        yield
        return
    own = encoder.forward
    replayed = _kept(encoder, lambda: _replayed(lambda tokens: own(tokens)[0]))

    def forward(input_ids, attention_mask=None, **options):
        plain = attention_mask is None and not any(options.values())
        answer = replayed(input_ids) if plain else None
        return own(input_ids, attention_mask, **options) if answer is None else (answer,)

    encoder.forward = forward
    try:
        yield
    finally:
        del encoder.forward


def quick_vae(vae: torch.nn.Module) -> torch.nn.Module:
    """The VAE as fast as its device has it, over the same weights; itself where nothing is won."""
    if _places(vae) is None or not (_kind(vae) == "cuda" or is_small(vae)):
        return vae
    quick = _kept(vae, lambda: _quick_vae(vae))
    for name, value in vars(vae).items():
        if isinstance(value, bool | int | float):  # whether it tiles, and how
            setattr(quick, name, value)
    return quick


def _quick_vae(vae: torch.nn.Module) -> torch.nn.Module:
    if _kind(vae) == "cuda":
        from explorer.runtime.graphs import quick_copy

        quick = quick_copy(vae)
        own = quick.decode
        by_graph = _replayed(lambda latents: own(latents, return_dict=False)[0])
    else:
        quick = sharing_copy(vae)
        own = quick.decode
        by_graph = TracedDecoding(vae)
    weights = _places(quick)

    def decode(latents, return_dict=True, **options):
        answer = None
        small = latents.shape[-2] * latents.shape[-1] <= GRAPHED
        # In float32 for a while, its weights lie elsewhere.
        if small and not return_dict and not options and weights == _places(quick):
            answer = by_graph(latents)
        return own(latents, return_dict, **options) if answer is None else (answer,)

    quick.decode = decode
    return quick


def is_small(model: torch.nn.Module) -> bool:
    """Whether it is worth a CPU's time to go through the model once more for its graph."""
    return _kind(model) == "cpu" and model.num_parameters() < SMALL


def _replayed(work: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    from explorer.runtime.graphs import Replayed

    return Replayed(work)


def _kept(model: torch.nn.Module, make: Callable[[], Any]) -> Any:
    """What was made for the model, made anew where its weights have moved."""
    weights = _places(model)
    known, made = vars(model).get(_WAY, (None, None))
    if known != weights:
        made = make()
        vars(model)[_WAY] = weights, made
    return made


def release_graphs(unet: torch.nn.Module) -> None:
    """Free the graphs of a U-Net that is no longer used, or whose memory is wanted."""
    _, way = vars(unet).pop(_WAY, (None, None))
    if way is not None:
        way.free()


def warm_up(unet: torch.nn.Module, batch: int, tokens: int) -> None:
    """Make the graph for a guided `batch` of the model's own size, before somebody waits for it.

    Does nothing for a U-Net that asks for more than a prompt (SDXL's).
    """
    config = unet.config
    if config.addition_embed_type is not None:
        return
    place = {"device": unet.device, "dtype": unet.dtype}
    sample = torch.zeros(batch, config.in_channels, *_own_size(unet), **place)
    words = torch.zeros(batch, tokens, config.cross_attention_dim, **place)
    timestep = torch.zeros(batch, device=unet.device)
    with fast(unet, guided=True), torch.no_grad():
        for _ in range(2):  # TorchScript looks at the first call and improves the next
            unet(sample, timestep, encoder_hidden_states=words, return_dict=False)


def warm_up_decoding(vae: torch.nn.Module, unet: torch.nn.Module) -> None:
    """Make the graph that decodes one picture of the model's own size."""
    place = {"device": vae.device, "dtype": vae.dtype}
    latents = torch.zeros(1, unet.config.in_channels, *_own_size(unet), **place)
    with torch.no_grad():
        for _ in range(2):
            quick_vae(vae).decode(latents, return_dict=False)


def _own_size(unet: torch.nn.Module) -> tuple[int, int]:
    side = unet.config.sample_size
    return (side, side) if isinstance(side, int) else tuple(side)


def _new_way(unet: torch.nn.Module) -> Way:
    if _kind(unet) == "cpu":
        return Traces()
    from explorer.runtime.graphs import Graphs, lay_out

    lay_out(unet)
    return Graphs()


def _places(model: torch.nn.Module) -> tuple[int, ...] | None:
    """Where its weights lie: graphs and copies are of no use when they have moved.

    None for a model that somebody has hooked into. One walk: each takes milliseconds.
    """
    places: list[int] = []
    for module in model.modules():
        if "forward" in vars(module) or module._forward_hooks or module._forward_pre_hooks:
            return None
        parameters = module._parameters.values()
        places += [weight.data_ptr() for weight in parameters if weight is not None]
    return tuple(places)


def _kind(model: torch.nn.Module) -> str:
    """The kind of device its first weight is on; diffusers' own answer takes a walk, too."""
    return next(model.parameters()).device.type


def _plain(sample, timestep, words, return_dict, options) -> dict[str, torch.Tensor] | None:
    """The inputs by name, SDXL's added ones among them; None for a call that asks for more."""
    options = {name: option for name, option in options.items() if option is not None}
    added = options.pop("added_cond_kwargs", {})
    inputs = dict(zip(INPUTS, (sample, timestep, words), strict=True)) | added
    if (
        return_dict
        or options
        or not all(isinstance(each, torch.Tensor) for each in inputs.values())
    ):
        return None
    return inputs
