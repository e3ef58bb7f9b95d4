"""The panels below the pictures, one for each tab of assets/page/tabs/tabs.html.

They are columns, not `gr.Tab`: Gradio takes the contents of a tab that is not shown out of the
page, and what listens or draws in it with them.
"""

import gradio as gr


def panels() -> gr.Column:
    """The area that the panels share; a context manager in which they are made."""
    return gr.Column(elem_id="panels", min_width=0)


def panel(key: str) -> gr.Column:
    """The panel of one tab; a context manager in which its contents are made."""
    return gr.Column(elem_id=f"panel_{key}", min_width=0)
