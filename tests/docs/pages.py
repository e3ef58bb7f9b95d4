"""Pages of documentation with made figures: blocks between two comments are functions' texts."""

import re
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
PICTURES = DOCS / "pictures"
BLOCK = re.compile(r"<!-- made: (\w+) -->\n(.*?)<!-- end -->\n", re.DOTALL)


def blocks(page: str) -> dict[str, str]:
    """The made blocks of a page of docs/, by name."""
    return dict(BLOCK.findall((DOCS / page).read_text(encoding="utf-8")))


def write(page: str, made: Mapping[str, str]) -> None:
    """Replace every block of a page; raises KeyError for one that nothing makes."""
    path = DOCS / page
    text = BLOCK.sub(
        lambda block: f"<!-- made: {block[1]} -->\n{made[block[1]]}<!-- end -->\n",
        path.read_text(encoding="utf-8"),
    )
    path.write_text(text, encoding="utf-8")
