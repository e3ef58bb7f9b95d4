"""The start picture's control: a place to click, or to drop one."""

from typing import Any

import gradio as gr

HEIGHT = 96
NOTHING = "nothing"  # a payload that names neither a file nor a picture


def start_picture(**kwargs: Any) -> gr.Image:
    """A picture's control that hands over what the browser named; the form has it looked at.

    No event may have it as an output: Gradio would make another control in place of this one.
    """
    control = gr.Image(type="filepath", sources=["upload"], height=HEIGHT, buttons=[], **kwargs)
    # Gradio writes a file beside the module of every subclass.
    control.preprocess = reference
    control.data_model = None  # a payload of any shape arrives, and is refused with our sentence
    control.api_info = lambda: {"type": "object"}
    return control


def reference(payload: object) -> str | None:
    """What a payload names: a path or a data URL, unchecked; None for no picture."""
    if not payload:
        return None
    named = payload.get("path") or payload.get("url") if isinstance(payload, dict) else payload
    return named if isinstance(named, str) and named else NOTHING
