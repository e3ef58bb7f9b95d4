"""Tensors and numpy arrays: computed as tensors, returned in the type of the input."""

import numpy as np
import torch

Array = torch.Tensor | np.ndarray
Generators = torch.Generator | list[torch.Generator] | None


def tensor(values: Array) -> torch.Tensor:
    """Return values of any shape as a tensor of that shape; a tensor as it is."""
    if isinstance(values, torch.Tensor):
        return values
    return torch.tensor(np.ascontiguousarray(values))


def working_dtype(values: Array) -> torch.dtype:
    """Return the dtype to compute in, whatever the shape: float64 for float64, else float32."""
    return torch.float64 if values.dtype in (torch.float64, np.float64) else torch.float32


def like(result: torch.Tensor, sample: Array) -> Array:
    """Return `result`, in its shape, in the type of `sample`: tensor or array, with its dtype."""
    if isinstance(sample, torch.Tensor):
        return result.to(sample.dtype)
    return result.numpy().astype(sample.dtype)


def checked_generator(generator: Generators, x: torch.Tensor) -> Generators:
    """Return the generator, or the list with one per sample of x, a batch of any shape, batch
    first.

    Raises ValueError for a list of another length.
    """
    if not isinstance(generator, list | tuple):
        return generator
    if len(generator) != len(x):
        raise ValueError(
            f"generator must be one generator or a list of {len(x)}, one for each sample; "
            f"got a list of {len(generator)}."
        )
    return list(generator)
