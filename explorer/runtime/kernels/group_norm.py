"""GroupNorm in Triton, which PyTorch does slowly in half precision with channels last.

PyTorch's GroupNorm first copies a channels-last tensor to channels first, and the convolution after
it copies back: a third of a U-Net call. Here a norm reads its input twice and writes it once, the
activation and what is added before it included. Importing this needs Triton.
"""

import torch
import triton
import triton.language as tl

from explorer.runtime.kernels.channel_sums import CHANNELS, ROWS, channel_sums
from explorer.runtime.kernels.compilation import Kernel

SPLITS = 16  # partial sums that one program adds at a time
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
    beside: torch.Tensor | None = None,
) -> torch.Tensor:
    """GroupNorm (Wu and He 2018) of `x + shift + before`, then SiLU where asked; sums in float32.

    `x` is N x C x H x W, made channels last where it is not; `shift` is N x C, and so is what the
    time adds to a residual block; `before` is C, the bias of the convolution before the norm.
    Channels of a tensor `beside` come after those of `x`, as if the two had been put together.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    n, first, h, w = x.shape
    c = first
    if beside is not None:
        beside = beside.contiguous(memory_format=torch.channels_last)
        c += beside.shape[1]
    layout = {"dtype": x.dtype, "device": x.device, "memory_format": torch.channels_last}
    out = torch.empty((n, c, h, w), **layout)
    pixels, stride = h * w, 0
    if shift is not None:
        shift = shift if shift.stride(1) == 1 else shift.contiguous()
        stride = shift.stride(0)
    width = c // groups, triton.next_power_of_2(c // groups)
    given = x, beside, shift, stride, before, weight, bias
    if out.numel() <= WHOLE:
        rows = min(triton.next_power_of_2(pixels), max(1, 8192 // width[1]))
        _whole[n, groups](*given, out, pixels, first, c, eps, silu, *width, rows, num_warps=8)
        return out
    parts = channel_sums(x), None if beside is None else channel_sums(beside)
    splits = [1 if part is None else part.shape[1] for part in parts]
    affine = torch.empty((n, 2, c), device=x.device, dtype=torch.float32)
    _affine[n, groups](*given, *parts, affine, pixels, first, c, *splits, eps, *width, SPLITS)
    tiles = triton.cdiv(pixels, ROWS)
    _apply[tiles, n, triton.cdiv(c, CHANNELS)](
        x, beside, affine, out, pixels, first, c, silu, ROWS, CHANNELS
    )
    return out


@triton.jit
def _loaded(x, beside, n, pixels, first, c, row, channel, known):
    """Pixels `row` of picture `n`, in float32: channels of `x`, and after them those `beside`."""
    pixel = n.to(tl.int64) * pixels + row
    if beside is None:
        value = tl.load(x + pixel * c + channel, mask=known, other=0.0)
    else:
        ours, theirs = known & (channel < first), known & (channel >= first)
        value = tl.load(x + pixel * first + channel, mask=ours, other=0.0)
        place = pixel * (c - first) + channel - first
        value += tl.load(beside + place, mask=theirs, other=0.0)
    return value.to(tl.float32)


@triton.jit
def _added_up(sums, n, splits, c, channel, known, total, squares, SPLITS: tl.constexpr):
    """A tensor's sums over all its splits, added to what there is of other channels."""
    for start in range(0, splits, SPLITS):
        split = (start + tl.arange(0, SPLITS))[:, None]
        there = (split < splits) & known[None, :]
        place = (n * splits + split) * 2 * c + channel[None, :]
        total += tl.load(sums + place, mask=there, other=0.0)
        squares += tl.load(sums + place + c, mask=there, other=0.0)
    return total, squares


@triton.jit
def _moments(
    base,
    shift,
    stride,
    before,
    weight,
    bias,
    total,
    squares,
    pixels,
    n,
    channel,
    inside,
    eps,
    WIDTH: tl.constexpr,
):
    """The factor and the offset of each channel of a group, from its `channel_sums`."""
    added = tl.zeros_like(total)
    if shift is not None:
        added += tl.load(shift + n * stride + channel, mask=inside, other=0.0).to(tl.float32)
    if before is not None:
        added += tl.load(before + channel, mask=inside, other=0.0).to(tl.float32)
    means = tl.where(inside, base + added + total / pixels, 0.0)
    mean = tl.sum(means, 0) / WIDTH
    between = tl.where(inside, means - mean, 0.0)
    spread = tl.sum(squares - total * total / pixels, 0) + pixels * tl.sum(between * between, 0)
    scale = 1.0 / tl.sqrt(tl.maximum(spread / (pixels * WIDTH), 0.0) + eps)
    factor = scale * tl.load(weight + channel, mask=inside, other=0.0).to(tl.float32)
    offset = tl.load(bias + channel, mask=inside, other=0.0).to(tl.float32)
    return factor, offset + (added - mean) * factor


@Kernel
@triton.jit
def _whole(
    x,
    beside,
    shift,
    stride,
    before,
    weight,
    bias,
    out,
    pixels,
    first,
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
    base = _loaded(x, beside, n, pixels, first, c, 0, channel, inside)
    totals = tl.zeros([ROWS, PAD], tl.float32)
    squares = tl.zeros([ROWS, PAD], tl.float32)
    for start in range(0, pixels, ROWS):
        row = (start + tl.arange(0, ROWS))[:, None]
        known = (row < pixels) & inside[None, :]
        value = _loaded(x, beside, n, pixels, first, c, row, channel[None, :], known)
        away = tl.where(known, value - base[None, :], 0.0)
        totals += away
        squares += away * away
    factor, offset = _moments(
        base,
        shift,
        stride,
        before,
        weight,
        bias,
        tl.sum(totals, 0),
        tl.sum(squares, 0),
        pixels,
        n,
        channel,
        inside,
        eps,
        WIDTH,
    )
    out += n.to(tl.int64) * pixels * c
    for start in range(0, pixels, ROWS):
        row = (start + tl.arange(0, ROWS))[:, None]
        known = (row < pixels) & inside[None, :]
        value = _loaded(x, beside, n, pixels, first, c, row, channel[None, :], known)
        value = value * factor[None, :] + offset[None, :]
        if SILU:
            value = value * tl.sigmoid(value)
        tl.store(out + row * c + channel[None, :], value.to(out.dtype.element_ty), mask=known)


@Kernel
@triton.jit
def _affine(
    x,
    beside,
    shift,
    stride,
    before,
    weight,
    bias,
    sums,
    sums_beside,
    affine,
    pixels,
    first,
    c,
    splits,
    splits_beside,
    eps,
    WIDTH: tl.constexpr,
    PAD: tl.constexpr,
    SPLITS: tl.constexpr,
):
    """From the sums of one group the factor and the offset of each of its channels."""
    n, group = tl.program_id(0), tl.program_id(1)
    lane = tl.arange(0, PAD)
    inside = lane < WIDTH
    channel = group * WIDTH + lane
    total = tl.zeros([SPLITS, PAD], tl.float32)
    squares = tl.zeros([SPLITS, PAD], tl.float32)
    ours = inside & (channel < first)
    total, squares = _added_up(sums, n, splits, first, channel, ours, total, squares, SPLITS)
    if beside is not None:
        theirs = inside & (channel >= first)
        there = channel - first
        rest = c - first
        total, squares = _added_up(
            sums_beside, n, splits_beside, rest, there, theirs, total, squares, SPLITS
        )
    factor, offset = _moments(
        _loaded(x, beside, n, pixels, first, c, 0, channel, inside),
        shift,
        stride,
        before,
        weight,
        bias,
        tl.sum(total, 0),
        tl.sum(squares, 0),
        pixels,
        n,
        channel,
        inside,
        eps,
        WIDTH,
    )
    affine += n * 2 * c
    tl.store(affine + channel, factor, mask=inside)
    tl.store(affine + c + channel, offset, mask=inside)


@Kernel
@triton.jit
def _apply(
    x,
    beside,
    affine,
    out,
    pixels,
    first,
    c,
    SILU: tl.constexpr,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    tile, n, block = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    channel = block * CHANNELS + tl.arange(0, CHANNELS)
    inside = channel < c
    row = (tile * ROWS + tl.arange(0, ROWS))[:, None]
    known = (row < pixels) & inside[None, :]
    affine += n * 2 * c
    factor = tl.load(affine + channel, mask=inside, other=0.0)
    offset = tl.load(affine + c + channel, mask=inside, other=0.0)
    value = _loaded(x, beside, n, pixels, first, c, row, channel[None, :], known)
    value = value * factor[None, :] + offset[None, :]
    if SILU:
        value = value * tl.sigmoid(value)
    place = (n.to(tl.int64) * pixels + row) * c + channel[None, :]
    tl.store(out + place, value.to(out.dtype.element_ty), mask=known)
