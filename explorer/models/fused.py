"""A U-Net (or a VAE's decoder) with the same weights whose norms are fused with what follows.

Three quarters of what a Hopper GPU does in a half-precision U-Net call is convolution, projection
and attention; most of the rest is moving data for norms and activations. The copy made here
computes those with the kernels of kernels.py.
"""

import torch
from diffusers.models.activations import GEGLU
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import nn
from torch.nn import functional

from explorer.models import kernels
from explorer.models.sharing import sharing_copy


def fused(model: nn.Module) -> nn.Module:
    """A copy of `model`, sharing every weight with it, with fused norms and activations."""
    double = sharing_copy(model)
    for module in list(double.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, ResnetBlock2D) and FusedResnet.fits(child):
                setattr(module, name, FusedResnet(child))
            elif type(child) is GEGLU:
                setattr(module, name, FusedGeglu(child))
        if type(module) is Transformer2DModel and isinstance(module.norm, nn.GroupNorm):
            module.norm = FusedNorm(module.norm)
        out = getattr(module, "conv_norm_out", None)
        if isinstance(out, nn.GroupNorm) and isinstance(module.conv_act, nn.SiLU):
            module.conv_norm_out = FusedNorm(out, silu=True)
            module.conv_act = nn.Identity()
    return double


class FusedNorm(nn.Module):
    """A GroupNorm, with SiLU after it where asked."""

    def __init__(self, norm: nn.GroupNorm, silu: bool = False):
        super().__init__()
        self.norm, self.silu = norm, silu

    def forward(self, x: torch.Tensor, shift: torch.Tensor | None = None) -> torch.Tensor:
        norm = self.norm
        return kernels.group_norm(
            x, norm.num_groups, norm.weight, norm.bias, norm.eps, silu=self.silu, shift=shift
        )


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
    def fits(block: ResnetBlock2D) -> bool:
        """Whether the block is of the kind that Stable Diffusion is built of."""
        return (
            type(block) is ResnetBlock2D
            and block.time_embedding_norm == "default"
            and block.upsample is None
            and block.downsample is None
            and block.output_scale_factor == 1.0
            and isinstance(block.nonlinearity, nn.SiLU)
            and (block.dropout.p == 0 or not block.training)
        )

    def forward(self, x: torch.Tensor, temb: torch.Tensor | None, *_, **__) -> torch.Tensor:
        shift = self.conv1.bias[None].expand(len(x), -1)
        if self.time_emb_proj is not None and temb is not None:
            shift = shift + self.time_emb_proj(
                temb if self.skip_time_act else functional.silu(temb)
            )
        h = self.norm2(_without_bias(self.conv1, self.norm1(x)), shift)
        h = _without_bias(self.conv2, h)
        residual = x if self.conv_shortcut is None else self.conv_shortcut(x)
        return kernels.add_bias(h, residual, self.conv2.bias)


class FusedGeglu(nn.Module):
    """A projection and its gate."""

    def __init__(self, geglu: GEGLU):
        super().__init__()
        self.proj = geglu.proj

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return kernels.gated_gelu(self.proj(x))


def _without_bias(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(x, conv.weight, None, conv.stride, conv.padding)
