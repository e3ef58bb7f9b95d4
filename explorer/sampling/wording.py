"""How sentences name several things: lists joined with "and", numbers, lanes by their letters."""

from collections.abc import Iterable


def joined(words: Iterable[object], last_with: str = "and") -> str:
    """Return "a, b and c"; one word alone as it is, no words as ""."""
    *others, last = [str(word) for word in words] or [""]
    return f"{', '.join(others)} {last_with} {last}" if others else last


def counted(count: int, noun: str) -> str:
    """Return "1 step", "2 steps", "1,000 steps"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def lane_letter(lane: int) -> str:
    """Return the letter of a lane, counted from 0: A, B, C, ..."""
    return chr(ord("A") + lane)
