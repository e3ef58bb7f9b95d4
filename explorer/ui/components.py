"""Components of the page that live in the browser: HTML, CSS and JS files of assets/page.

Its folders are topics; a file is known by its name alone, which is nowhere else in them.
"""

from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from explorer.assets import asset

PAGE_FILES = asset("page")
STYLES = ("base", "controls", "lanes", "stage", "plot", "doctor", "files", "narrow", "contrast")


@cache
def page_file(name: str) -> Path:
    """The file of that name, in whichever folder of the page."""
    (path,) = PAGE_FILES.rglob(name)
    return path


def component(
    name: str,
    value: object = None,
    elem_id: str = "",
    children: bool = False,
    events: tuple[str, ...] = (),
    **props: Any,
) -> gr.HTML:
    """The component whose markup is `<name>.html` and whose behaviour is `<name>.js` beside it.

    With `children` it is a context: what is made in it stands below its markup. `events` are those
    of its own that the module may trigger.

    `value` is plain JSON; the module's `mount({element, props, watch, trigger})` gets it. Text of
    users must reach the markup through `textContent` only, so templates here have no placeholders.
    """
    template = page_file(f"{name}.html")
    markup = template.read_text(encoding="utf-8")
    script = page_file("mount.js").read_text(encoding="utf-8")
    script += "".join(f'// "{event}"\n' for event in events)  # Gradio looks for a name in quotes
    return gr.HTML(
        value,
        html_template=markup + "@children" if children else markup,
        js_on_load=script,
        apply_default_css=False,
        elem_id=elem_id or name,
        elem_classes=["part", f"part-{name}"],
        module=template.with_suffix(".js").relative_to(PAGE_FILES).as_posix(),
        **props,
    )


def style_sheets() -> str:
    """The page's style sheets for its head, in the order in which they apply.

    Given as `css` or `css_paths`, Gradio would rewrite every selector, media queries differently.
    That order is STYLES, by file: Gradio's own rules are in no cascade layer and win over all that
    are (in one, a quarter of the page's elements lose their look).
    """
    sheets = (page_file(f"{name}.css") for name in STYLES)
    return "".join(f"<style>{sheet.read_text(encoding='utf-8')}</style>" for sheet in sheets)
