"""A generator whose first item may take long to come: waited for, or given up."""

import queue
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, suppress
from contextvars import copy_context
from typing import Any, TypeVar

Item = TypeVar("Item")
POLL_S = 0.1


class GivenUp(Exception):
    """The first item is no longer waited for; the generator is closed as soon as it has come."""


def first_item(
    items: Generator[Item, None, None],
    stopping: Callable[[], bool],
    guard: AbstractContextManager[Any],
) -> Item | None:
    """Return the first item, None if there is none; raises GivenUp when it is `stopping()`.

    It is asked for in a thread, in this one's context and within `guard`. Raises what the generator
    raises.
    """
    answers: queue.SimpleQueue[tuple[Item | None, Exception | None]] = queue.SimpleQueue()
    decided, is_given_up = threading.Event(), False

    def ask() -> None:
        with guard:
            try:
                answer = next(items, None), None
            except Exception as error:
                answer = None, error
        answers.put(answer)
        decided.wait()
        if is_given_up:
            items.close()

    asking = threading.Thread(target=copy_context().run, args=(ask,), name="first item")
    asking.daemon = True  # the program's end does not wait for it
    asking.start()
    try:
        while True:
            with suppress(queue.Empty):
                item, error = answers.get(timeout=POLL_S)
                break
            if stopping():
                is_given_up = True
                raise GivenUp
    finally:
        decided.set()
    if error is not None:
        raise error
    return item
