"""How the page is launched and what it looks like beyond its style sheets."""

import os
from functools import partial
from typing import Any

from gradio.themes import Base
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from explorer.hosting import (
    example_routes,
    files,
    health,
    history_routes,
    latent_routes,
    run_events,
    save_routes,
    settings_routes,
)
from explorer.hosting.access import Access, read_access
from explorer.hosting.api import routes as api_routes
from explorer.hosting.event_requests import EventRequests
from explorer.hosting.folders import choose_temp_folder
from explorer.hosting.misplaced import Misplaced
from explorer.hosting.origins import Origins
from explorer.hosting.request_limits import OVERHEAD, RequestLimits
from explorer.hosting.security_headers import SecurityHeaders
from explorer.hosting.sentences import Sentences
from explorer.plots.figures import plotly_script
from explorer.settings.limits import LIMITS, Limits
from explorer.ui.components import PAGE_FILES, early_script, page_file, style_sheets
from explorer.ui.event_queue import EventQueue
from explorer.ui.listeners import most_events
from explorer.ui.served_page import (
    count_error,
    engine_of,
    runs_of,
    service_of,
    show_run,
    store_of,
    watched,
)

SANS = ["system-ui", "-apple-system", "Segoe UI", "sans-serif"]
MONO = ["ui-monospace", "SF Mono", "Cascadia Mono", "Menlo", "monospace"]


def launch_options(
    limits: Limits = LIMITS, access: Access | None = None, with_mcp: bool = False
) -> dict[str, Any]:
    """Keyword arguments of `Blocks.launch`: theme, styles, limits, and routes for our files.

    `access` is what others may do, else as the environment says; `with_mcp` adds the tools of
    hosting/mcp. Nothing is sent to other machines.
    """
    access = access or read_access({}, os.environ)
    folder = choose_temp_folder()
    theme = Base(
        font=SANS,
        font_mono=MONO,
        primary_hue="neutral",
        neutral_hue="slate",
        spacing_size="sm",
        radius_size="sm",
        text_size="sm",
    )
    return {
        "theme": theme,
        "head": f"{style_sheets()}<script>{early_script()}</script>",
        "favicon_path": page_file("favicon.png"),
        "footer_links": [],
        "run_history": False,
        "ssr_mode": False,
        "max_file_size": limits.upload_bytes + OVERHEAD,
        "enable_monitoring": False,
        "mcp_server": False,  # Gradio's own, which GRADIO_MCP_SERVER would start
        "state_session_capacity": limits.sessions,
        "app_kwargs": {
            "routes": [
                *files.routes(PAGE_FILES, plotly_script(), get_upload_folder),
                *run_events.routes(runs_of, limits),
                *history_routes.routes(store_of, show_run),
                *example_routes.routes(store_of, show_run),
                *latent_routes.routes(store_of),
                *save_routes.routes(store_of),
                *settings_routes.routes(engine_of),
                *api_routes.routes(service_of),
                *health.routes(watched, access.metrics),
                *(_mcp_routes(limits) if with_mcp else ()),
            ],
            "middleware": [
                Middleware(SecurityHeaders, access=access, scripts=[early_script()]),
                Middleware(Origins, access=access),
                Middleware(Sentences, count=count_error),
                Middleware(Misplaced),
                Middleware(RequestLimits, limits=limits, folder=folder),
                Middleware(EventRequests, limits=limits, events=partial(EventQueue, limits=limits)),
            ],
        },
        "max_threads": most_events(limits),  # Gradio's word for how many events may be under way
    }


def _mcp_routes(limits: Limits) -> list[BaseRoute]:
    from explorer.hosting.mcp.routes import routes  # of a package that is optional

    return routes(service_of, limits)
