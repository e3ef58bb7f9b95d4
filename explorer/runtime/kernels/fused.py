"""A U-Net (or a VAE's decoder) with the same weights whose norms are fused with what follows.

Three quarters of what a Hopper GPU does in a half-precision U-Net call is convolution, projection
and attention; most of the rest is moving data for norms and activations. The copy made here
computes those with the kernels of group_norm.py and gates.py.
"""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import nn

from explorer.runtime.kernels.attending import FusedGeglu, FusedNorm, FusedTransformer
from explorer.runtime.kernels.residual import (
    FusedDownsample,
    FusedResnet,
    FusedUpBlock,
    FusedUpsample,
    share_time,
)
from explorer.runtime.sharing import Network, sharing_copy

SCORES = 2**26  # of the VAE's attention held at a time: 256 MB in float32


def fused(model: nn.Module, kinds: Sequence[type] | None = None) -> Network:
    """A copy of `model`, sharing every weight with it, with fused norms and activations.

    `kinds` are those of KINDS to use, by default all.
    """
    copy = sharing_copy(model)
    fused_kinds: Sequence[Any] = KINDS if kinds is None else kinds
    for module in list(copy.modules()):  # those of replaced parents too: their parts are kept
        for name, child in list(module.named_children()):
            for kind in fused_kinds:
                if kind.fits(child):
                    setattr(module, name, kind(child))
        out = getattr(module, "conv_norm_out", None)
        if isinstance(out, nn.GroupNorm) and isinstance(module.conv_act, nn.SiLU):
            module.conv_norm_out = FusedNorm(out, silu=True)
            module.conv_act = nn.Identity()
    share_time(copy)
    return copy


class FusedPixelAttention(nn.Module):
    """The VAE's attention: one head as wide as all channels, which no fast kernel takes.

    Written out it is a few large products; a slice of the queries at a time bounds their size.
    """

    def __init__(self, attention: Network):
        super().__init__()
        self.norm = FusedNorm(attention.group_norm)
        self.to_q, self.to_k, self.to_v = attention.to_q, attention.to_k, attention.to_v
        self.to_out = attention.to_out[0]

    @staticmethod
    def fits(attention: Network) -> bool:
        """Whether it is the VAE's, and so wide that it is worth writing out."""
        return (
            type(attention) is Attention
            and attention.heads == 1
            and attention.inner_dim > 256
            and isinstance(attention.group_norm, nn.GroupNorm)
            and attention.residual_connection
            and attention.rescale_output_factor == 1
            and attention.spatial_norm is None
            and attention.norm_q is None
        )

    def forward(self, x: torch.Tensor, **_) -> torch.Tensor:
        """Attend over the pixels of N x C x H x W and add the result to them."""
        n, _, height, width = x.shape
        tokens = self.norm(x).permute(0, 2, 3, 1).flatten(1, 2)
        query, key, value = (to(tokens) for to in (self.to_q, self.to_k, self.to_v))
        rows = max(1, SCORES // (n * height * width))
        parts = [_attention(part, key, value) for part in query.split(rows, dim=1)]
        out = self.to_out(torch.cat(parts, dim=1)).unflatten(1, (height, width))
        return out.permute(0, 3, 1, 2) + x


KINDS = (
    FusedUpBlock,
    FusedResnet,
    FusedTransformer,
    FusedUpsample,
    FusedDownsample,
    FusedPixelAttention,
    FusedGeglu,
)


def _attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Attention (Vaswani et al. 2017) of N x tokens x C, the scores in float32."""
    if query.is_cuda and query.dtype != torch.float32:
        scores = torch.bmm(query, key.mT, out_dtype=torch.float32)
    else:
        scores = torch.bmm(query.float(), key.mT.float())
    weights = (scores * query.shape[-1] ** -0.5).softmax(dim=-1)
    return weights.to(value.dtype) @ value
