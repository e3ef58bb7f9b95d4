"""The runs that belong to a page: where its server's routes find them."""

from functools import partial
from typing import Any

import gradio as gr
from starlette.requests import Request

from explorer.hosting.run_store import RunStore
from explorer.records.shown import ShownRun
from explorer.views.engine_protocol import EngineLike
from explorer.views.kept_pictures import Keep
from explorer.views.opened import Opened, opened_payload


def serve_runs(page: gr.Blocks, store: RunStore, keep: Keep, engine: EngineLike) -> None:
    """Let the routes of a page's server have its store, and make what the page shows of a run."""
    names = [entry.name for entry in engine.entries]
    models = () if engine.catalog.anything else names
    show = partial(opened_payload, keep=keep, models=models, first=names[0])
    vars(page).update(run_store=store, show_run=show)


def store_of(request: Request) -> RunStore:
    """The store of the page that a request is for."""
    return _of_page(request)["run_store"]


def show_run(request: Request, run: ShownRun) -> Opened:
    """What that page shows of a run."""
    return _of_page(request)["show_run"](run)


def _of_page(request: Request) -> dict[str, Any]:
    return vars(request.app.get_blocks())
