"""How the page reads and fills its whole form at once, for undo and for reloads.

Both happen in the browser. The page is told of every change of a control, and can set all controls
to given values, whatever kind they are; the server is told of that as of any other change.
"""

import gradio as gr
from gradio.events import Dependency

from explorer.ui.components import component
from explorer.ui.form import Form
from explorer.ui.handlers import IN_THE_BROWSER
from explorer.views.engine_protocol import EngineLike
from explorer.views.form_values import FORM_FIELDS, form_version

ON_CHANGE = "(...values) => { window.samplerExplorerForm?.changed(values); return []; }"
WANTED = "() => window.samplerExplorerForm.wanted()"


def history_buttons(engine: EngineLike) -> gr.HTML:
    """The two buttons; their value is the list of the form's controls by name, in their order."""
    version = form_version(engine)
    return component("history", list(FORM_FIELDS), events=("ask", "fill"), version=version)


def on_fill(form: Form, history: gr.HTML) -> Dependency:
    """Fill the whole form when the page's history asks for it; returns the event that fills it."""
    each = IN_THE_BROWSER | {"trigger_mode": "multiple"}  # lose no second request meanwhile
    return history.fill(None, None, form.ordered(), js=WANTED, **each)


def on_form(form: Form, history: gr.HTML) -> None:
    """Report every change to the page's history."""
    controls = form.ordered()
    gr.on([control.change for control in controls], None, controls, js=ON_CHANGE, **IN_THE_BROWSER)
    history.ask(None, controls, None, js=ON_CHANGE, **IN_THE_BROWSER)
