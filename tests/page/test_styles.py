"""The page's style sheets, read as text: what several buttons share is written once."""

import re
from pathlib import Path

from explorer import ui
from explorer.ui.components import PAGE_FILES

QUIET = {"color: var(--ink-2)", "border: 1px solid var(--rule-2)"}


def test_quiet_buttons_have_one_class():
    """Buttons drawn as an outline share `.quiet-button`; no sheet draws one by itself."""
    rules = {}
    for sheet in PAGE_FILES.rglob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
        for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", text):
            if {line.strip() for line in body.split(";")} >= QUIET:
                rules[selector.strip()] = sheet.name
    assert rules == {".gradio-container .quiet-button": "base.css"}


GRADIO_AND_PLOTLY = {  # make these
    "app",
    "block",
    "column",
    "container",
    "dark",
    "form",
    "gradio-container",
    "has_children",
    "icon-wrap",
    "item",
    "main",
    "main-svg",
    "modebar",
    "modebar-btn",
    "modebar-container",
    "number",
    "nsewdrag",
    "options",
    "row",
    "secondary-wrap",
    "sidebar",
    "sidebar-content",
    "sidebar-parent",
    "toast-wrap",
    "toggle-button",
    "wrap",
    "wrap-inner",
}


def test_every_class_in_a_sheet_is_made_somewhere():
    """A rule whose element is gone does nothing, and nobody dares to remove it."""
    page = [each.read_text(encoding="utf-8") for each in PAGE_FILES.rglob("*.js")]
    html = [each.read_text(encoding="utf-8") for each in PAGE_FILES.rglob("*.html")]
    python = [each.read_text(encoding="utf-8") for each in Path(ui.__file__).parent.glob("*.py")]
    made = set(re.findall(r"[\w-]+", " ".join(re.findall(r'class="([^"]*)"', "".join(html)))))
    for text in page + python:
        for quoted in re.findall(r'"([^"\n]*)"|`([^`]*)`', text):
            made.update(re.findall(r"[\w-]+", " ".join(quoted)))
    made |= {f"part-{each}" for each in made} | {f"lane-{each}" for each in "abcdef"}
    unused = {}
    for sheet in PAGE_FILES.rglob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
        for selector in re.findall(r"([^{};]+)\{", text):
            for name in re.findall(r"\.(-?[A-Za-z_][\w-]*)", selector):
                if name not in made | GRADIO_AND_PLOTLY:
                    unused[name] = sheet.name
    assert unused == {}
