"""A U-Net (or a VAE's decoder) with the same weights whose norms are fused with what follows.

Three quarters of what a Hopper GPU does in a half-precision U-Net call is convolution, projection
and attention; most of the rest is moving data for norms and activations. The copy made here
computes those with the kernels of kernels.py.
"""

import torch
from diffusers.models.activations import GEGLU
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from explorer.models import kernels
from explorer.models.sharing import sharing_copy

SCORES = 2**26  # of the VAE's attention held at a time: 256 MB in float32


def fused(model: nn.Module) -> nn.Module:
    """A copy of `model`, sharing every weight with it, with fused norms and activations."""
    double = sharing_copy(model)
    for module in list(double.modules()):  # those of replaced parents too: their parts are kept
        for name, child in list(module.named_children()):
            for kind in (FusedResnet, FusedTransformer, FusedPixelAttention, FusedGeglu):
                if kind.fits(child):
                    setattr(module, name, kind(child))
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
    def fits(block: nn.Module) -> bool:
        """Whether the block is of the kind that Stable Diffusion is built of."""
        return (
            type(block) is ResnetBlock2D
            and (block.time_embedding_norm == "default" or block.time_emb_proj is None)
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


class FusedTransformer(nn.Module):
    """Transformer blocks over pixels: in channels last the pixels are tokens as they lie."""

    def __init__(self, model: Transformer2DModel):
        super().__init__()
        self.norm = FusedNorm(model.norm)
        self.proj_in, self.proj_out = model.proj_in, model.proj_out
        self.transformer_blocks = model.transformer_blocks

    @staticmethod
    def fits(model: nn.Module) -> bool:
        """Whether the model works on pixels and has nothing but its blocks between projections."""
        return type(model) is Transformer2DModel and model.is_input_continuous

    def forward(self, x: torch.Tensor, encoder_hidden_states=None, **_) -> tuple[torch.Tensor]:
        height, width = x.shape[2:]
        tokens = _project(self.norm(x).permute(0, 2, 3, 1).flatten(1, 2), self.proj_in)
        for block in self.transformer_blocks:
            tokens = block(tokens, encoder_hidden_states=encoder_hidden_states)
        out = _project(tokens, self.proj_out, bias=False).unflatten(1, (height, width))
        return (kernels.add_bias(out.permute(0, 3, 1, 2), x, self.proj_out.bias),)


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


class FusedGeglu(nn.Module):
    """A projection and its gate."""

    def __init__(self, geglu: GEGLU):
        super().__init__()
        self.proj = geglu.proj

    @staticmethod
    def fits(module: nn.Module) -> bool:
        return type(module) is GEGLU

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return kernels.gated_gelu(self.proj(x))


def _project(tokens: torch.Tensor, layer: nn.Module, bias: bool = True) -> torch.Tensor:
    """A linear layer, or a convolution of one pixel, on N x pixels x C."""
    return functional.linear(tokens, layer.weight.flatten(1), layer.bias if bias else None)


def _without_bias(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(x, conv.weight, None, conv.stride, conv.padding)
