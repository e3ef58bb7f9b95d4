"""A copy of modules that shares their weights, so that it can be modified."""

import copy
from itertools import chain
from typing import Any, TypeAlias

from torch import nn

from explorer.runtime.overriding import without_overrides

FAST_PATH = "_explorer_fast_path"  # attribute: weights' addresses, fast path


# A module whose layers are reached by name: PyTorch types all of those as Tensor | Module.
Network: TypeAlias = Any


def sharing_copy(model: nn.Module) -> Network:
    """A copy of the modules that shares parameters and buffers with `model`."""
    shared = {id(each): each for each in chain(model.parameters(), model.buffers())}
    with without_overrides(model, "forward", FAST_PATH):
        return copy.deepcopy(model, shared)
