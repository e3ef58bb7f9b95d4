"""docs/algorithm.md shows the loop that runs."""

import re
import textwrap
from itertools import pairwise
from pathlib import Path

import torch

from explorer.lab import by_the_book
from explorer.lab.by_the_book import Method
from explorer.lab.gaussian import Gaussian

PAGE = Path(__file__).resolve().parents[2] / "docs" / "algorithm.md"


def test_the_page_shows_the_loop_as_it_is():
    shown = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL).group(1)
    source = Path(by_the_book.__file__).read_text()
    # Without empty lines, of which ruff wants more around a function of a page.
    page, code = (re.sub(r"\n\s*\n", "\n", text) for text in (shown, source))
    assert textwrap.indent(page, " " * 8) in code


def test_every_file_that_the_page_names_is_there():
    links = re.findall(r"\]\((\.\.[^)]*)\)", PAGE.read_text())
    assert links
    assert all((PAGE.parent / link).is_file() for link in links)


def test_the_page_counts_the_calls_truly():
    sigmas = [8.0, 4.0, 2.0, 1.0]
    zero = [torch.zeros(3, dtype=torch.float64)] * 4
    x = torch.linspace(-8, 8, 3, dtype=torch.float64)
    for eta in (0.0, 1.0):
        _, calls = Method(sigmas=sigmas, eta=eta).run(Gaussian(), x, zero, zero)
        assert len(calls) == 2 * len(sigmas) - 1
        mids = [sigma for sigma, _ in calls[1::2]]
        expected = [b if eta else (a * b) ** 0.5 for a, b in pairwise(sigmas)]
        torch.testing.assert_close(torch.tensor(mids), torch.tensor(expected))
