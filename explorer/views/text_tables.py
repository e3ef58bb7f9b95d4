"""Tables as plain text: for a terminal, and for programs that read text."""

from collections.abc import Sequence

GAP = "  "
TINY = 1e-12  # what rounding leaves of 0


def text_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows under a head in columns as wide as their longest cell; numbers are set to the right.

    Floats have five significant digits, and are 0 below TINY; None is empty.
    """
    cells = [[cell_text(cell) for cell in row] for row in rows]
    right = [
        any(isinstance(cell, int | float) for cell in column) for column in zip(*rows, strict=True)
    ] or [False] * len(head)
    lines = [list(head), *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        GAP.join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def cell_text(value: object) -> str:
    """A cell as it is shown."""
    if value is None:
        return ""
    if isinstance(value, float):
        return "0" if abs(value) < TINY else f"{value:.5g}"
    return str(value)
