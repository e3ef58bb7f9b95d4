"""Keyword arguments of the page's events, and the page that sent an event."""

from typing import Any

import gradio as gr

from explorer.hosting.client_address import address_of

Options = dict[str, Any]  # keyword arguments of a Gradio event

# Private, and without an overlay; nor a status at any component, which Gradio's page would copy
# with all that the component holds, several times an event.
INTERNAL: Options = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
IN_THE_BROWSER: Options = INTERNAL | {"queue": False}  # runs in the browser only
UNQUEUED: Options = INTERNAL | {"queue": False, "trigger_mode": "always_last"}
SIDE_BY_SIDE: Options = INTERNAL | {"concurrency_limit": None, "trigger_mode": "multiple"}


def session_of(request: gr.Request) -> str:
    """The name of the page that sent an event; "" where it has none."""
    return request.session_hash or ""


def address_in(request: gr.Request) -> str:
    """The address from which a page sent an event; "" where it is unknown."""
    return address_of(request.request.scope) if request.request is not None else ""
