"""A second set of modules over the same weights, to be changed where the first must not be."""

import copy
from itertools import chain

from torch import nn

OWN = ("forward", "_explorer_way")  # what our own code hangs on a U-Net


def sharing_copy(model: nn.Module) -> nn.Module:
    """A copy of the modules that shares parameters and buffers with `model`."""
    shared = {id(each): each for each in chain(model.parameters(), model.buffers())}
    aside = {name: vars(model).pop(name) for name in OWN if name in vars(model)}
    try:
        return copy.deepcopy(model, shared)
    finally:
        vars(model).update(aside)
