"""The page's style sheets, read as text: what several buttons share is written once."""

import re

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
