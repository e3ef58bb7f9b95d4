"""Which run a browser speaks of, and whose it is."""

import secrets
from dataclasses import dataclass

import gradio as gr

from explorer.hosting.visitors import LOCAL, is_id, is_local


@dataclass(frozen=True)
class RunName:
    """What a page says of its run: the run's id, "" for none, and whose it is."""

    id: str
    owner: str


def run_name(sent: object, request: gr.Request) -> RunName:
    """What a page has sent of its run, {"id", "visitor"}, which may be anything.

    A run without a visitor, which no page sends, belongs to nobody who could ask for it.
    """
    sent = sent if isinstance(sent, dict) else {}
    id, visitor = sent.get("id"), sent.get("visitor")
    owner = visitor if isinstance(visitor, str) and is_id(visitor) else secrets.token_hex(16)
    if is_local(dict(request.headers or {})):
        owner = LOCAL
    return RunName(id if isinstance(id, str) and is_id(id) else "", owner)
