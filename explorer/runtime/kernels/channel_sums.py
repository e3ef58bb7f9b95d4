"""The sums over pixels that GroupNorm needs, computed by the kernel that produces the tensor.

Importing this needs Triton.
"""

# Triton types its `cdiv` as a compile-time number, and sums are an attribute that we give tensors.
# pyright: basic, reportCallIssue=false, reportArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportReturnType=false

import torch
import triton
import triton.language as tl

from explorer.runtime.kernels.compilation import Kernel, only_compiling

ROWS, CHANNELS = 32, 64  # of a tile: 64 channels of half precision are one line of memory
WARPS = 2
PROGRAMS = 1024  # enough of them to keep a large GPU busy
WORTH = 2**20  # numbers from which the producer sums; of fewer, the norm computes its own sums


def channel_sums(x: torch.Tensor) -> torch.Tensor:
    """For each channel of N x C x H x W the sums of d and d * d, d being x less its first pixel.

    Returns N x splits x 2 x C in float32, each split being some of the pixels. For a tensor that
    `add_bias` made, they were computed there.
    """
    known = getattr(x, "channel_sums", None)
    return known if known is not None else _run(x, None, None, None, True)


def add_bias(
    x: torch.Tensor, bias: torch.Tensor, residual: torch.Tensor | None = None
) -> torch.Tensor:
    """`x + bias + residual` in channels-last layout, with its channel sums as an attribute.

    `x` and `residual` are N x C x H x W, `bias` is (C). The sums belong to the returned tensor's
    values: it must not be written to.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    if residual is not None:
        residual = residual.contiguous(memory_format=torch.channels_last)
    out = torch.empty_like(x)
    if only_compiling():
        _run(x, bias, residual, out, x.numel() < WORTH)
    sums = _run(x, bias, residual, out, x.numel() >= WORTH)
    if sums is not None:
        out.channel_sums = sums
    return out


def _run(
    x: torch.Tensor,
    bias: torch.Tensor | None,
    residual: torch.Tensor | None,
    out: torch.Tensor | None,
    summed: bool,
) -> torch.Tensor | None:
    """Write `x + bias + residual` to `out` if given; return its sums if `summed`."""
    n, c, h, w = x.shape
    pixels, blocks = h * w, triton.cdiv(c, CHANNELS)
    splits = max(1, min(triton.cdiv(pixels, ROWS), PROGRAMS // (n * blocks)))
    rows = triton.cdiv(triton.cdiv(pixels, splits), ROWS) * ROWS
    splits = triton.cdiv(pixels, rows)
    shape = n, splits, 2, c
    sums = torch.empty(shape, device=x.device, dtype=torch.float32) if summed else None
    _sums[n, blocks, splits](
        *(x, bias, residual, out, sums, pixels, c, rows, ROWS, CHANNELS), num_warps=WARPS
    )
    return sums


@triton.jit
def _sum(x, bias, residual, place, channel, mask):
    """`x + bias + residual` at some places, rounded as it is stored, in float32."""
    value = tl.load(x + place, mask=mask, other=0.0).to(tl.float32)
    if bias is not None:
        value += tl.load(bias + channel, mask=mask, other=0.0).to(tl.float32)
        if residual is not None:
            value += tl.load(residual + place, mask=mask, other=0.0).to(tl.float32)
        value = value.to(x.dtype.element_ty).to(tl.float32)
    return value


@Kernel
@triton.jit(do_not_specialize=["pixels", "rows"])
def _sums(
    x,
    bias,
    residual,
    out,
    sums,
    pixels,
    c,
    rows,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    n, block, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    channel = block * CHANNELS + tl.arange(0, CHANNELS)
    inside = channel < c
    start = n.to(tl.int64) * pixels * c
    first = _sum(x, bias, residual, start + channel, channel, inside)
    end = tl.minimum((split + 1) * rows, pixels)
    total = tl.zeros([ROWS, CHANNELS], tl.float32)
    squares = tl.zeros([ROWS, CHANNELS], tl.float32)
    for begin in range(split * rows, end, ROWS):
        row = (begin + tl.arange(0, ROWS))[:, None]
        mask = (row < end) & inside[None, :]
        place = start + row * c + channel[None, :]
        value = _sum(x, bias, residual, place, channel[None, :], mask)
        if out is not None:
            tl.store(out + place, value.to(out.dtype.element_ty), mask=mask)
        if sums is not None:
            away = tl.where(mask, value - first[None, :], 0.0)
            total += away
            squares += away * away
    if sums is not None:
        sums += (n * tl.num_programs(2) + split) * 2 * c
        tl.store(sums + channel, tl.sum(total, 0), mask=inside)
        tl.store(sums + c + channel, tl.sum(squares, 0), mask=inside)
