"""What is kept for each open page: its `gr.State` values, and no copy of its form.

Gradio keeps what was last in every control of a session, for links that bring a form back. The page
has no such links, and a stranger could fill each control of each session with a large text.
"""

import gradio as gr
from gradio import state_holder


class Session(state_holder.SessionState):
    """A session as Gradio keeps it, less the copy of the form."""

    def __init__(self, blocks: gr.Blocks):
        super().__init__(blocks)
        self.config_values = _Nothing()


class _Nothing(dict):
    """A dict that stays empty, whatever is put in."""

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: object) -> dict:
        return {}  # Gradio writes only into one that has props


def keep_no_forms() -> None:
    """Have Gradio open sessions of this kind from now on."""
    state_holder.SessionState = Session
