"""How the page reads and fills its whole form at once: what undo, and a reload, are made of.

Both happen in the browser. The page is told of every change of a control, and can make all controls
hold given values, whatever kind they are; the server hears of that as of any other change.
"""

import gradio as gr
from gradio.events import Dependency

from explorer.ui.form import FORM_FIELDS, Form
from explorer.ui.parts import part

# Without a server; the overlay of Gradio's would hide what changes.
INTERNAL = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
TELL = "(...values) => { window.samplerExplorerForm?.changed(values); return []; }"
TAKE = "() => window.samplerExplorerForm.wanted()"


def history_part() -> gr.HTML:
    """The two buttons; the part's value are the names of the form's controls, in their order."""
    return part("history", list(FORM_FIELDS), events=("ask", "fill"))


def on_fill(form: Form, history: gr.HTML) -> Dependency:
    """Fill the whole form when the page's history asks; returns the event that has filled it."""
    return history.fill(None, None, form.ordered(), js=TAKE, **INTERNAL)


def on_form(form: Form, history: gr.HTML) -> None:
    """Tell the page's history of every change."""
    controls = form.ordered()
    gr.on([control.change for control in controls], None, controls, js=TELL, **INTERNAL)
    history.ask(None, controls, None, js=TELL, **INTERNAL)
