"""What a page's process and its worker process say to each other.

A request has a number, and so have its answers: items, and then either a result or a failure.
"""

from dataclasses import dataclass, field
from typing import Any

from explorer.hosting.workers.border import Learned

RUN, FETCH, LOAD, FRAMES, MEMORY, UNREAD, PACE, CLOSE = (
    *("run", "fetch", "load", "full frames", "memory use", "unread", "pace", "close"),
)
OF_MODEL, OF_SIZE, DIED = "model", "size", "died"  # kinds of failures


@dataclass(frozen=True, eq=False)
class Request:
    """Something to do in the worker, beside what else it does."""

    number: int
    kind: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Stop:
    """A request is no longer wanted."""

    number: int


@dataclass(frozen=True, eq=False)
class Item:
    """One of several answers to a request, such as an event."""

    number: int
    value: Any


@dataclass(frozen=True)
class Taken:
    """An item of a request whose items are made no faster than they are taken."""

    number: int


@dataclass(frozen=True, eq=False)
class Result:
    """The last answer to a request."""

    number: int
    value: Any = None


@dataclass(frozen=True)
class Failure:
    """A request failed; `kind` is of the model, of the size, that the process died, or ""."""

    number: int
    kind: str
    message: str


@dataclass(frozen=True)
class Alive:
    """The worker answers, whatever it computes; said twice a second."""


@dataclass(frozen=True, eq=False)
class News:
    """What the worker tells unasked: what there is to learn, and how far loading is."""

    learned: Learned
    progress: tuple[str, float | None] = field(default=("", None))
