"""A run watched again: `runs/{id}/events`, for a page that was reloaded or has lost its connection.

Server-sent events: the plan and the newest payload first, then each newer one, as the page can read
them; the last one ends the stream. A comment in between says that the server is still there.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from explorer.hosting.client_address import address_of
from explorer.hosting.run_answers import FRESH, Refused, answering
from explorer.hosting.run_store import NO_RUN
from explorer.runs.live_run import LiveRun
from explorer.runs.registry import RunRegistry
from explorer.settings.limits import Limits

EVENTS = "text/event-stream"
ALIVE = b":\n\n"
# nginx, which is before every Space, passes each event on at once
HEADERS = FRESH | {"x-accel-buffering": "no"}
TOO_MANY = "Too many pages watch runs at present; close some, or try again in a minute."


def routes(runs_of: Callable[[Request], RunRegistry], limits: Limits) -> list[BaseRoute]:
    """The route, for the runs of a request's application.

    It answers 403 where a request does not say whose it is, 404 where that visitor has no such run
    in this process, and 429 beyond `limits`, each with a sentence as `message`.
    """
    watching: Counter[str] = Counter()  # by address: a visitor's id is free

    async def events(request: Request, runs: RunRegistry, owner: str) -> Response:
        run = runs.get(request.path_params["id"], owner)
        if run is None or (run.recorded and not run.plan):  # one that was taken in has no events
            raise Refused(404, NO_RUN)
        address = address_of(request.scope)
        full = watching.total() >= limits.watched_runs
        if full or watching[address] >= limits.watched_runs_per_address:
            raise Refused(429, TOO_MANY)
        watching[address] += 1  # here: of many that ask at once none has begun to be sent

        def leave() -> None:
            watching[address] -= 1
            if not watching[address]:
                del watching[address]

        return _Watched(stream(run), leave)

    async def stream(run: LiveRun) -> AsyncIterator[bytes]:
        async with aclosing(run.watch()) as payloads:
            async for payload in payloads:
                yield ALIVE if payload is None else event(payload)

    return [Route("/runs/{id}/events", answering(runs_of, events), methods=["GET"])]


class _Watched(StreamingResponse):
    """A stream of events that gives up its place when it has ended, however it does."""

    def __init__(self, events: AsyncIterator[bytes], leave: Callable[[], None]):
        super().__init__(events, headers=HEADERS, media_type=EVENTS)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


def event(payload: dict) -> bytes:
    """A payload as a server-sent event."""
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"
