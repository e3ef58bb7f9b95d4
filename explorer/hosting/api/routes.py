"""What programs read before they call: `GET schema.json` and `GET agents.md`.

Both are the same for everybody.
"""

from collections.abc import Callable

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from explorer.hosting.api.endpoints import document
from explorer.hosting.service import Service

HEADERS = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}


def routes(service_of: Callable[[Request], Service]) -> list[BaseRoute]:
    """The routes, for the service of a request's application."""

    async def schema(request: Request) -> Response:
        made = await to_thread.run_sync(service_of(request).schema)
        return JSONResponse(made, media_type="application/schema+json", headers=HEADERS)

    async def agents(request: Request) -> Response:
        service = service_of(request)
        text = document(service.has_history, await to_thread.run_sync(service.schema))
        return PlainTextResponse(text, media_type="text/markdown", headers=HEADERS)

    return [Route("/schema.json", schema), Route("/agents.md", agents)]
