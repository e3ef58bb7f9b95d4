"""The start picture's control: a place to click, or to drop one."""

from typing import Any

import gradio as gr

HEIGHT = 96
NOTHING = "nothing"  # a payload that names neither a file nor a picture


def start_picture(**kwargs: Any) -> gr.Image:
    """A picture's control that passes on the browser's reference; the form has it checked.

    No event may have it as an output: Gradio would replace it by another control.
    """
    control = gr.Image(type="filepath", sources=["upload"], height=HEIGHT, buttons=[], **kwargs)
    # Gradio writes a file beside the module of every subclass.
    control.preprocess = reference
    control.data_model = None  # any payload is accepted here, and refused later with our sentence
    control.api_info = lambda: {"type": "object"}
    return control


def reference(payload: object) -> str | None:
    """The reference in a payload: a path or a data URL, unchecked; None for no picture."""
    if not payload:
        return None
    named = payload.get("path") or payload.get("url") if isinstance(payload, dict) else payload
    return named if isinstance(named, str) and named else NOTHING
