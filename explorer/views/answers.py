"""Handlers that always answer: an unexpected error is a sentence, and its reason is logged."""

import functools
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from explorer.settings.text import encodable

LOG = logging.getLogger(__name__)

UNEXPECTED = "This could not be worked out; whoever runs the server finds the reason in its log."


def answering(otherwise: Callable[[str], Any]) -> Callable[[Callable], Callable]:
    """Make a handler of plain JSON answer `otherwise(sentence)` where it raises.

    The answer can be encoded: text quoted from a page may contain lone surrogates.
    """

    def wrap(handler: Callable) -> Callable:
        @functools.wraps(handler)
        def answered(*args: Any) -> Any:
            try:
                return encodable(handler(*args))
            except Exception:
                LOG.exception("%s failed", handler.__name__)
                return otherwise(UNEXPECTED)

        return answered

    return wrap


def answering_stream(otherwise: Callable[[str], Any]) -> Callable[[Callable], Callable]:
    """Make a handler that yields several answers end with `otherwise(sentence)` where it raises."""

    def wrap(handler: Callable) -> Callable:
        @functools.wraps(handler)
        async def answered(*args: Any, **named: Any) -> AsyncIterator[Any]:
            try:
                async for answer in handler(*args, **named):
                    yield encodable(answer)
            except Exception:
                LOG.exception("%s failed", handler.__name__)
                yield otherwise(UNEXPECTED)

        return answered

    return wrap
