"""Text from users and programs: finding invalid Unicode, and making text encodable."""

import re
from typing import Any

_BROKEN = re.compile(r"[\ud800-\udfff\x00]")
# What a terminal obeys, and what turns the order of letters around.
_UNSHOWN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def broken_at(text: str) -> int | None:
    """Return the index of the first invalid character; None for valid text.

    Lone surrogates come from browsers and programs that split an emoji; NUL is the end of the text
    for some tokenizers and files.
    """
    match = _BROKEN.search(text)
    return match and match.start()


def encodable(data: Any) -> Any:
    """Return a copy of JSON data that UTF-8 can encode: lone surrogates become U+FFFD.

    Sentences quote user input, and a dict's keys may come from a page too.
    """
    if isinstance(data, str):
        whole = data.isascii()
        return data if whole else data.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(data, dict):
        return {encodable(key): encodable(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [encodable(each) for each in data]
    return data


def printable(text: str) -> str:
    """Text for a terminal: what would move its cursor or change what it shows is escaped.

    Lines stay lines. Lone surrogates become U+FFFD.
    """
    return _UNSHOWN.sub(lambda match: ascii(match[0])[1:-1], encodable(text))
