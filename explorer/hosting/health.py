"""Routes for those who watch a server: `/healthz` for everybody, `/metrics` for its operator."""

import asyncio
import hmac
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from explorer.hosting.admission import Admission
from explorer.hosting.metrics import Metrics
from explorer.hosting.visitors import is_local, is_loopback
from explorer.views.engine_protocol import EngineLike

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FRESH = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
NOTHING = "There is nothing here."
OFF, LOCAL, TOKEN = "off", "local", "token:"
BEARER = "Bearer "
SHORTEST_TOKEN = 16
_STARTED = time.monotonic()


def health(engine: EngineLike, admission: Admission) -> tuple[int, dict[str, Any]]:
    """The status 200 or 503, and what is said with it: process, model, device, queue.

    503 is for a server that takes no runs: one that ends, or whose model cannot be loaded. What is
    said names nobody, and nothing that the page does not show to everybody.
    """
    trouble = engine.trouble
    loading = bool(engine.progress[0])
    model = "loading" if loading else "loaded" if engine.resident else "not loaded"
    under_way = admission.under_way
    said = {
        "status": trouble or "ok",
        "process": {"up_s": round(time.monotonic() - _STARTED)},
        "model": {"state": model},
        "device": {"name": engine.device, "busy": under_way > 0},
        "queue": {"under_way": under_way},
    }
    return (503 if trouble else 200), said


def may_read(request: Request, choice: str) -> bool:
    """Whether a request may have the figures, by the operator's choice (see `access.py`).

    "local" is a program on this machine that asks this machine by its own address; "token:..." is
    whoever sends `Authorization: Bearer ...`; "off" is nobody.
    """
    if choice == LOCAL:
        client = request.client.host if request.client else ""
        return is_loopback(client) and is_local(request.headers)
    if choice.startswith(TOKEN):
        sent = request.headers.get("authorization", "")
        wanted = BEARER + choice.removeprefix(TOKEN)
        return hmac.compare_digest(sent.encode(), wanted.encode())
    return False


def routes(
    watched: Callable[[Request], tuple[EngineLike, Admission, Metrics]], choice: str = OFF
) -> list[BaseRoute]:
    """The two routes, for the page of a request's application.

    `/metrics` answers 404, as an address at which there is nothing, to whom it is not for.
    """

    async def healthz(request: Request) -> Response:
        engine, admission, _ = watched(request)
        status, said = health(engine, admission)
        return JSONResponse(said, status, headers=FRESH)

    async def metrics(request: Request) -> Response:
        if not may_read(request, choice):
            return JSONResponse({"error": NOTHING, "detail": NOTHING}, 404, headers=FRESH)
        # In a thread: a GPU's driver may take its time to answer.
        text = await asyncio.to_thread(watched(request)[2].text)
        return PlainTextResponse(text, headers=FRESH, media_type=METRICS_TYPE)

    return [Route("/healthz", healthz), Route("/metrics", metrics)]
