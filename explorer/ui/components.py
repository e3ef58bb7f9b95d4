"""Components of the page that live in the browser: HTML, CSS and JS files of assets/page.

Its folders are subjects; a file's name is unique across them, so the name alone identifies it.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from explorer.assets import asset

PAGE_FILES = asset("page")
STYLES = (
    "base",
    "tip",
    "layout",
    "controls",
    "lanes",
    "stage",
    "viewer",
    "tabs",
    "plot",
    "calls_table",
    "doctor",
    "files",
    "report",
    "past_runs",
    "cards",
    "save",
    "learn",
    "narrow",
    "contrast",
)
FIRST_FOLDERS = ("shared", "run", "viewer", "examples", "settings", "history")


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

    With `children` it is a context: components made in it are placed below its markup. `events` are
    the custom events that the module may trigger.

    `value` is plain JSON; the module's `mount({element, props, watch, trigger})` gets it. Text of
    users must reach the markup through `textContent` only, so templates here have no placeholders.
    """
    template = page_file(f"{name}.html")
    markup = template.read_text(encoding="utf-8")
    script = page_file("mount.js").read_text(encoding="utf-8")
    script += "".join(f'// "{event}"\n' for event in events)  # Gradio looks for it quoted
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


def modules() -> list[str]:
    """The modules of the components, by path below assets/page, those needed first at the start."""
    found = (
        path.relative_to(PAGE_FILES)
        for path in PAGE_FILES.rglob("*.js")
        if path.name not in ("early.js", "mount.js")  # which are no modules
    )
    order = {folder: place for place, folder in enumerate(FIRST_FOLDERS)}
    found = sorted(found, key=lambda path: (order.get(path.parts[0], len(order)), path))
    return [path.as_posix() for path in found]


def early_script() -> str:
    """The script of the page's head, which runs before anything is drawn, without its tags."""
    early = page_file("early.js").read_text(encoding="utf-8")
    return f"window.samplerExplorerModules = {json.dumps(modules())};\n{early}"


def style_sheets() -> str:
    """The page's style sheets for its head, in the order in which they apply.

    Gradio would rewrite every selector of sheets that it gets as `css` or `css_paths`, and those in
    media queries differently. The order is that of STYLES. No cascade layers are used: Gradio's
    rules are in none, and so override all that are in one (a quarter of the page's elements would
    lose their style).
    """
    sheets = (page_file(f"{name}.css") for name in STYLES)
    return "".join(f"<style>{sheet.read_text(encoding='utf-8')}</style>" for sheet in sheets)
