"""What is kept for each open page: its `gr.State` values, and no copy of its form.

Gradio keeps the latest value of every control of a session, for links that restore a form. The page
has no such links, and anybody could fill each control of each session with a large text.
"""

from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio import state_holder


class Session(state_holder.SessionState):
    """A session as Gradio keeps it, without the copy of the form."""

    def __init__(self, blocks: gr.Blocks):
        # Of a page without controls: to write down the form of a new page takes 12 ms.
        bare: Any = SimpleNamespace(default_config=blocks.default_config, blocks={})
        super().__init__(bare)
        self.config_values = _Nothing()


class _Nothing(dict):
    """A dict that stays empty, whatever is put in."""

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: object) -> dict:
        return {}  # Gradio writes only into configurations that have props


def keep_no_forms() -> None:
    """Make Gradio use sessions of this kind from now on."""
    state_holder.SessionState = Session
