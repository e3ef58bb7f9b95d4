"""Triton kernels for what stands between a U-Net's products: gates, sums, doubled pixels.

Importing this needs Triton.
"""

import torch
import triton
import triton.language as tl
from torch.nn import functional

TILE = 128, 64, 64, 4, 3  # of a product: rows, columns, inner, warps, stages
NARROW = 640  # inputs up to which the gated product is faster than the library's and a gate after


def doubled(x: torch.Tensor) -> torch.Tensor:
    """Every pixel of N x C x H x W four times: twice the height and the width, channels last."""
    x = x.contiguous(memory_format=torch.channels_last)
    n, c, h, w = x.shape
    layout = {"dtype": x.dtype, "device": x.device, "memory_format": torch.channels_last}
    out = torch.empty((n, c, 2 * h, 2 * w), **layout)
    _doubled[n * h * w, triton.cdiv(c, 1024)](x, out, w, c, 1024)
    return out


def add_bias(x: torch.Tensor, residual: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """`x + residual + bias`, the bias one number a channel; in place of `x`, channels last."""
    residual = residual.contiguous(memory_format=torch.channels_last)
    block = 1024
    _add_bias[(triton.cdiv(x.numel(), block),)](x, residual, bias, x.numel(), x.shape[1], block)
    return x


def gated_gelu(x: torch.Tensor) -> torch.Tensor:
    """GEGLU (Shazeer 2020) of the projected ... x 2C: the first half times GELU of the second."""
    x = x.contiguous()
    width = x.shape[-1] // 2
    out = torch.empty((*x.shape[:-1], width), device=x.device, dtype=x.dtype)
    block = min(1024, triton.next_power_of_2(width))
    _gated_gelu[out.numel() // width, triton.cdiv(width, block)](x, out, width, block)
    return out


def projected_gelu(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, tile: tuple[int, ...] | None = None
) -> torch.Tensor:
    """GEGLU of a linear layer's output, where it is faster never written out; sums in float32.

    `x` is ... x K, `weight` 2C x K, `bias` 2C. `tile` is (rows, columns, inner, warps, stages).
    """
    k, c = x.shape[-1], len(weight) // 2
    if k > NARROW or x.dtype == torch.float32:  # which would be rounded to TF32
        return gated_gelu(functional.linear(x, weight, bias))
    x = x.contiguous()
    out = torch.empty((*x.shape[:-1], c), device=x.device, dtype=x.dtype)
    count = x.numel() // k
    rows, columns, inner, warps, stages = tile or TILE
    _projected_gelu[triton.cdiv(count, rows) * triton.cdiv(c, columns),](
        *(x, weight, bias, out, count, c, k, rows, columns, inner, 8),
        num_warps=warps,
        num_stages=stages,
    )
    return out


@triton.jit
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


@triton.jit
def _add_bias(x, residual, bias, count, c, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    known = place < count
    value = tl.load(x + place, mask=known, other=0.0).to(tl.float32)
    value += tl.load(residual + place, mask=known, other=0.0).to(tl.float32)
    value += tl.load(bias + place % c, mask=known, other=0.0).to(tl.float32)
    tl.store(x + place, value.to(x.dtype.element_ty), mask=known)


@triton.jit
def _gated_gelu(x, out, width, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < width
    value = tl.load(x + row * 2 * width + column, mask=inside, other=0.0).to(tl.float32)
    gate = tl.load(x + row * 2 * width + width + column, mask=inside, other=0.0).to(tl.float32)
    value *= 0.5 * gate * (1.0 + tl.erf(gate * 0.7071067811865476))
    tl.store(out + row * width + column, value.to(out.dtype.element_ty), mask=inside)


@triton.jit
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
    row = (group * GROUP + program % (GROUP * across) % height) * ROWS + tl.arange(0, ROWS)
    column = program % (GROUP * across) // height * COLUMNS + tl.arange(0, COLUMNS)
    lane = tl.arange(0, INNER)
    left = x + (row % count)[:, None].to(tl.int64) * k + lane[None, :]
    right = weight + (column % c)[None, :].to(tl.int64) * k + lane[:, None]
    value = tl.zeros([ROWS, COLUMNS], tl.float32)
    gate = tl.zeros([ROWS, COLUMNS], tl.float32)
    half = c.to(tl.int64) * k
    for start in range(0, k, INNER):
        known = lane < k - start
        a = tl.load(left + start, mask=known[None, :], other=0.0)
        value = tl.dot(a, tl.load(right + start, mask=known[:, None], other=0.0), value)
        gate = tl.dot(a, tl.load(right + half + start, mask=known[:, None], other=0.0), gate)
    inside = column < c
    value += tl.load(bias + column, mask=inside, other=0.0).to(tl.float32)[None, :]
    gate += tl.load(bias + c + column, mask=inside, other=0.0).to(tl.float32)[None, :]
    value *= 0.5 * gate * (1.0 + tl.erf(gate * 0.7071067811865476))
    place = out + row[:, None].to(tl.int64) * c + column[None, :]
    tl.store(place, value.to(out.dtype.element_ty), mask=(row < count)[:, None] & inside[None, :])
