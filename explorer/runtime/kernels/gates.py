"""Triton kernels for what a U-Net does between its products: gates, norms of tokens.

Importing this needs Triton.
"""

from functools import cache

import torch
import triton
import triton.language as tl
from torch.nn import functional
from triton.tools.tensor_descriptor import TensorDescriptor

from explorer.runtime.kernels.compilation import Kernel

TILE = 128, 64, 64, 4, 3  # of a product: rows, columns, inner, warps, stages
DEEP, DEEP_TILE = 1280, (128, 128, 64, 8, 4)  # from so many inputs on this one is faster on an H100


def doubled(x: torch.Tensor) -> torch.Tensor:
    """Every pixel of N x C x H x W four times: twice the height and the width, channels last."""
    x = x.contiguous(memory_format=torch.channels_last)
    n, c, h, w = x.shape
    layout = {"dtype": x.dtype, "device": x.device, "memory_format": torch.channels_last}
    out = torch.empty((n, c, 2 * h, 2 * w), **layout)
    _doubled[n * h * w, triton.cdiv(c, 1024)](x, out, w, c, 1024)
    return out


def layer_norm(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    eps: float,
    *,
    pre_bias: torch.Tensor | None = None,
) -> torch.Tensor:
    """LayerNorm (Ba et al. 2016) of `x + pre_bias`, sums in float32.

    `x` is N x tokens x C; `weight`, `bias` and `pre_bias` are (C).
    """
    x = x.contiguous()
    c, out = x.shape[-1], torch.empty_like(x)
    count, pad = x.numel() // c, triton.next_power_of_2(c)
    rows = max(1, 2048 // pad)
    _layer_norm[(triton.cdiv(count, rows),)](
        x, pre_bias, weight, bias, out, count, c, eps, rows, pad
    )
    return out


def gated_gelu(x: torch.Tensor) -> torch.Tensor:
    """GEGLU (Shazeer 2020) of N x tokens x 2C: the first half times GELU of the second."""
    x = x.contiguous()
    width = x.shape[-1] // 2
    out = torch.empty((*x.shape[:-1], width), device=x.device, dtype=x.dtype)
    block = min(1024, triton.next_power_of_2(width))
    _gated_gelu[out.numel() // width, triton.cdiv(width, block)](x, out, width, block)
    return out


def projected_gelu(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, tile: tuple[int, ...] = ()
) -> torch.Tensor:
    """GEGLU of a linear layer's output, fused with the layer where that is faster; float32 sums.

    `x` is N x tokens x K, `weight` 2C x K, `bias` (2C). `tile` is (rows, columns, inner, warps,
    stages), or () for the one that suits `x`.
    """
    k, c = x.shape[-1], len(weight) // 2
    if not _has_fast_kernel(x, c):
        return gated_gelu(functional.linear(x, weight, bias))
    x = x.contiguous()
    out = torch.empty((*x.shape[:-1], c), device=x.device, dtype=x.dtype)
    count = x.numel() // k
    rows, columns, inner, warps, stages = tile or (DEEP_TILE if k >= DEEP else TILE)
    _projected_gelu[triton.cdiv(count, rows) * triton.cdiv(c, columns),](
        TensorDescriptor.from_tensor(x.view(count, k), [rows, inner]),
        TensorDescriptor.from_tensor(weight, [columns, inner]),
        bias,
        TensorDescriptor.from_tensor(out.view(count, c), [rows, columns]),
        *(count, c, k, rows, columns, inner, 8),
        num_warps=warps,
        num_stages=stages,
    )
    return out


def _has_fast_kernel(x: torch.Tensor, c: int) -> bool:
    """Whether the fused product and gate is faster than the library's product with a gate after it.

    Tiles are copied by the tensor memory accelerator of Hopper and later GPUs, which needs rows of
    whole 16 bytes. In float32 the product would be rounded to TF32.
    """
    whole = x.shape[-1] % 8 == 0 and c % 8 == 0
    return whole and x.dtype in (torch.float16, torch.bfloat16) and _copies_tiles(x.device)


@cache
def _copies_tiles(device: torch.device) -> bool:
    return device.type != "cuda" or torch.cuda.get_device_capability(device) >= (9, 0)


@Kernel
@triton.jit(do_not_specialize=["w"])
def _doubled(x, out, w, c, BLOCK: tl.constexpr):
    pixel = tl.program_id(0).to(tl.int64)
    channel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = channel < c
    value = tl.load(x + pixel * c + channel, mask=inside)
    corner = out + ((pixel // w) * 4 * w + (pixel % w) * 2) * c + channel
    tl.store(corner, value, mask=inside)
    tl.store(corner + c, value, mask=inside)
    tl.store(corner + 2 * w * c, value, mask=inside)
    tl.store(corner + (2 * w + 1) * c, value, mask=inside)


@Kernel
@triton.jit(do_not_specialize=["count"])
def _layer_norm(
    x, pre_bias, weight, bias, out, count, c, eps, ROWS: tl.constexpr, PAD: tl.constexpr
):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    channel = tl.arange(0, PAD)
    inside = channel < c
    mask = (row < count)[:, None] & inside[None, :]
    place = row[:, None].to(tl.int64) * c + channel[None, :]
    value = tl.load(x + place, mask=mask, other=0.0).to(tl.float32)
    if pre_bias is not None:
        value += tl.load(pre_bias + channel, mask=inside, other=0.0).to(tl.float32)[None, :]
    centered = tl.where(inside[None, :], value - (tl.sum(value, 1) / c)[:, None], 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(centered * centered, 1) / c + eps)
    factor = tl.load(weight + channel, mask=inside, other=0.0).to(tl.float32)
    offset = tl.load(bias + channel, mask=inside, other=0.0).to(tl.float32)
    value = centered * scale[:, None] * factor[None, :] + offset[None, :]
    tl.store(out + place, value.to(out.dtype.element_ty), mask=mask)


@Kernel
@triton.jit
def _gated_gelu(x, out, width, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < width
    value = tl.load(x + row * 2 * width + column, mask=inside, other=0.0).to(tl.float32)
    gate = tl.load(x + row * 2 * width + width + column, mask=inside, other=0.0).to(tl.float32)
    value *= 0.5 * gate * (1.0 + tl.erf(gate * 0.7071067811865476))
    tl.store(out + row * width + column, value.to(out.dtype.element_ty), mask=inside)


@Kernel
@triton.jit(do_not_specialize=["count"])
def _projected_gelu(
    x,
    weight,
    bias,
    out,
    count,
    c,
    k,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    INNER: tl.constexpr,
    GROUP: tl.constexpr,
):
    """A tile of both halves of the product; neighbours in time share what is in the cache."""
    tiles, across = tl.cdiv(count, ROWS), tl.cdiv(c, COLUMNS)
    program = tl.program_id(0)
    group = program // (GROUP * across)
    height = tl.minimum(tiles - group * GROUP, GROUP)
    row = (group * GROUP + program % (GROUP * across) % height) * ROWS
    column = program % (GROUP * across) // height * COLUMNS
    value = tl.zeros([ROWS, COLUMNS], tl.float32)
    gate = tl.zeros([ROWS, COLUMNS], tl.float32)
    for start in range(0, k, INNER):
        tile = x.load([row, start])
        value = tl.dot(tile, weight.load([column, start]).T, value)
        gate = tl.dot(tile, weight.load([c + column, start]).T, gate)
    channel = column + tl.arange(0, COLUMNS)
    inside = channel < c
    value += tl.load(bias + channel, mask=inside, other=0.0).to(tl.float32)[None, :]
    gate += tl.load(bias + c + channel, mask=inside, other=0.0).to(tl.float32)[None, :]
    value *= 0.5 * gate * (1.0 + tl.erf(gate * 0.7071067811865476))
    out.store([row, column], value.to(out.dtype))
