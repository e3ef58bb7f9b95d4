"""The start picture's control: a place to click, or to drop one."""

from typing import Any

import gradio as gr
from gradio.data_classes import ImageData

HEIGHT = 96


def start_picture(**look: Any) -> gr.Image:
    """A picture's control that hands over the file as it is: settings refuse what is none.

    No event may have it as an output: Gradio would make another control in place of this one.
    """
    control = gr.Image(type="filepath", sources=["upload"], height=HEIGHT, buttons=[], **look)
    control.preprocess = _path  # Gradio writes a file beside the module of every subclass
    return control


def _path(payload: ImageData | None) -> str | None:
    return payload and payload.path
