"""GroupNorm in Triton, which PyTorch does slowly in half precision with channels last.

PyTorch's GroupNorm first copies a channels-last tensor to channels first, and the convolution after
it copies back: a third of a U-Net call. Here a norm reads its input twice and writes it once,
including the activation and what is added before the norm. Importing this needs Triton.
"""

import torch
import triton
import triton.language as tl

from explorer.runtime.kernels.channel_sums import CHANNELS, ROWS, channel_sums
from explorer.runtime.kernels.compilation import Kernel, only_compiling

SPLITS = 16  # partial sums that one program adds at a time
WHOLE = 2**21  # numbers up to which one launch does a norm's work: three would take longer
# Numbers that one program holds at a time, in a group of few and in any other. One that followed
# the size would save a third of a microsecond, and have every new size wait for a compilation.
FEW, MANY = 1024, 8192


def group_norm(
    x: torch.Tensor,
    groups: int,
    weight: torch.Tensor,
    bias: torch.Tensor,
    eps: float,
    *,
    silu: bool = False,
    time_shift: torch.Tensor | None = None,
    pre_bias: torch.Tensor | None = None,
    skip: torch.Tensor | None = None,
) -> torch.Tensor:
    """GroupNorm (Wu and He 2018) of `x + time_shift + pre_bias`, and SiLU if `silu`.

    `x` is N x C x H x W, converted to channels last where it is not; `time_shift` is N x C, what
    the time embedding adds to a residual block; `pre_bias` is (C), the bias of the convolution
    before the norm. `skip` (N x C2 x H x W) is treated as concatenated to `x` along the channels.
    Sums are in float32.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    n, x_channels, h, w = x.shape
    c = x_channels
    if skip is not None:
        skip = skip.contiguous(memory_format=torch.channels_last)
        c += skip.shape[1]
    layout = {"dtype": x.dtype, "device": x.device, "memory_format": torch.channels_last}
    out = torch.empty((n, c, h, w), **layout)
    pixels, stride = h * w, 0
    if time_shift is not None:
        time_shift = time_shift if time_shift.stride(1) == 1 else time_shift.contiguous()
        stride = time_shift.stride(0)
    width = c // groups, triton.next_power_of_2(c // groups)
    given = x, skip, time_shift, stride, pre_bias, weight, bias
    if out.numel() <= WHOLE or only_compiling():
        held = (FEW,) if pixels * width[1] <= 2 * FEW else (MANY,)
        for each in (FEW, MANY) if only_compiling() else held:
            size = *width, max(1, each // width[1])
            _whole[n, groups](*given, out, pixels, x_channels, c, eps, silu, *size, num_warps=8)
    if out.numel() <= WHOLE and not only_compiling():
        return out
    parts = channel_sums(x), None if skip is None else channel_sums(skip)
    splits = [1 if part is None else part.shape[1] for part in parts]
    affine = torch.empty((n, 2, c), device=x.device, dtype=torch.float32)
    _affine[n, groups](*given, *parts, affine, pixels, x_channels, c, *splits, eps, *width, SPLITS)
    tiles = triton.cdiv(pixels, ROWS)
    _apply[tiles, n, triton.cdiv(c, CHANNELS)](
        x, skip, affine, out, pixels, x_channels, c, silu, ROWS, CHANNELS
    )
    return out


@triton.jit
def _load(x, skip, n, pixels, x_channels, c, row, channel, mask):
    """Pixels `row` of picture `n`, in float32: the channels of `x`, then those of `skip`."""
    pixel = n.to(tl.int64) * pixels + row
    if skip is None:
        value = tl.load(x + pixel * c + channel, mask=mask, other=0.0)
    else:
        in_x, in_skip = mask & (channel < x_channels), mask & (channel >= x_channels)
        value = tl.load(x + pixel * x_channels + channel, mask=in_x, other=0.0)
        place = pixel * (c - x_channels) + channel - x_channels
        value += tl.load(skip + place, mask=in_skip, other=0.0)
    return value.to(tl.float32)


@triton.jit
def _add_sums(sums, n, splits, c, channel, mask, total, squares, SPLITS: tl.constexpr):
    """Add a tensor's sums over all its splits to the totals of other channels."""
    for start in range(0, splits, SPLITS):
        split = (start + tl.arange(0, SPLITS))[:, None]
        skip_channel = (split < splits) & mask[None, :]
        place = (n * splits + split) * 2 * c + channel[None, :]
        total += tl.load(sums + place, mask=skip_channel, other=0.0)
        squares += tl.load(sums + place + c, mask=skip_channel, other=0.0)
    return total, squares


@triton.jit
def _moments(
    base,
    time_shift,
    stride,
    pre_bias,
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
    if time_shift is not None:
        added += tl.load(time_shift + n * stride + channel, mask=inside, other=0.0).to(tl.float32)
    if pre_bias is not None:
        added += tl.load(pre_bias + channel, mask=inside, other=0.0).to(tl.float32)
    means = tl.where(inside, base + added + total / pixels, 0.0)
    mean = tl.sum(means, 0) / WIDTH
    between = tl.where(inside, means - mean, 0.0)
    spread = tl.sum(squares - total * total / pixels, 0) + pixels * tl.sum(between * between, 0)
    scale = 1.0 / tl.sqrt(tl.maximum(spread / (pixels * WIDTH), 0.0) + eps)
    factor = scale * tl.load(weight + channel, mask=inside, other=0.0).to(tl.float32)
    offset = tl.load(bias + channel, mask=inside, other=0.0).to(tl.float32)
    return factor, offset + (added - mean) * factor


@Kernel
@triton.jit(do_not_specialize=["pixels"])
def _whole(
    x,
    skip,
    time_shift,
    stride,
    pre_bias,
    weight,
    bias,
    out,
    pixels,
    x_channels,
    c,
    eps,
    SILU: tl.constexpr,
    WIDTH: tl.constexpr,
    PAD: tl.constexpr,
    ROWS: tl.constexpr,
):
    """One group of one picture in one program; its second read comes from the cache."""
    n, group = tl.program_id(0), tl.program_id(1)
    lane = tl.arange(0, PAD)
    inside = lane < WIDTH
    channel = group * WIDTH + lane
    base = _load(x, skip, n, pixels, x_channels, c, 0, channel, inside)
    totals = tl.zeros([ROWS, PAD], tl.float32)
    squares = tl.zeros([ROWS, PAD], tl.float32)
    for start in range(0, pixels, ROWS):
        row = (start + tl.arange(0, ROWS))[:, None]
        mask = (row < pixels) & inside[None, :]
        value = _load(x, skip, n, pixels, x_channels, c, row, channel[None, :], mask)
        away = tl.where(mask, value - base[None, :], 0.0)
        totals += away
        squares += away * away
    factor, offset = _moments(
        base,
        time_shift,
        stride,
        pre_bias,
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
        mask = (row < pixels) & inside[None, :]
        value = _load(x, skip, n, pixels, x_channels, c, row, channel[None, :], mask)
        value = value * factor[None, :] + offset[None, :]
        if SILU:
            value = value * tl.sigmoid(value)
        tl.store(out + row * c + channel[None, :], value.to(out.dtype.element_ty), mask=mask)


@Kernel
@triton.jit(do_not_specialize=["pixels", "splits", "skip_splits"])
def _affine(
    x,
    skip,
    time_shift,
    stride,
    pre_bias,
    weight,
    bias,
    sums,
    skip_sums,
    affine,
    pixels,
    x_channels,
    c,
    splits,
    skip_splits,
    eps,
    WIDTH: tl.constexpr,
    PAD: tl.constexpr,
    SPLITS: tl.constexpr,
):
    """The factor and the offset of each channel of one group, from the group's sums."""
    n, group = tl.program_id(0), tl.program_id(1)
    lane = tl.arange(0, PAD)
    inside = lane < WIDTH
    channel = group * WIDTH + lane
    total = tl.zeros([SPLITS, PAD], tl.float32)
    squares = tl.zeros([SPLITS, PAD], tl.float32)
    in_x = inside & (channel < x_channels)
    total, squares = _add_sums(sums, n, splits, x_channels, channel, in_x, total, squares, SPLITS)
    if skip is not None:
        in_skip = inside & (channel >= x_channels)
        skip_channel = channel - x_channels
        skip_channels = c - x_channels
        total, squares = _add_sums(
            skip_sums, n, skip_splits, skip_channels, skip_channel, in_skip, total, squares, SPLITS
        )
    factor, offset = _moments(
        _load(x, skip, n, pixels, x_channels, c, 0, channel, inside),
        time_shift,
        stride,
        pre_bias,
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
@triton.jit(do_not_specialize=["pixels"])
def _apply(
    x,
    skip,
    affine,
    out,
    pixels,
    x_channels,
    c,
    SILU: tl.constexpr,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    tile, n, block = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    channel = block * CHANNELS + tl.arange(0, CHANNELS)
    inside = channel < c
    row = (tile * ROWS + tl.arange(0, ROWS))[:, None]
    mask = (row < pixels) & inside[None, :]
    affine += n * 2 * c
    factor = tl.load(affine + channel, mask=inside, other=0.0)
    offset = tl.load(affine + c + channel, mask=inside, other=0.0)
    value = _load(x, skip, n, pixels, x_channels, c, row, channel[None, :], mask)
    value = value * factor[None, :] + offset[None, :]
    if SILU:
        value = value * tl.sigmoid(value)
    place = (n.to(tl.int64) * pixels + row) * c + channel[None, :]
    tl.store(out + place, value.to(out.dtype.element_ty), mask=mask)
