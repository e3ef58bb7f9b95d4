"""Requests for events: those that no page could have sent are refused before they are processed.

Programs ask for the public events, by name, and are told with a status what is wrong. Other events
are the page's own: they have numbers, and no name leads to them.

Waiting events stay in memory with all their data, so large ones share a limit, and those of
sessions that nobody reads are dropped.
"""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Protocol
from urllib.parse import parse_qs

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer.hosting.refusing import answer
from explorer.hosting.service import ServiceError
from explorer.hosting.turns import Turns
from explorer.settings.limits import Limits
from explorer.views.lane_texts import unknown

API = "/gradio_api/"
LONGEST_NAME = 128  # characters of a session's or an event's id; those of a browser have 11 and 32
TURNS = 3  # of an address at a time: the page's threads are for everybody
SMALL = 2**16  # bytes; forms without long lists are far smaller
NO_JSON = "The request is not JSON."
UNKNOWN = "The page has no such event; reload it."
NO_ENDPOINT = "There is no such endpoint; gradio_api/info lists those there are."

Refusal = tuple[int, str]


@dataclass(frozen=True)
class EventForm:
    """What an event expects: the number of its values, and whether it waits in the queue.

    A public one has a `name` and its values' names, `arguments`; any of them may be missing.
    """

    values: int
    queued: bool
    name: str = ""
    arguments: tuple[str, ...] = ()


class Events(Protocol):
    """The application's events, as its owner describes them."""

    def form(self, number: int | None, name: str) -> EventForm | None:
        """The event with this number, or else the public one with this name."""

    async def refusal(
        self, name: str, arguments: dict[str, Any], scope: Scope
    ) -> ServiceError | None:
        """Why a public event would refuse a call that it is asked for in a request."""
        ...

    def waits(self, event: str) -> bool:
        """Whether an event waits or runs."""
        ...

    def session_of(self, event: str) -> str:
        """The session of an event."""
        ...

    async def let_go(self, reading: Counter[str]) -> None:
        """Drop messages for sessions that are not in `reading` and have not been for long."""

    def left(self, session: str) -> None:
        """A session's page was closed."""


class EventRequests:
    """ASGI middleware: answers 400, 404, 422 or 503 with a sentence to requests that are no event.

    `events` describes the application (the ASGI scope's "app"). A request's body must arrive in one
    message, as it does behind RequestLimits.
    """

    def __init__(self, app: ASGIApp, limits: Limits, events: Callable[[Any], Events]):
        self.app, self._limits, self._make = app, limits, events
        self._events: Events | None = None
        self._reading: Counter[str] = Counter()
        self._large: dict[str, int] = {}  # bytes of the large events that are waiting
        self._numbers = count()
        self._turns = Turns(TURNS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _, api, route = scope.get("path", "").rpartition(API)
        if scope["type"] != "http" or not api:
            await self.app(scope, receive, send)
            return
        events = self._events = self._events or self._make(scope["app"])
        if scope["method"] == "POST" and _is_json_route(route):
            await self._post(events, route, receive, send, scope)
        elif session := _session_read(events, route, scope):
            self._reading[session] += 1
            try:
                await self.app(scope, receive, send)
            finally:
                self._reading[session] -= 1
                self._reading += Counter()  # not counting those that nobody reads
        elif scope["method"] == "GET" and route.startswith(HEARTBEAT):
            try:  # the answer goes on as long as the page is open
                await self.app(scope, receive, send)
            finally:
                events.left(route.removeprefix(HEARTBEAT).strip("/")[:LONGEST_NAME])
        elif route.strip("/") == DESCRIPTION:
            await self.app(_of_a_page(scope), receive, send)
        else:
            await self.app(scope, receive, send)

    async def _post(
        self, events: Events, route: str, receive: Receive, send: Send, scope: Scope
    ) -> None:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body = message.get("body", b"")
        if refusal := _refusal(events, route, body, self._limits.request_values):
            await answer(send, *refusal)
            return
        if error := await _refused(events, route, body, scope):
            told = JSONResponse({"detail": str(error), **error.to_dict()}, error.status)
            await told(scope, receive, send)
            return
        left, size = [message], len(body)
        del message, body

        async def replay() -> Message:
            return left.pop() if left else await receive()

        joins = _waits(route)
        if joins:
            await events.let_go(self._reading)
        taken = self._take_room(events, size)
        if taken is None:
            await answer(send, 503, "Too much is waiting at present; try again in a minute.")
            return
        if not joins:
            over = partial(self._large.pop, taken, 0)
            await self._turns.answer(self.app, scope, replay, receive, send, over)
            return
        joined = _Joined(send)
        try:
            await self.app(scope, replay, joined.send)
        finally:
            kept = self._large.pop(taken, 0)
            if kept and joined.event:
                self._large[joined.event] = kept

    def _take_room(self, events: Events, size: int) -> str | None:
        """A key for a large event's share of the memory; None if nothing is left."""
        name = f"coming {next(self._numbers)}"
        if size <= SMALL:
            return name
        coming, waits = "coming ", events.waits
        self._large = {
            event: each
            for event, each in self._large.items()
            if event.startswith(coming) or waits(event)
        }
        if sum(self._large.values()) + size > self._limits.waiting_request_bytes:
            return None
        self._large[name] = size
        return name


def _session_read(events: Events, route: str, scope: Scope) -> str:
    """The session whose stream a request opens; "" if it opens none."""
    if scope["method"] != "GET":
        return ""
    if route.startswith("queue/data"):
        query = parse_qs(scope["query_string"].decode("latin-1"))
        return query.get("session_hash", [""])[0][:LONGEST_NAME]
    if route.startswith("call/"):
        return events.session_of(route.rpartition("/")[2])
    return ""


def _of_a_page(scope: Scope) -> Scope:
    """A request for the endpoints' description as one for those of the page, which has all.

    Without a page Gradio keeps the first description, whose examples name the address by which it
    was asked: whoever comes first would choose it for everybody.
    """
    query = scope["query_string"]
    if "page" in parse_qs(query.decode("latin-1"), keep_blank_values=True):
        return scope
    return {**scope, "query_string": query + (b"&" if query else b"") + b"page="}


BY_NAMES, HEARTBEAT, DESCRIPTION = "call/v2/", "heartbeat/", "info"
EVENT_ROUTES = ("run/", "api/", "call/", "queue/join")
JSON_ROUTES = (*EVENT_ROUTES, "component_server", "cancel", "reset")
NAMES = ("session_hash", "event_id", "fn_name")
NUMBERS = ("fn_index", "component_id", "trigger_id")


def _is_json_route(route: str) -> bool:
    return route.startswith(JSON_ROUTES)


def _waits(route: str) -> bool:
    return route.startswith(("queue/join", "call/"))


def _refusal(events: Events, route: str, body: bytes, most: int) -> Refusal | None:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return 400, NO_JSON
    if not isinstance(data, dict):
        return 422, "The request must be a JSON object."
    if _count(data, most) > most:
        return 422, f"The request may hold at most {most:,} values."
    if refusal := _odd_field(data):
        return 422, refusal
    if route.startswith(BY_NAMES):
        return None if events.form(None, _name_in(route)) else (404, NO_ENDPOINT)
    if not route.startswith(EVENT_ROUTES):
        return None
    if data.get("batched") or not isinstance(data.get("data"), list):
        return 422, "An event's data must be a list of its values."
    return _odd_event(events, route, data)


async def _refused(events: Events, route: str, body: bytes, scope: Scope) -> ServiceError | None:
    """Why a program's call is refused whose answer is fetched later; None for any other.

    An event that is answered at once says itself what is wrong.
    """
    form = events.form(None, _name_in(route)) if route.startswith("call/") else None
    if form is None or not form.name:
        return None
    data = json.loads(body)
    if not route.startswith(BY_NAMES):
        data = dict(zip(form.arguments, data["data"], strict=True))
    if odd := next((name for name in data if name not in form.arguments), ""):
        return ServiceError(unknown(odd, form.arguments, f"argument of /{form.name}"), odd[:40])
    return await events.refusal(form.name, data, scope)


def _name_in(route: str) -> str:
    return route.strip("/").rpartition("/")[2]


def _odd_event(events: Events, route: str, data: dict[str, Any]) -> Refusal | None:
    join, named = _waits(route), route.startswith("call/")
    number = None if named else data.get("fn_index")
    form = events.form(number, "" if "queue" in route else _name_in(route))
    if form is None:
        return 404, NO_ENDPOINT if named else UNKNOWN
    if form.queued != join and not (form.name and join):  # programs may wait for any
        other = f"call/{form.name}" if form.name else "queue/join" if form.queued else "run"
        return 422, f"This event is asked for by {other}."
    if len(data["data"]) != form.values:
        came = len(data["data"])
        return 422, f"This event takes {form.values} values; {came} came. Reload the page."
    return None


def _odd_field(data: dict[str, Any]) -> str:
    """What is wrong with the fields around an event's values; "" if nothing is."""
    for field in NAMES:
        name = data.get(field)
        if name is not None and not (isinstance(name, str) and _is_name(name)):
            return f"{field} must be a text of at most {LONGEST_NAME} characters."
    for field in NUMBERS:
        number = data.get(field)
        if number is not None and not (type(number) is int and 0 <= number < 2**31):
            return f"{field} must be a whole number, 0 or more."
    return ""


def _is_name(text: str) -> bool:
    return len(text) <= LONGEST_NAME and text.isprintable()


def _count(value: object, most: int) -> int:
    """The number of values in a JSON value, itself and its keys included, counted little past
    `most`.
    """
    left, count = [value], 0
    while left and count <= most:
        each = left.pop()
        count += 1
        if isinstance(each, dict):
            count += len(each)
            left.extend(each.values())
        elif isinstance(each, list):
            left.extend(each)
    return count


class _Joined:
    """The answer to an event that joins the queue, with the event's id."""

    def __init__(self, send: Send):
        self._send, self.event = send, ""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not self.event:
            with suppress(ValueError, TypeError, KeyError):
                self.event = json.loads(message.get("body", b""))["event_id"]
        await self._send(message)
