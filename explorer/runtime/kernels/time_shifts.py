"""What the time embedding adds to a U-Net's residual blocks: all blocks in one launch.

Separately they are two dozen products of a few rows, each of them mostly launch latency.
Importing this needs Triton.
"""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import nn
from torch.nn import functional

from explorer.runtime.kernels.compilation import Kernel

ROWS, COLUMNS, INNER = 16, 32, 128  # of the product, and of what is summed, in one program
ALIGNED = 16  # bytes: offsets of weights are counted in these


class TimeShifts:
    """The projections of the time embedding of all residual blocks.

    Blocks ask for theirs one by one; the first request of a call computes all of them, one row for
    each element of the batch. An embedding is new when it is another tensor object.
    """

    def __init__(self, layers: Sequence[nn.Linear]):
        self.layers = list(layers)
        self._offsets: tuple[torch.Tensor, torch.Tensor] | None = None
        self._last_embedding: torch.Tensor | None = None
        self._shifts: dict[nn.Linear, torch.Tensor] = {}

    @staticmethod
    def fits(layers: Sequence[nn.Linear]) -> bool:
        """Whether one launch can read all weights: of one kind, contiguous and aligned."""
        kinds = {(type(each), each.in_features, each.weight.dtype) for each in layers}
        parts = [part for each in layers for part in (each.weight, each.bias)]
        return (
            len(kinds) == 1
            and next(iter(kinds))[0] is nn.Linear
            and all(each.out_features % COLUMNS == 0 for each in layers)
            and all(part is not None and part.is_contiguous() for part in parts)
            and all(part.data_ptr() % ALIGNED == 0 for part in parts)
        )

    def __call__(self, layer: nn.Linear, embedding: torch.Tensor) -> torch.Tensor:
        """`layer(silu(embedding))`, N x C_out, of an embedding N x C_in; sums in float32."""
        if embedding is not self._last_embedding:
            widths = [each.out_features for each in self.layers]
            shifts = self._project_all(embedding).split(widths, dim=1)
            self._shifts = dict(zip(self.layers, shifts, strict=True))
            self._last_embedding = embedding
        return self._shifts[layer]

    def _project_all(self, embedding: torch.Tensor) -> torch.Tensor:
        if self._offsets is None:
            self._offsets = self._find_offsets()
        weights, biases = self._offsets
        embedding = functional.silu(embedding).contiguous()
        rows, k = embedding.shape
        out = embedding.new_empty(rows, COLUMNS * len(weights))
        _shifts[len(weights), triton.cdiv(rows, ROWS)](
            *(embedding, self.layers[0].weight, weights, self.layers[0].bias, biases, out),
            *(rows, k, out.shape[1], ROWS, COLUMNS, INNER, ALIGNED // embedding.element_size()),
            num_warps=2,
            num_stages=4,
        )
        return out

    def _find_offsets(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Offsets of each block of columns, weights and biases, from the first layer's."""
        device, offsets = self.layers[0].weight.device, []
        for part in ("weight", "bias"):
            first = getattr(self.layers[0], part).data_ptr()
            addresses = [
                getattr(layer, part)[start:].data_ptr() - first
                for layer in self.layers
                for start in range(0, layer.out_features, COLUMNS)
            ]
            offsets.append(torch.tensor(addresses, device=device) // ALIGNED)
        return offsets[0], offsets[1]


@Kernel
@triton.jit(do_not_specialize=["rows"])
def _shifts(
    embedding,
    weight,
    weights,
    bias,
    biases,
    out,
    rows,
    k,
    width,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    INNER: tl.constexpr,
    UNIT: tl.constexpr,
):
    block = tl.program_id(0)
    weight += tl.load(weights + block) * UNIT
    bias += tl.load(biases + block) * UNIT
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    column, lane = tl.arange(0, COLUMNS), tl.arange(0, INNER)
    total = tl.zeros([ROWS, COLUMNS], tl.float32)
    for start in range(0, k, INNER):
        inner = start + lane
        mask = (row < rows)[:, None] & (inner < k)[None, :]
        time = tl.load(embedding + row[:, None] * k + inner[None, :], mask=mask, other=0.0)
        address = weight + column[None, :] * k + inner[:, None]
        part = tl.load(address, mask=(inner < k)[:, None], other=0.0)
        total = tl.dot(time, part, total, input_precision="ieee")  # not TF32 where it is float32
    total += tl.load(bias + column).to(tl.float32)[None, :]
    address = out + row[:, None] * width + block * COLUMNS + column[None, :]
    tl.store(address, total.to(out.dtype.element_ty), mask=(row < rows)[:, None])
