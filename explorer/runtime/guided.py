"""Computes once what classifier-free guidance would compute twice.

Guidance doubles each batch, once with the prompt and once without. Up to the first cross-attention
both halves are the same numbers.
"""

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_2d_blocks import DownBlock2D
from torch import nn

from explorer.runtime.sharing import Network, sharing_copy


def dedup_cfg(unet: Network) -> Network:
    """A copy that shares the weights, for batches whose halves differ only in the prompt.

    A U-Net that takes more than a prompt (SDXL's), or that uses it before its first transformer, is
    returned as it is.
    """
    first = _first_cross_attention(unet)
    if first is None:
        return unet
    copy = sharing_copy(unet)
    copy.conv_in = _DedupLayer(copy.conv_in)
    for number in range(first):
        copy.down_blocks[number] = _DedupBlock(copy.down_blocks[number])
    block = copy.down_blocks[first]
    block.resnets[0] = _HalfBatchResnet(block.resnets[0])
    if type(block.attentions[0]) is Transformer2DModel:
        block.attentions[0] = _DedupTransformer(block.attentions[0])
    return copy


def _first_cross_attention(unet: Network) -> int | None:
    """The first block with cross-attention; None where halves may differ before it."""
    conditions = (
        "addition_embed_type",
        "class_embed_type",
        "num_class_embeds",
        "encoder_hid_dim_type",
    )
    if any(getattr(unet.config, name) is not None for name in conditions):
        return None
    for number, block in enumerate(unet.down_blocks):
        if getattr(block, "has_cross_attention", False):
            first = block.attentions[0]
            known = type(first) is not Transformer2DModel or _DedupTransformer.fits(first)
            return number if known else None
        if type(block) is not DownBlock2D:
            return None
    return None


class _DedupLayer(nn.Module):
    """A layer that runs on half of its batch; its output is doubled."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _double(self.layer(_half_batch(x)))


class _DedupBlock(nn.Module):
    """A block without attention that runs on half of its batch; its outputs are doubled."""

    def __init__(self, block: Network):
        super().__init__()
        self.block: Network = block

    def forward(self, hidden_states: torch.Tensor, temb: torch.Tensor):
        x, skips = self.block(
            _half_batch(hidden_states), _time_embedding(temb, self.block.resnets[0])
        )
        return _double(x), tuple(_double(skip) for skip in skips)


class _HalfBatchResnet(nn.Module):
    """A residual block that runs on half of its batch and returns that half."""

    def __init__(self, block: Network):
        super().__init__()
        self.block: Network = block

    def forward(self, x: torch.Tensor, temb: torch.Tensor) -> torch.Tensor:
        return self.block(_half_batch(x), _time_embedding(temb, self.block))


class _DedupTransformer(nn.Module):
    """Diffusers' transformer over pixels, given half of a batch: doubled before cross-attention."""

    def __init__(self, model: Transformer2DModel):
        super().__init__()
        self.model: Network = model

    @staticmethod
    def fits(model: Network) -> bool:
        """Whether its first block has self-attention, then cross-attention, and nothing between."""
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
        model, prompt = self.model, encoder_hidden_states
        n, _, height, width = x.shape
        h = model.proj_in(model.norm(x))
        tokens = h.permute(0, 2, 3, 1).reshape(n, height * width, -1)  # N x pixels x C
        first, *others = model.transformer_blocks
        tokens = _double(first.attn1(first.norm1(tokens)) + tokens)  # 2N from here on
        tokens = first.attn2(first.norm2(tokens), encoder_hidden_states=prompt) + tokens
        tokens = first.ff(first.norm3(tokens)) + tokens
        for block in others:
            tokens = block(tokens, encoder_hidden_states=prompt)
        h = tokens.reshape(2 * n, height, width, -1).permute(0, 3, 1, 2).contiguous()
        return (model.proj_out(h) + _double(x),)


def _half_batch(x: torch.Tensor) -> torch.Tensor:
    return x[: len(x) // 2]


def _time_embedding(temb: torch.Tensor, resnet: Network) -> torch.Tensor:
    """The time embedding of half of the batch; whole for a block that takes its part itself."""
    return temb if getattr(resnet, "takes_full_batch_time", False) else _half_batch(temb)


def _double(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, x])
