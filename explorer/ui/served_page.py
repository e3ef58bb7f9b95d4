"""The page with what its server's routes ask for: its engine, the runs it takes, has and keeps."""

from collections.abc import Callable
from typing import Any

import gradio as gr
from starlette.requests import Request
from starlette.types import Scope

from explorer.hosting.admission import Admission
from explorer.hosting.metrics import Metrics
from explorer.hosting.run_store import RunStore
from explorer.hosting.service import Service
from explorer.records.shown import ShownRun
from explorer.runs.registry import RunRegistry
from explorer.views.engine_protocol import EngineLike
from explorer.views.opened import Opened


class ServedPage(gr.Blocks):
    """A page that routes find through its application, below.

    `show` is set with its viewer, `service`, which answers programs, with its endpoints.
    """

    show: Callable[[ShownRun], Opened]
    service: Service

    def __init__(
        self,
        engine: EngineLike,
        runs: RunRegistry,
        store: RunStore,
        admission: Admission,
        **options: Any,
    ):
        super().__init__(**options)
        self.engine, self.runs, self.store = engine, runs, store
        self.admission = admission
        # What is done when a page is closed. Gradio's event for it, `unload`, costs the event loop
        # ten milliseconds for any session that somebody names: thousands at once stop the server.
        self.on_left: list[Callable[[str], None]] = []

    def left(self, session: str) -> None:
        """A session's page was closed."""
        for each in self.on_left:
            each(session)


def page_of(app: Any) -> ServedPage:
    """The page of an application, Gradio's `request.app`."""
    return app.get_blocks()


def engine_of(app: Any) -> EngineLike:
    """The engine of an application's page."""
    return page_of(app).engine


def runs_of(request: Request) -> RunRegistry:
    """The runs of the page that a request is for."""
    return page_of(request.app).runs


def store_of(request: Request) -> RunStore:
    """Where that page's runs are kept."""
    return page_of(request.app).store


def service_of(request: Request) -> Service:
    """What answers programs there."""
    return page_of(request.app).service


def watched(request: Request) -> tuple[EngineLike, Admission, Metrics]:
    """What tells how a request's server is: its engine, its runs under way, its figures."""
    page = page_of(request.app)
    return page.engine, page.admission, page.admission.metrics


def count_error(scope: Scope, kind: str) -> None:
    """Count a fault of a request's server."""
    page_of(scope["app"]).admission.metrics.error(kind)


def show_run(request: Request, run: ShownRun) -> Opened:
    """What that page shows of a run."""
    return page_of(request.app).show(run)
