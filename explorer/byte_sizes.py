"""Sizes in bytes: their units, and how they are written."""

MIB, GIB = 2**20, 2**30


def size_text(count: int) -> str:
    """A number of bytes in the largest unit that fits: "1.5 GiB"."""
    for unit, size in (("GiB", GIB), ("MiB", MIB)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1024:.1f} KiB"
