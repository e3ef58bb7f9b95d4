"""Interruptible network calls: a check before each layer, and between the parts of long ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_CHECK: ContextVar[Callable[[], None] | None] = ContextVar("check", default=None)


@contextmanager
def interruptible(check: Callable[[], None]) -> Iterator[None]:
    """Have `check` called now and then in this thread; its exceptions end the work."""
    token = _CHECK.set(check)
    try:
        yield
    finally:
        _CHECK.reset(token)


def is_interruptible() -> bool:
    """Whether this thread's work can be interrupted."""
    return _CHECK.get() is not None


def check_now(*_: object) -> None:
    """Call this thread's check, if it has one; usable as a hook of a layer."""
    if check := _CHECK.get():
        check()


@contextmanager
def checked_layers(network: Any) -> Iterator[None]:
    """Within the block, check before each layer of a `torch.nn.Module`, on a CPU also within it.

    Other threads that use it at the same time have their own checks, or none.
    """
    if not is_interruptible():
        yield
        return
    from explorer.runtime.long_layers import LongLayers

    hooks = [each.register_forward_pre_hook(check_now) for each in network.modules()]
    try:
        with LongLayers(check_now):
            yield
    finally:
        for hook in hooks:
            hook.remove()
