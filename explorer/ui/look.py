"""How the page is launched and what it looks like beyond its style sheets."""

from typing import Any

import gradio as gr

from explorer.ui.parts import PAGE_FILES, style_sheets

LARGEST_UPLOAD = "24mb"  # a little more than a start picture may have: then a sentence says so
SANS = ["system-ui", "-apple-system", "Segoe UI", "sans-serif"]
MONO = ["ui-monospace", "SF Mono", "Cascadia Mono", "Menlo", "monospace"]


def launch_options() -> dict[str, Any]:
    """Keyword arguments of `Blocks.launch`: theme, styles, and nothing that leaves the machine."""
    theme = gr.themes.Base(
        font=SANS,
        font_mono=MONO,
        primary_hue="neutral",
        neutral_hue="slate",
        spacing_size="sm",
        radius_size="sm",
        text_size="sm",
    )
    return {
        "theme": theme,
        "head": style_sheets(),
        "favicon_path": PAGE_FILES / "favicon.png",
        "footer_links": [],
        "run_history": False,
        "ssr_mode": False,
        "max_file_size": LARGEST_UPLOAD,
    }
