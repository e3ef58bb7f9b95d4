"""Text as people and programs send it: what is not valid Unicode, and what may be sent back."""

import re
from typing import Any

_BROKEN = re.compile(r"[\ud800-\udfff\x00]")


def broken_at(text: str) -> int | None:
    """Return the place, from 0, of the first character that is none; None for sound text.

    Halves of surrogate pairs are what a browser or program sends that cut an emoji in two, NUL is
    what some tokenizers and files take for the end.
    """
    match = _BROKEN.search(text)
    return match and match.start()


def encodable(data: Any) -> Any:
    """Return a copy of JSON data that UTF-8 can hold: half characters become U+FFFD.

    Sentences quote what was typed, and a dict's keys may come from a page too.
    """
    if isinstance(data, str):
        whole = data.isascii()
        return data if whole else data.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(data, dict):
        return {encodable(key): encodable(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [encodable(each) for each in data]
    return data
