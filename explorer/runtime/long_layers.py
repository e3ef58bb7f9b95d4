"""A network's longest layers in parts, with a check before each: a stop need not wait for a layer.

A layer of a large batch of large pictures may take many seconds on a CPU, the attention among the
65,536 pixels of one latent more than one. Its parts are elements of the batch, queries of the
attention, channels that a convolution makes; what each number is made of stays the same.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

LONG = 2**33  # floating-point operations: a twentieth of a second or so on two cores
Split = Callable[[int, int], torch.Tensor]  # the part from one index to another


class LongLayers(TorchFunctionMode):
    """Within it, convolutions, linear layers and attention on a CPU call `check` between parts.

    A part has at most LONG operations where it can be made so small. Shorter layers, and calls with
    options that networks here do not use, are made whole.
    """

    def __init__(self, check: Callable[[], None]):
        super().__init__()
        self._check = check

    def __torch_function__(
        self, function: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        in_parts = IN_PARTS.get(function)
        if (
            in_parts is None
            or torch._C._get_tracing_state() is not None
            or args[0].device.type != "cpu"
        ):
            return function(*args, **kwargs)
        return in_parts(self._check, function, *args, **kwargs)


def _joined(
    check: Callable[[], None], count: int, operations: float, dim: int, part: Split
) -> torch.Tensor:
    """What `part` makes of `count` elements, in as many parts as its operations ask for."""
    number = min(count, math.ceil(operations / LONG))
    ends = [count * at // number for at in range(number + 1)]
    made = []
    for start, end in itertools.pairwise(ends):
        check()
        made.append(part(start, end))
    return made[0] if len(made) == 1 else torch.cat(made, dim)


def _convolution(
    check: Callable[[], None],
    convolve: Callable[..., torch.Tensor],
    given: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = 1,
    *options: Any,
    **named: Any,
) -> torch.Tensor:
    shrinks = math.prod(stride) if isinstance(stride, tuple | list) else stride**2
    each = 2 * weight.numel() * given.shape[-1] * given.shape[-2] / shrinks
    if given.ndim != 4 or each * len(given) < LONG:
        return convolve(given, weight, bias, stride, *options, **named)
    grouped = named.get("groups", options[2] if len(options) > 2 else 1) != 1

    def one(batch: torch.Tensor) -> torch.Tensor:
        def channels(start: int, end: int) -> torch.Tensor:
            of_bias = None if bias is None else bias[start:end]
            return convolve(batch, weight[start:end], of_bias, stride, *options, **named)

        whole = 1 if grouped else each * len(batch)
        return _joined(check, len(weight), whole, 1, channels)

    return _joined(check, len(given), each * len(given), 0, lambda *at: one(given[slice(*at)]))


def _linear(
    check: Callable[[], None],
    project: Callable[..., torch.Tensor],
    given: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
) -> torch.Tensor:
    rows = given.numel() // max(1, given.shape[-1])
    operations = 2 * weight.numel() * rows
    if operations < LONG:
        return project(given, weight, bias)
    flat = given.reshape(rows, given.shape[-1])
    made = _joined(check, rows, operations, 0, lambda *at: project(flat[slice(*at)], weight, bias))
    return made.reshape(*given.shape[:-1], len(weight))


def _attention(
    check: Callable[[], None],
    attend: Callable[..., torch.Tensor],
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **named: Any,
) -> torch.Tensor:
    each = 4 * query[0].numel() * key.shape[-2]
    if attn_mask is not None or is_causal or query.ndim != 4 or each * len(query) < LONG:
        return attend(query, key, value, attn_mask, dropout_p, is_causal, **named)

    def one(batch: slice) -> torch.Tensor:
        keys, values, queries = key[batch], value[batch], query[batch]

        def some(start: int, end: int) -> torch.Tensor:
            return attend(queries[..., start:end, :], keys, values, None, dropout_p, **named)

        return _joined(check, query.shape[-2], each * len(queries), -2, some)

    return _joined(check, len(query), each * len(query), 0, lambda *at: one(slice(*at)))


IN_PARTS: dict[Any, Callable[..., torch.Tensor]] = {
    functional.conv2d: _convolution,
    functional.linear: _linear,
    functional.scaled_dot_product_attention: _attention,
}
