"""A U-Net (or a VAE's decoder) with the same weights whose norms are fused with what follows.

Three quarters of what a Hopper GPU does in a half-precision U-Net call is convolution, projection
and attention; most of the rest is moving data for norms and activations. The copy made here
computes those with the kernels of norms.py and gates.py.
"""

from collections.abc import Sequence

import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from explorer.models import gates
from explorer.models.attending import FusedGeglu, FusedNorm, FusedTransformer, project
from explorer.models.sharing import sharing_copy

SCORES = 2**26  # of the VAE's attention held at a time: 256 MB in float32


def fused(model: nn.Module, kinds: Sequence[type] | None = None) -> nn.Module:
    """A copy of `model`, sharing every weight with it, with fused norms and activations.

    `kinds` says which of KINDS to use, where it is not all.
    """
    double = sharing_copy(model)
    for module in list(double.modules()):  # those of replaced parents too: their parts are kept
        for name, child in list(module.named_children()):
            for kind in KINDS if kinds is None else kinds:
                if kind.fits(child):
                    setattr(module, name, kind(child))
        out = getattr(module, "conv_norm_out", None)
        if isinstance(out, nn.GroupNorm) and isinstance(module.conv_act, nn.SiLU):
            module.conv_norm_out = FusedNorm(out, silu=True)
            module.conv_act = nn.Identity()
    return double


class FusedResnet(nn.Module):
    """A residual block: norm, SiLU, convolution, twice, the time's embedding in between.

    The first convolution's bias and the embedding are added inside the second norm, the second
    convolution's bias together with the residual.
    """

    def __init__(self, block: ResnetBlock2D):
        super().__init__()
        self.norm1, self.norm2 = (
            FusedNorm(block.norm1, silu=True),
            FusedNorm(block.norm2, silu=True),
        )
        self.conv1, self.conv2, self.conv_shortcut = block.conv1, block.conv2, block.conv_shortcut
        self.time_emb_proj = block.time_emb_proj
        self.skip_time_act = block.skip_time_act

    @staticmethod
    def fits(block: nn.Module) -> bool:
        """Whether the block is of the kind that Stable Diffusion is built of."""
        return (
            type(block) is ResnetBlock2D
            and (block.time_embedding_norm == "default" or block.time_emb_proj is None)
            and block.upsample is None
            and block.downsample is None
            and block.output_scale_factor == 1.0
            and isinstance(block.nonlinearity, nn.SiLU)
            and (block.conv_shortcut is None or block.conv_shortcut.kernel_size == (1, 1))
            and (block.dropout.p == 0 or not block.training)
        )

    def forward(self, x: torch.Tensor, temb: torch.Tensor | None, *_, **__) -> torch.Tensor:
        shift = None
        if self.time_emb_proj is not None and temb is not None:
            shift = self.time_emb_proj(temb if self.skip_time_act else functional.silu(temb))
        h = _without_bias(self.conv1, self.norm1(x))
        h = self.norm2(h, shift=shift, before=self.conv1.bias)
        h = _without_bias(self.conv2, h)
        if self.conv_shortcut is not None:
            height, width = x.shape[2:]
            x = project(x.permute(0, 2, 3, 1).flatten(1, 2), self.conv_shortcut)
            x = x.unflatten(1, (height, width)).permute(0, 3, 1, 2)
        return gates.add_bias(h, x, self.conv2.bias)


class FusedUpsample(nn.Module):
    """Pixels doubled, then a convolution."""

    def __init__(self, upsample: Upsample2D):
        super().__init__()
        self.conv = upsample.conv

    @staticmethod
    def fits(module: nn.Module) -> bool:
        return (
            type(module) is Upsample2D
            and module.use_conv
            and module.name == "conv"
            and module.interpolate
            and module.norm is None
            and not module.use_conv_transpose
        )

    def forward(self, x: torch.Tensor, output_size=None, **_) -> torch.Tensor:
        if output_size is None:
            return self.conv(gates.doubled(x))
        return self.conv(functional.interpolate(x, size=output_size, mode="nearest"))


class FusedPixelAttention(nn.Module):
    """The VAE's attention: one head as wide as all channels, which no fast kernel takes.

    Written out it is a few large products; a slice of the queries at a time bounds their size.
    """

    def __init__(self, attention: Attention):
        super().__init__()
        self.norm = FusedNorm(attention.group_norm)
        self.to_q, self.to_k, self.to_v = attention.to_q, attention.to_k, attention.to_v
        self.to_out = attention.to_out[0]

    @staticmethod
    def fits(attention: nn.Module) -> bool:
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
        n, _, height, width = x.shape
        tokens = self.norm(x).permute(0, 2, 3, 1).flatten(1, 2)
        query, key, value = (to(tokens)[:, None] for to in (self.to_q, self.to_k, self.to_v))
        rows = max(1, SCORES // (n * height * width))
        with sdpa_kernel(SDPBackend.MATH):  # its scores are float32, as in the fast kernels
            parts = [
                functional.scaled_dot_product_attention(part, key, value)
                for part in query.split(rows, dim=2)
            ]
        out = self.to_out(torch.cat(parts, dim=2)[:, 0]).unflatten(1, (height, width))
        return out.permute(0, 3, 1, 2) + x


KINDS = (FusedResnet, FusedTransformer, FusedUpsample, FusedPixelAttention, FusedGeglu)


def _without_bias(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(x, conv.weight, None, conv.stride, conv.padding)
