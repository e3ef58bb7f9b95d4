"""A U-Net's batch in parts, one after the other, if the whole does not fit into memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

from explorer.runtime.overriding import overriding


@contextmanager
def splitting(unet: torch.nn.Module, at_once: int, guided: bool) -> Iterator[None]:
    """Let `unet` take at most `at_once` elements of a batch at a time.

    With `guided` the second half of each batch equals the first except for the prompt: then a part
    has the same elements of both halves, and `at_once` is even. Each element's output is that of
    its part run as a batch, since lanes and pictures are independent of each other.
    """
    whole_forward = unet.forward

    def forward(sample, timestep, encoder_hidden_states, return_dict=True, **options):
        batch, prompt = len(sample), encoder_hidden_states
        if batch <= at_once:
            return whole_forward(sample, timestep, prompt, return_dict=return_dict, **options)
        outputs = []
        for rows in parts(batch, at_once, guided):
            index = torch.tensor(rows, device=sample.device)
            part_options = {name: _rows(value, index, batch) for name, value in options.items()}
            inputs = sample[index], _rows(timestep, index, batch), prompt[index]
            output = whole_forward(*inputs, return_dict=False, **part_options)
            outputs.append((index, output[0]))
        whole = torch.empty_like(outputs[0][1][:1]).repeat(batch, 1, 1, 1)
        for index, output in outputs:
            whole[index] = output
        return UNet2DConditionOutput(sample=whole) if return_dict else (whole,)

    with overriding(unet, "forward", forward):
        yield


def parts(batch: int, at_once: int, guided: bool) -> list[list[int]]:
    """The rows of each part; with guidance a part's second half matches its first."""
    if not guided:
        return [list(range(at, min(at + at_once, batch))) for at in range(0, batch, at_once)]
    half_batch, step = batch // 2, at_once // 2
    firsts = [range(at, min(at + step, half_batch)) for at in range(0, half_batch, step)]
    return [[*rows, *(half_batch + row for row in rows)] for rows in firsts]


def _rows(value: Any, index: torch.Tensor, batch: int) -> Any:
    """These rows of an option that has one for each element; other options as they are."""
    if isinstance(value, dict):
        return {name: _rows(each, index, batch) for name, each in value.items()}
    if isinstance(value, torch.Tensor) and value.ndim and len(value) == batch:
        return value[index.to(value.device)]
    return value
