"""How sentences name several things: lists joined with "and", numbers, lanes by their letters."""

from collections.abc import Iterable


def joined(words: Iterable[object], last_with: str = "and") -> str:
    """Return "a, b and c"; one word alone as it is, no words as ""."""
    *others, last = [str(word) for word in words] or [""]
    return f"{', '.join(others)} {last_with} {last}" if others else last


def counted(count: int, noun: str) -> str:
    """Return "1 step", "2 steps", "1,000 steps"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def about(seconds: float) -> str:
    """Return a time as people say it: "0.4 seconds", "50 seconds", "34 minutes", "3 hours"."""
    if seconds < 9.95:
        return "1 second" if f"{seconds:.1f}" == "1.0" else f"{seconds:.1f} seconds"
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 100 else f"{minutes / 60:.0f} hours"


def lane_letter(lane: int) -> str:
    """Return the letter of a lane, counted from 0: A, B, C, ..."""
    return chr(ord("A") + lane)
