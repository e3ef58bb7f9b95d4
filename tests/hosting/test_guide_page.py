"""Pages of docs/ as pages to read: whole, with nothing of theirs taken for HTML."""

import re
from html.parser import HTMLParser

import pytest

from explorer.hosting.files import GUIDE_PICTURES, GUIDES, guides
from explorer.hosting.guide_page import guide_page


class Tags(HTMLParser):
    """The tags of a page with their attributes, in their order."""

    def __init__(self, page: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, wanted: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.found if tag == wanted]


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_is_a_page_with_its_pictures_in_it(name):
    page = guide_page(guides()[name], guides())
    source = guides()[name].read_text(encoding="utf-8")
    tags = Tags(page)
    assert f"<h1>{source.splitlines()[0].removeprefix('# ')}</h1>" in page.replace("&#x27;", "'")
    assert len(tags.all("img")) == source.count("![")
    for picture in tags.all("img"):
        assert picture["alt"] and picture["src"].startswith("data:image/webp;base64,")
    for link in tags.all("a"):
        assert link["href"] in GUIDES or link["href"].startswith("https://")
    assert len(tags.all("table")) == len(re.findall(r"^\| ?-", source, re.M))
    assert not tags.all("script") and "<!--" not in page and "&lt;!--" not in page


def test_every_picture_of_the_guides_is_packed():
    wanted = {
        found
        for path in guides().values()
        for found in re.findall(r"!\[[^]]*\]\(([^)]+)\)", path.read_text(encoding="utf-8"))
    }
    assert wanted == set(GUIDE_PICTURES)


def test_what_is_no_markdown_of_ours_is_text(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A & <b>B</b>\n\n<script>alert(1)</script> [bad](javascript:alert(1)) "
        "[away](other.md) [near](near.md) ![gone](../secret.png)\n"
    )
    tags = Tags(text := guide_page(page, ["near.md"]))
    assert [link["href"] for link in tags.all("a")] == ["near.md"]
    assert not tags.all("script") and not tags.all("b")
    assert "away" in text and "bad" in text and tags.all("img") == [{"src": "", "alt": "gone"}]
    assert "<title>A &amp; &lt;b&gt;B&lt;/b&gt;" in text
