"""Triton kernels for norms, which PyTorch does slowly in half precision with channels last.

PyTorch's GroupNorm first copies a channels-last tensor to channels first, and the convolution after
it copies back: a third of a U-Net call. Here a norm reads its input twice and writes it once, the
activation and what is added before it included. Importing this needs Triton.
"""

import torch
import triton
import triton.language as tl

ROWS, CHANNELS = 32, 64  # of a tile: 64 channels of half precision are one line of memory
PROGRAMS = 1024  # enough of them to keep a large GPU busy
WHOLE = 2**21  # numbers up to which one launch does a norm's work: three would take longer


def group_norm(
    x: torch.Tensor,
    groups: int,
    weight: torch.Tensor,
    bias: torch.Tensor,
    eps: float,
    *,
    silu: bool = False,
    shift: torch.Tensor | None = None,
    before: torch.Tensor | None = None,
) -> torch.Tensor:
    """GroupNorm (Wu and He 2018) of `x + shift + before`, then SiLU where asked; sums in float32.

    `x` is N x C x H x W, made channels last where it is not; `shift` is N x C, and so is what the
    time adds to a residual block; `before` is C, the bias of the convolution before the norm.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    n, c, h, w = x.shape
    pixels, blocks, out = h * w, triton.cdiv(c, CHANNELS), torch.empty_like(x)
    shift = None if shift is None else shift.contiguous()
    width = c // groups, triton.next_power_of_2(c // groups)
    if x.numel() <= WHOLE:
        rows = min(triton.next_power_of_2(pixels), max(1, 8192 // width[1]))
        _whole[n, groups](
            *(x, shift, before, weight, bias, out, pixels, c, eps, silu, *width, rows), num_warps=8
        )
        return out
    splits = max(1, min(triton.cdiv(pixels, ROWS), PROGRAMS // (n * blocks)))
    rows = triton.cdiv(triton.cdiv(pixels, splits), ROWS) * ROWS
    splits = triton.cdiv(pixels, rows)
    sums = torch.empty((n, splits, 2, c), device=x.device, dtype=torch.float32)
    affine = torch.empty((n, 2, c), device=x.device, dtype=torch.float32)
    _sums[n, blocks, splits](x, sums, pixels, c, rows, ROWS, CHANNELS)
    _affine[n, groups](
        *(x, shift, before, sums, weight, bias, affine, pixels, c, splits, eps, *width)
    )
    tiles = triton.cdiv(pixels, ROWS)
    _apply[tiles, n, blocks](x, affine, out, pixels, c, silu, ROWS, CHANNELS)
    return out


def layer_norm(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    eps: float,
    *,
    before: torch.Tensor | None = None,
) -> torch.Tensor:
    """LayerNorm (Ba et al. 2016) of `x + before`, sums in float32; `x` is ... x C, `before` C."""
    x = x.contiguous()
    c, out = x.shape[-1], torch.empty_like(x)
    count, pad = x.numel() // c, triton.next_power_of_2(c)
    rows = max(1, 2048 // pad)
    _layer_norm[(triton.cdiv(count, rows),)](x, before, weight, bias, out, count, c, eps, rows, pad)
    return out


@triton.jit
def _sums(x, sums, pixels, c, rows, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """For each channel the sums of d and d * d over some rows, d being x less its first row."""
    n, block, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    channel = block * CHANNELS + tl.arange(0, CHANNELS)
    inside = channel < c
    x += n.to(tl.int64) * pixels * c
    first = tl.load(x + channel, mask=inside, other=0.0).to(tl.float32)
    end = tl.minimum((split + 1) * rows, pixels)
    total = tl.zeros([ROWS, CHANNELS], tl.float32)
    squares = tl.zeros([ROWS, CHANNELS], tl.float32)
    for start in range(split * rows, end, ROWS):
        row = start + tl.arange(0, ROWS)
        known = (row < end)[:, None] & inside[None, :]
        value = tl.load(x + row[:, None] * c + channel[None, :], mask=known, other=0.0)
        apart = tl.where(known, value.to(tl.float32) - first[None, :], 0.0)
        total += apart
        squares += apart * apart
    sums += (n * tl.num_programs(2) + split) * 2 * c
    tl.store(sums + channel, tl.sum(total, 0), mask=inside)
    tl.store(sums + c + channel, tl.sum(squares, 0), mask=inside)


@triton.jit
def _moments(
    x,
    shift,
    before,
    weight,
    bias,
    total,
    squares,
    pixels,
    place,
    channel,
    inside,
    eps,
    WIDTH: tl.constexpr,
):
    """The factor and the offset of each channel of a group, from its sums as `_sums` has them."""
    added = tl.zeros_like(total)
    if shift is not None:
        added += tl.load(shift + place + channel, mask=inside, other=0.0).to(tl.float32)
    if before is not None:
        added += tl.load(before + channel, mask=inside, other=0.0).to(tl.float32)
    first = tl.load(x + channel, mask=inside, other=0.0).to(tl.float32)
    means = tl.where(inside, first + added + total / pixels, 0.0)
    mean = tl.sum(means, 0) / WIDTH
    between = tl.where(inside, means - mean, 0.0)
    spread = tl.sum(squares - total * total / pixels, 0) + pixels * tl.sum(between * between, 0)
    scale = 1.0 / tl.sqrt(tl.maximum(spread / (pixels * WIDTH), 0.0) + eps)
    factor = scale * tl.load(weight + channel, mask=inside, other=0.0).to(tl.float32)
    offset = tl.load(bias + channel, mask=inside, other=0.0).to(tl.float32)
    return factor, offset + (added - mean) * factor


@triton.jit
def _whole(
    x,
    shift,
    before,
    weight,
    bias,
    out,
    pixels,
    c,
    eps,
    SILU: tl.constexpr,
    WIDTH: tl.constexpr,
    PAD: tl.constexpr,
    ROWS: tl.constexpr,
):
    """One group of one picture, start to end; its second reading comes from the cache."""
    n, group = tl.program_id(0), tl.program_id(1)
    lane = tl.arange(0, PAD)
    inside = lane < WIDTH
    channel = group * WIDTH + lane
    x += n.to(tl.int64) * pixels * c
    out += n.to(tl.int64) * pixels * c
    first = tl.load(x + channel, mask=inside, other=0.0).to(tl.float32)
    totals = tl.zeros([ROWS, PAD], tl.float32)
    squares = tl.zeros([ROWS, PAD], tl.float32)
    for start in range(0, pixels, ROWS):
        row = start + tl.arange(0, ROWS)
        known = (row < pixels)[:, None] & inside[None, :]
        value = tl.load(x + row[:, None] * c + channel[None, :], mask=known, other=0.0)
        apart = tl.where(known, value.to(tl.float32) - first[None, :], 0.0)
        totals += apart
        squares += apart * apart
    factor, offset = _moments(
        x,
        shift,
        before,
        weight,
        bias,
        tl.sum(totals, 0),
        tl.sum(squares, 0),
        pixels,
        n * c,
        channel,
        inside,
        eps,
        WIDTH,
    )
    for start in range(0, pixels, ROWS):
        row = start + tl.arange(0, ROWS)
        known = (row < pixels)[:, None] & inside[None, :]
        place = row[:, None] * c + channel[None, :]
        value = tl.load(x + place, mask=known, other=0.0).to(tl.float32)
        value = value * factor[None, :] + offset[None, :]
        if SILU:
            value = value * tl.sigmoid(value)
        tl.store(out + place, value.to(out.dtype.element_ty), mask=known)


@triton.jit
def _affine(
    x,
    shift,
    before,
    sums,
    weight,
    bias,
    affine,
    pixels,
    c,
    splits,
    eps,
    WIDTH: tl.constexpr,
    PAD: tl.constexpr,
):
    """From the sums of one group the factor and the offset of each of its channels."""
    n, group = tl.program_id(0), tl.program_id(1)
    lane = tl.arange(0, PAD)
    inside = lane < WIDTH
    channel = group * WIDTH + lane
    total = tl.zeros([PAD], tl.float32)
    squares = tl.zeros([PAD], tl.float32)
    for split in range(splits):
        row = sums + (n * splits + split) * 2 * c + channel
        total += tl.load(row, mask=inside, other=0.0)
        squares += tl.load(row + c, mask=inside, other=0.0)
    x += n.to(tl.int64) * pixels * c
    factor, offset = _moments(
        x,
        shift,
        before,
        weight,
        bias,
        total,
        squares,
        pixels,
        n * c,
        channel,
        inside,
        eps,
        WIDTH,
    )
    affine += n * 2 * c
    tl.store(affine + channel, factor, mask=inside)
    tl.store(affine + c + channel, offset, mask=inside)


@triton.jit
def _apply(
    x, affine, out, pixels, c, SILU: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr
):
    tile, n, block = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    channel = block * CHANNELS + tl.arange(0, CHANNELS)
    inside = channel < c
    row = tile * ROWS + tl.arange(0, ROWS)
    known = (row < pixels)[:, None] & inside[None, :]
    place = n.to(tl.int64) * pixels * c + row[:, None] * c + channel[None, :]
    affine += n * 2 * c
    factor = tl.load(affine + channel, mask=inside, other=0.0)
    offset = tl.load(affine + c + channel, mask=inside, other=0.0)
    value = tl.load(x + place, mask=known, other=0.0).to(tl.float32)
    value = value * factor[None, :] + offset[None, :]
    if SILU:
        value = value * tl.sigmoid(value)
    tl.store(out + place, value.to(out.dtype.element_ty), mask=known)


@triton.jit
def _layer_norm(x, before, weight, bias, out, count, c, eps, ROWS: tl.constexpr, PAD: tl.constexpr):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    channel = tl.arange(0, PAD)
    inside = channel < c
    known = (row < count)[:, None] & inside[None, :]
    place = row[:, None].to(tl.int64) * c + channel[None, :]
    value = tl.load(x + place, mask=known, other=0.0).to(tl.float32)
    if before is not None:
        value += tl.load(before + channel, mask=inside, other=0.0).to(tl.float32)[None, :]
    apart = tl.where(inside[None, :], value - (tl.sum(value, 1) / c)[:, None], 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(apart * apart, 1) / c + eps)
    factor = tl.load(weight + channel, mask=inside, other=0.0).to(tl.float32)
    offset = tl.load(bias + channel, mask=inside, other=0.0).to(tl.float32)
    value = apart * scale[:, None] * factor[None, :] + offset[None, :]
    tl.store(out + place, value.to(out.dtype.element_ty), mask=known)
