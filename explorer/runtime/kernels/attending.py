"""Transformers over pixels, their norms and gates fused with the operations around them.

Importing this needs Triton.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers.models.activations import GEGLU
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import nn
from torch.nn import functional

from explorer.runtime.kernels import gates
from explorer.runtime.kernels.channel_sums import add_bias
from explorer.runtime.kernels.group_norm import group_norm
from explorer.runtime.sharing import Network


class FusedNorm(nn.Module):
    """A GroupNorm, with SiLU after it where asked."""

    def __init__(self, norm: nn.GroupNorm, silu: bool = False):
        super().__init__()
        self.norm, self.silu = norm, silu

    def forward(self, x: torch.Tensor, **added: torch.Tensor | None) -> torch.Tensor:
        """Normalize N x C x H x W; `added` are arguments of `group_norm`."""
        norm = self.norm
        return group_norm(
            x, norm.num_groups, norm.weight, norm.bias, norm.eps, silu=self.silu, **added
        )


@dataclass
class PreparedPrompt:
    """What transformer blocks need that does not depend on the pixels.

    `prompt_kv` holds each block's keys and values of the prompt, N x heads x tokens x C / heads;
    `pending_bias` each block's biases (C) to add before each of its three norms; `final_bias` (C)
    what remains to add after the output projection.
    """

    prompt_kv: list[tuple[torch.Tensor, ...]]
    pending_bias: list[list[torch.Tensor | None]]
    final_bias: torch.Tensor


class FusedTransformer(nn.Module):
    """Transformer blocks over pixels: in channels-last layout the pixels are tokens already.

    The blocks' products add to the tokens in place, without their biases, which are pending until
    the next norm adds them. `x` (N x C x H x W) may be half of a batch that guidance doubles: what
    both halves have in common, up to the first cross-attention, is then computed once.
    """

    proj_in: Network
    proj_out: Network
    blocks: Network

    def __init__(self, model: Network):
        super().__init__()
        self.norm = FusedNorm(model.norm)
        self.proj_in, self.proj_out = model.proj_in, model.proj_out
        self.blocks = nn.ModuleList(FusedBlock(each) for each in model.transformer_blocks)

    @staticmethod
    def fits(model: Network) -> bool:
        """Whether the model works on pixels and has nothing but its blocks between projections."""
        return (
            type(model) is Transformer2DModel
            and model.is_input_continuous
            and all(FusedBlock.fits(each) for each in model.transformer_blocks)
        )

    def prepare_prompt(self, prompt: torch.Tensor) -> PreparedPrompt:
        """Keys, values and pending biases for an encoded prompt, N x tokens x C."""
        pending_bias: list[list[torch.Tensor | None]] = []
        total: torch.Tensor | None = None
        for block in self.blocks:
            sums: list[torch.Tensor | None] = [total]
            for bias in block.biases:
                sums.append(bias if sums[-1] is None else sums[-1] + bias)
            total = sums.pop()
            pending_bias.append(sums)
        assert total is not None  # there is a block
        final_bias = torch.addmv(self.proj_out.bias, self.proj_out.weight.flatten(1), total)
        prompt_kv = [block.keys_and_values(prompt) for block in self.blocks]
        return PreparedPrompt(prompt_kv, pending_bias, final_bias)

    def forward(
        self,
        x: torch.Tensor,
        encoder_hidden_states: torch.Tensor | dict[nn.Module, PreparedPrompt],
        **_,
    ) -> tuple[torch.Tensor]:
        """N x C x H x W pixels; the prompt, N x tokens x C, or what `prepare_prompt` made of it."""
        prompt = encoder_hidden_states
        prepared = prompt[self] if isinstance(prompt, dict) else self.prepare_prompt(prompt)
        height, width = x.shape[2:]
        tokens = project(self.norm(x).permute(0, 2, 3, 1).flatten(1, 2), self.proj_in)
        biases = prepared.pending_bias
        for block, prompt_kv, pending in zip(self.blocks, prepared.prompt_kv, biases, strict=True):
            tokens = block(tokens, prompt_kv, pending)
        out = project(tokens, self.proj_out, bias=False).unflatten(1, (height, width))
        x = _repeat_batch(x, len(out))
        return (add_bias(out.permute(0, 3, 1, 2), prepared.final_bias, x),)


class FusedBlock(nn.Module):
    """Self-attention, cross-attention and a gated layer, each added to the tokens."""

    attn1: Network
    attn2: Network
    ff: Network

    def __init__(self, block: Network):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = block.norm1, block.norm2, block.norm3
        self.attn1, self.attn2, self.ff = block.attn1, block.attn2, block.ff

    @staticmethod
    def fits(block: Network) -> bool:
        """Whether this is the transformer block of Stable Diffusion, with nothing added to it."""
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
            and getattr(block.ff.net[0].proj, "bias", None) is not None
            and not block.training
        )

    @property
    def biases(self) -> list[torch.Tensor]:
        """The biases (C) of its three products, in their order."""
        return [self.attn1.to_out[0].bias, self.attn2.to_out[0].bias, self.ff.net[2].bias]

    def keys_and_values(self, prompt: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The prompt's keys and values for an encoded prompt, N x tokens x C."""
        return _keys_and_values(self.attn2, prompt)

    def forward(
        self,
        tokens: torch.Tensor,
        prompt_kv: tuple[torch.Tensor, ...],
        pending_bias: Sequence[torch.Tensor | None],
    ) -> torch.Tensor:
        """Tokens N x pixels x C, or twice as many where the prompt has twice the batch."""
        x = _layer_norm(self.norm1, tokens, pending_bias[0])
        _add_attention(self.attn1, tokens, *_self_attention_qkv(self.attn1, x))
        tokens = _repeat_batch(tokens, len(prompt_kv[0]))
        x = _layer_norm(self.norm2, tokens, pending_bias[1])
        query = _heads(self.attn2.to_q(x), self.attn2.heads)
        _add_attention(self.attn2, tokens, query, *prompt_kv)
        gate, _, out = self.ff.net
        _add_product(tokens, gate(_layer_norm(self.norm3, tokens, pending_bias[2])), out)
        return tokens


def prepare_prompt(model: Network, prompt: torch.Tensor) -> dict[nn.Module, PreparedPrompt]:
    """What each fused transformer needs of an encoded prompt (N x tokens x C), instead of it.

    Empty for a model with blocks of another kind, which take the prompt itself.
    """
    kinds = {type(module) for module in model.modules()}
    if BasicTransformerBlock in kinds or model.config.encoder_hid_dim_type is not None:
        return {}
    return {
        each: each.prepare_prompt(prompt)
        for each in model.modules()
        if type(each) is FusedTransformer
    }


class FusedGeglu(nn.Module):
    """A projection and its gate."""

    proj: Network

    def __init__(self, geglu: Network):
        super().__init__()
        self.proj = geglu.proj

    @staticmethod
    def fits(module: Network) -> bool:
        return type(module) is GEGLU and module.proj.bias is not None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Project N x tokens x C and gate the result."""
        return gates.projected_gelu(x, self.proj.weight, self.proj.bias)


def join_qkv_weights(model: nn.Module) -> None:
    """Store each self-attention's query, key and value weights as rows of one tensor.

    The parameters stay the same objects and use no more memory: only their storage moves. Layers
    other than a plain `nn.Linear` are left alone. Raises torch.OutOfMemoryError, with the model
    still intact.
    """
    for block in model.modules():
        if type(block) is not BasicTransformerBlock or not FusedBlock.fits(block):
            continue
        layers = _qkv_layers(block.attn1)
        if not _can_join(layers) or _joined_weight(layers) is not None:
            continue
        together = torch.cat([layer.weight.detach() for layer in layers])
        for layer, rows in zip(layers, together.chunk(3), strict=True):
            layer.weight.data = rows


def project(
    tokens: torch.Tensor,
    layer: nn.Linear | nn.Conv2d,
    bias: bool = True,
    columns: slice = slice(None),
) -> torch.Tensor:
    """A linear layer or a 1 x 1 convolution, or the input `columns` of it, on N x pixels x C."""
    weight = layer.weight.flatten(1)[:, columns]
    return functional.linear(tokens, weight, layer.bias if bias else None)


def _is_plain(attention: Network) -> bool:
    """Whether it has no norms, residuals or processors of its own."""
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


def _layer_norm(norm: nn.LayerNorm, x: torch.Tensor, pre_bias: torch.Tensor | None) -> torch.Tensor:
    return gates.layer_norm(x, norm.weight, norm.bias, norm.eps, pre_bias=pre_bias)


def _heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def _repeat_batch(x: torch.Tensor, count: int) -> torch.Tensor:
    """The batch repeated until it has `count` elements; `repeat` would change its layout."""
    return x if len(x) == count else torch.cat([x] * (count // len(x)))


def _add_attention(
    attention: Network,
    tokens: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
) -> None:
    answer = functional.scaled_dot_product_attention(query, key, value)
    _add_product(tokens, answer.transpose(1, 2).flatten(2), attention.to_out[0])


def _self_attention_qkv(attention: Network, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Queries, keys and values of the same tokens: one product where their weights are joined."""
    layers = _qkv_layers(attention)
    weight = _joined_weight(layers)
    if weight is None:
        parts = [layer(x) for layer in layers]
    else:
        parts = functional.linear(x, weight).chunk(3, dim=-1)
    return tuple(_heads(part, attention.heads) for part in parts)


def _keys_and_values(attention: Network, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return tuple(_heads(to(x), attention.heads) for to in (attention.to_k, attention.to_v))


def _qkv_layers(attention: Network) -> list[nn.Linear]:
    return [attention.to_q, attention.to_k, attention.to_v]


def _can_join(layers: Sequence[nn.Linear]) -> bool:
    """Whether they are plain linear layers of one shape, precision and device, without biases."""
    return (
        all(type(each) is nn.Linear and each.bias is None for each in layers)
        and all(type(each.weight) is nn.Parameter for each in layers)
        and len({(each.weight.shape, each.weight.dtype, each.weight.device) for each in layers})
        == 1
    )


def _joined_weight(layers: Sequence[nn.Linear]) -> torch.Tensor | None:
    """Their weights as one tensor where they are adjacent rows of one storage, else None."""
    if not _can_join(layers):
        return None
    first = layers[0].weight
    for number, layer in enumerate(layers):
        weight = layer.weight
        if (
            not weight.is_contiguous()
            or weight.untyped_storage().data_ptr() != first.untyped_storage().data_ptr()
            or weight.storage_offset() != first.storage_offset() + number * first.numel()
        ):
            return None
    rows, columns = first.shape
    return first.as_strided((len(layers) * rows, columns), (columns, 1))


def _add_product(tokens: torch.Tensor, x: torch.Tensor, layer: nn.Linear) -> None:
    """Add the layer's product, without its bias, to the tokens."""
    tokens.flatten(0, 1).addmm_(x.flatten(0, 1), layer.weight.t())
