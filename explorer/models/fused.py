"""A U-Net (or a VAE's decoder) with the same weights whose norms are fused with what follows.

Three quarters of what a Hopper GPU does in a half-precision U-Net call is convolution, projection
and attention; most of the rest is moving data for norms and activations. The copy made here
computes those with the kernels of kernels.py.
"""

from collections.abc import Sequence

import torch
from diffusers.models.activations import GEGLU
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.upsampling import Upsample2D
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from explorer.models import kernels
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


class FusedNorm(nn.Module):
    """A GroupNorm, with SiLU after it where asked."""

    def __init__(self, norm: nn.GroupNorm, silu: bool = False):
        super().__init__()
        self.norm, self.silu = norm, silu

    def forward(self, x: torch.Tensor, **added: torch.Tensor | None) -> torch.Tensor:
        norm = self.norm
        return kernels.group_norm(
            x, norm.num_groups, norm.weight, norm.bias, norm.eps, silu=self.silu, **added
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
        shift = None
        if self.time_emb_proj is not None and temb is not None:
            shift = self.time_emb_proj(temb if self.skip_time_act else functional.silu(temb))
        h = _without_bias(self.conv1, self.norm1(x))
        h = self.norm2(h, shift=shift, before=self.conv1.bias)
        h = _without_bias(self.conv2, h)
        residual = x if self.conv_shortcut is None else self.conv_shortcut(x)
        return kernels.add_bias(h, residual, self.conv2.bias)


class FusedTransformer(nn.Module):
    """Transformer blocks over pixels: in channels last the pixels are tokens as they lie.

    `x` may be the half of a batch that guidance doubles: what both halves have in common, up to the
    first look at the prompt, is then computed once.
    """

    def __init__(self, model: Transformer2DModel):
        super().__init__()
        self.norm = FusedNorm(model.norm)
        self.proj_in, self.proj_out = model.proj_in, model.proj_out
        self.blocks = nn.ModuleList(FusedBlock(each) for each in model.transformer_blocks)

    @staticmethod
    def fits(model: nn.Module) -> bool:
        """Whether the model works on pixels and has nothing but its blocks between projections."""
        return (
            type(model) is Transformer2DModel
            and model.is_input_continuous
            and all(FusedBlock.fits(each) for each in model.transformer_blocks)
        )

    def forward(self, x: torch.Tensor, encoder_hidden_states=None, **_) -> tuple[torch.Tensor]:
        height, width = x.shape[2:]
        tokens = _project(self.norm(x).permute(0, 2, 3, 1).flatten(1, 2), self.proj_in)
        owed = None
        for block in self.blocks:
            tokens, owed = block(tokens, owed, block.read(encoder_hidden_states))
        bias = torch.addmv(self.proj_out.bias, self.proj_out.weight.flatten(1), owed)
        out = _project(tokens, self.proj_out, bias=False).unflatten(1, (height, width))
        if len(x) < len(out):
            x = x.repeat(len(out) // len(x), 1, 1, 1)
        return (kernels.add_bias(out.permute(0, 3, 1, 2), x, bias),)


class FusedBlock(nn.Module):
    """Attention to itself, to the prompt, and a gated layer, each added to the tokens.

    The products add to the tokens in place, without their biases: these are owed, and added inside
    the next norm.
    """

    def __init__(self, block: BasicTransformerBlock):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = block.norm1, block.norm2, block.norm3
        self.attn1, self.attn2, self.ff = block.attn1, block.attn2, block.ff

    @staticmethod
    def fits(block: nn.Module) -> bool:
        """Whether the block is of the kind that Stable Diffusion is built of."""
        return (
            type(block) is BasicTransformerBlock
            and block.norm_type == "layer_norm"
            and block.norm_elementwise_affine
            and block.pos_embed is None
            and not block.only_cross_attention
            and not hasattr(block, "fuser")
            and block._chunk_size is None
            and all(_is_plain(each) for each in (block.attn1, block.attn2))
            and len(block.ff.net) == 3
            and type(block.ff.net[0]) in (GEGLU, FusedGeglu)
            and not block.training
        )

    def read(self, words) -> tuple[torch.Tensor, torch.Tensor]:
        """The prompt's keys and values: from the encoded prompt, or read before (see `read`)."""
        return words[self] if isinstance(words, dict) else self._keys_and_values(self.attn2, words)

    def forward(
        self, tokens: torch.Tensor, owed: torch.Tensor | None, words: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens and the bias owed to them, in and out."""
        x = _layer_norm(self.norm1, tokens, owed)
        owed = self._attend(self.attn1, x, self._keys_and_values(self.attn1, x), tokens, owed)
        if len(tokens) < len(words[0]):
            tokens = tokens.repeat(len(words[0]) // len(tokens), 1, 1)
        x = _layer_norm(self.norm2, tokens, owed)
        owed = self._attend(self.attn2, x, words, tokens, owed)
        gate, _, out = self.ff.net
        x = gate(_layer_norm(self.norm3, tokens, owed))
        return tokens, _add_product(tokens, x, out, owed)

    def _attend(self, attention, x, keys_and_values, tokens, owed) -> torch.Tensor:
        query = _heads(attention.to_q(x), attention.heads)
        answer = functional.scaled_dot_product_attention(query, *keys_and_values)
        return _add_product(tokens, answer.transpose(1, 2).flatten(2), attention.to_out[0], owed)

    @staticmethod
    def _keys_and_values(attention: Attention, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(_heads(to(x), attention.heads) for to in (attention.to_k, attention.to_v))


def read(model: nn.Module, words: torch.Tensor) -> dict[nn.Module, tuple[torch.Tensor, ...]]:
    """What a fused U-Net's blocks read of a prompt, to be given in the encoded prompt's place.

    Empty for a model with blocks of another kind, which take the prompt itself.
    """
    kinds = {type(module) for module in model.modules()}
    if BasicTransformerBlock in kinds or model.config.encoder_hid_dim_type is not None:
        return {}
    return {each: each.read(words) for each in model.modules() if type(each) is FusedBlock}


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
            return self.conv(kernels.doubled(x))
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


KINDS = (FusedResnet, FusedTransformer, FusedUpsample, FusedPixelAttention, FusedGeglu)


def _is_plain(attention: Attention) -> bool:
    """Whether it is nothing but projections, heads and their attention."""
    return (
        type(attention) is Attention
        and type(attention.processor) is AttnProcessor2_0
        and attention.norm_q is None
        and attention.norm_k is None
        and attention.group_norm is None
        and attention.spatial_norm is None
        and not attention.norm_cross
        and not attention.residual_connection
        and attention.rescale_output_factor == 1
    )


def _layer_norm(norm: nn.LayerNorm, x: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
    return kernels.layer_norm(x, norm.weight, norm.bias, norm.eps, before=before)


def _heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def _add_product(
    tokens: torch.Tensor, x: torch.Tensor, layer: nn.Linear, owed: torch.Tensor | None
) -> torch.Tensor:
    """Add the layer's product to the tokens; returns what is owed with its bias."""
    tokens.flatten(0, 1).addmm_(x.flatten(0, 1), layer.weight.t())
    return layer.bias if owed is None else owed + layer.bias


def _project(tokens: torch.Tensor, layer: nn.Module, bias: bool = True) -> torch.Tensor:
    """A linear layer, or a convolution of one pixel, on N x pixels x C."""
    return functional.linear(tokens, layer.weight.flatten(1), layer.bias if bias else None)


def _without_bias(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(x, conv.weight, None, conv.stride, conv.padding)
