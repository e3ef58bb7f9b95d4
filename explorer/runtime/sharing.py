"""A second set of modules over the same weights, to be changed where the first must not be."""

import copy
from itertools import chain
from typing import TypeVar

from torch import nn

from explorer.runtime.overriding import without_overrides

FAST_PATH = "_explorer_fast_path"  # attribute: weights' addresses, fast path


Network = TypeVar("Network", bound=nn.Module)


def sharing_copy(model: Network) -> Network:
    """A copy of the modules that shares parameters and buffers with `model`."""
    shared = {id(each): each for each in chain(model.parameters(), model.buffers())}
    with without_overrides(model, "forward", FAST_PATH):
        return copy.deepcopy(model, shared)
