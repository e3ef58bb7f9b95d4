"""Context managers that override attributes of one object, or remove such overrides."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def overriding(target: object, name: str, value: object) -> Iterator[None]:
    """Within the block `target.name` is `value`; afterwards it is restored.

    Only this object is changed, not its class. Blocks may be nested.
    """
    with without_overrides(target, name):
        setattr(target, name, value)
        try:
            yield
        finally:
            vars(target).pop(name, None)


@contextmanager
def without_overrides(target: object, *names: str) -> Iterator[None]:
    """Within the block these attributes of `target` are those of its class."""
    attributes = vars(target)
    removed = {name: attributes.pop(name) for name in names if name in attributes}
    try:
        yield
    finally:
        attributes.update(removed)
