"""A page of docs/ as a page to read: one HTML file, with its style and its pictures in it."""

import base64
import mimetypes
import re
from collections.abc import Collection
from html import escape
from pathlib import Path
from string import Template

from markdown_it import MarkdownIt
from markdown_it.token import Token

from explorer.assets import asset

_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)  # marks of what made a part of the page
_ELSEWHERE = ("https://", "#")


def guide_page(path: Path, served: Collection[str]) -> str:
    """The HTML of a Markdown file of ours; HTML in it is shown as text.

    Pictures beside it become part of the page. Links lead to other sites, and to those of `served`,
    names of files beside it; the words of any other link stay.
    """
    text = _COMMENT.sub("", path.read_text(encoding="utf-8"))
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    for token in tokens:
        if token.children:
            token.children = _mended(token.children, path.parent, served)
    title = next((tokens[at + 1].content for at, each in enumerate(tokens) if each.tag == "h1"), "")
    return _template().substitute(
        title=escape(title or path.stem),
        style=(asset("guide") / "guide.css").read_text(encoding="utf-8"),
        body=markdown.renderer.render(tokens, markdown.options, {}),
    )


def _template() -> Template:
    return Template((asset("guide") / "page.html").read_text(encoding="utf-8"))


def _mended(tokens: list[Token], folder: Path, served: Collection[str]) -> list[Token]:
    """The parts of a paragraph, their pictures and links as `guide_page` says."""
    kept, is_link = [], True
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrs["href"])
            is_link = target.startswith(_ELSEWHERE) or target in served
        if token.type == "image":
            token.attrs["src"] = _data_url(folder / str(token.attrs["src"]))
        if is_link or token.type not in ("link_open", "link_close"):
            kept.append(token)
    return kept


def _data_url(picture: Path) -> str:
    """A picture as part of the page; "" where it is not there, and its words stand in its place."""
    if not picture.is_file():
        return ""
    kind = mimetypes.guess_type(picture.name)[0] or "image/webp"
    return f"data:{kind};base64,{base64.b64encode(picture.read_bytes()).decode()}"
