"""What a guided batch computes twice: all that a U-Net does before it first looks at the prompt.

Guidance doubles each batch, once with the prompt and once without. Up to the first attention to the
prompt both halves are the same numbers: here they are computed once.
"""

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_2d_blocks import DownBlock2D
from torch import nn

from explorer.runtime.sharing import sharing_copy


def once(unet: nn.Module) -> nn.Module:
    """A copy over the same weights for batches whose second half repeats the first but for words.

    A U-Net that is told more than words (SDXL's), or that looks at them first elsewhere, is
    returned as it is.
    """
    looks = _first_look(unet)
    if looks is None:
        return unet
    copy = sharing_copy(unet)
    copy.conv_in = _Once(copy.conv_in)
    for number in range(looks):
        copy.down_blocks[number] = _OnceBlock(copy.down_blocks[number])
    block = copy.down_blocks[looks]
    block.resnets[0] = _FirstHalf(block.resnets[0])
    if type(block.attentions[0]) is Transformer2DModel:
        block.attentions[0] = _HalfTransformer(block.attentions[0])
    return copy


def _first_look(unet: nn.Module) -> int | None:
    """The number of the block that first attends to words; None where halves may part before."""
    asks = ("addition_embed_type", "class_embed_type", "num_class_embeds", "encoder_hid_dim_type")
    if any(getattr(unet.config, name) is not None for name in asks):
        return None
    for number, block in enumerate(unet.down_blocks):
        if getattr(block, "has_cross_attention", False):
            first = block.attentions[0]
            known = type(first) is not Transformer2DModel or _HalfTransformer.fits(first)
            return number if known else None
        if type(block) is not DownBlock2D:
            return None
    return None


class _Once(nn.Module):
    """A layer of whose input one half is enough; its output is both."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _both(self.layer(_half(x)))


class _OnceBlock(nn.Module):
    """A block without attention of whose input one half is enough; its outputs are both."""

    def __init__(self, block: nn.Module):
        super().__init__()
        self.block = block

    def forward(self, hidden_states: torch.Tensor, temb: torch.Tensor):
        x, skips = self.block(_half(hidden_states), _time(temb, self.block.resnets[0]))
        return _both(x), tuple(_both(skip) for skip in skips)


class _FirstHalf(nn.Module):
    """A residual block that goes on with one half."""

    def __init__(self, block: nn.Module):
        super().__init__()
        self.block = block

    def forward(self, x: torch.Tensor, temb: torch.Tensor) -> torch.Tensor:
        return self.block(_half(x), _time(temb, self.block))


class _HalfTransformer(nn.Module):
    """Diffusers' transformer over pixels, which takes one half up to its first look at words."""

    def __init__(self, model: Transformer2DModel):
        super().__init__()
        self.model = model

    @staticmethod
    def fits(model: Transformer2DModel) -> bool:
        """Whether its first block attends to pixels, then to words, with nothing in between."""
        block = next(iter(model.transformer_blocks), None)
        return (
            model.is_input_continuous
            and not model.use_linear_projection
            and type(block) is BasicTransformerBlock
            and block.norm_type == "layer_norm"
            and block.pos_embed is None
            and block.attn2 is not None
            and not block.only_cross_attention
            and not hasattr(block, "fuser")
        )

    def forward(self, x: torch.Tensor, encoder_hidden_states=None, **_) -> tuple[torch.Tensor]:
        model, words = self.model, encoder_hidden_states
        n, _, height, width = x.shape
        h = model.proj_in(model.norm(x))
        tokens = h.permute(0, 2, 3, 1).reshape(n, height * width, -1)  # N x pixels x C
        first, *others = model.transformer_blocks
        tokens = _both(first.attn1(first.norm1(tokens)) + tokens)  # 2N from here on
        tokens = first.attn2(first.norm2(tokens), encoder_hidden_states=words) + tokens
        tokens = first.ff(first.norm3(tokens)) + tokens
        for block in others:
            tokens = block(tokens, encoder_hidden_states=words)
        h = tokens.reshape(2 * n, height, width, -1).permute(0, 3, 1, 2).contiguous()
        return (model.proj_out(h) + _both(x),)


def _half(x: torch.Tensor) -> torch.Tensor:
    return x[: len(x) // 2]


def _time(temb: torch.Tensor, resnet: nn.Module) -> torch.Tensor:
    """The time's embedding of one half; whole for a block that takes its part itself."""
    return temb if getattr(resnet, "takes_all_times", False) else _half(temb)


def _both(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, x])
