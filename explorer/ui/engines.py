"""The engine of each page, for routes that only know the application."""

from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr

from explorer.views.engine_protocol import EngineLike

_ENGINES: WeakKeyDictionary[gr.Blocks, EngineLike] = WeakKeyDictionary()


def keep_engine(page: gr.Blocks, engine: EngineLike) -> None:
    """Make `engine` the one that `engine_of` finds for the application of this page."""
    _ENGINES[page] = engine


def engine_of(app: Any) -> EngineLike:
    """The engine of an application (`request.app`, Gradio's)."""
    return _ENGINES[app.get_blocks()]
