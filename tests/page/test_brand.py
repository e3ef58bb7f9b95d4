"""What the page says of itself, in its two places: the sidebar's head, and a phone's first line."""

import re

from explorer.ui.components import page_file


def test_a_phone_says_what_the_sidebar_says():
    said = [
        re.search(r'<p class="what">(.+)</p>', page_file(name).read_text(encoding="utf-8"))[1]
        for name in ("brand.html", "skip.html")
    ]
    assert said[0] == said[1]
    assert len(said[0]) < 110  # two lines of either
