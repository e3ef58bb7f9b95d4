"""What is no event of the page is refused; large events that wait share a bound."""

import asyncio
import json
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest
from loops import finish

from explorer.hosting.event_requests import (
    LONGEST_NAME,
    SMALL,
    TURNS,
    EventForm,
    EventRequests,
)
from explorer.hosting.service import ServiceError
from explorer.settings.limits import LIMITS

SUM = EventForm(2, False, "sum", ("a", "b"))
CALL, BY_NAME = "/gradio_api/call/sum", "/gradio_api/call/v2/sum"
JOIN, RUN = "/gradio_api/queue/join", "/gradio_api/run/predict"


class Page:
    """Event 0 answers at once, event 1 waits; both take two values. Programs may ask for "sum"."""

    def __init__(self, limits=LIMITS):
        self.waiting, self.asked, self.read = set(), 0, Counter()
        self.calls, self.told, self.closed = [], b"", []
        self.requests = EventRequests(self.app, limits, lambda app: self)

    def form(self, number, name):
        events = {0: EventForm(2, False), 1: EventForm(2, True), 2: SUM, "sum": SUM}
        return events.get(name if number is None else number)

    async def refusal(self, name, arguments, scope):
        self.calls.append((name, arguments))
        return ServiceError("A is too large.", "a", 429) if arguments.get("a") == 99 else None

    def waits(self, event):
        return event in self.waiting

    def session_of(self, event):
        return f"of {event}"

    async def let_go(self, reading):
        self.read = Counter(reading)

    def left(self, session):
        self.closed.append(session)

    async def app(self, scope, receive, send):
        self.asked += 1
        await receive()
        self.waiting.add(f"event{self.asked}")
        body = json.dumps({"event_id": f"event{self.asked}"}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    def post(self, path, body) -> int:
        body, sent = body if isinstance(body, bytes) else json.dumps(body).encode(), []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": path, "headers": [], "app": None}
        finish(self.requests(scope, receive, send))
        self.told = sent[1]["body"]
        assert len(self.told) > 10  # a sentence, or the answer
        return sent[0]["status"]


def event(number=0, data=(1, 2), **more):
    return {"fn_index": number, "data": list(data), "session_hash": "s"} | more


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (RUN, event(), 200),
        (JOIN, event(1), 200),
        (RUN, event(1), 422),
        (JOIN, event(0), 422),
        (RUN, event(7), 404),
        (RUN, event(None), 404),
        (RUN, event(data=[1]), 422),
        (RUN, event(data=[1, 2, 3]), 422),
        (RUN, event() | {"data": "x"}, 422),
        (RUN, event(batched=True), 422),
        (RUN, event(session_hash="s" * LONGEST_NAME), 200),
        (RUN, event(session_hash="s" * (LONGEST_NAME + 1)), 422),
        (RUN, event(session_hash="\ud83d"), 422),
        (RUN, event(session_hash=["s"]), 422),
        (RUN, event(True), 422),
        (RUN, event(2**70), 422),
        (RUN, event(data=[[None] * (LIMITS.request_values - 20), 1]), 200),
        (RUN, event(data=[[[]] * LIMITS.request_values, 1]), 422),
        (RUN, event(data=[{str(at): 0 for at in range(LIMITS.request_values)}, 1]), 422),
        (RUN, b"[" * 5000, 400),
        (RUN, b"\xff", 400),
        (RUN, b"", 400),
        (RUN, b"3", 422),
        ("/gradio_api/component_server", {"data": 1, "component_id": 1.5, "fn_name": "x"}, 422),
        ("/gradio_api/cancel", {"session_hash": 1, "fn_index": 0, "event_id": "x"}, 422),
        ("/elsewhere", b"{", 200),
    ],
)
def test_only_events_of_the_page_are_handed_on(path, body, status):
    page = Page()
    assert page.post(path, body) == status
    assert page.asked == (status == 200)


def test_large_events_that_wait_share_a_bound_and_small_ones_always_pass():
    page = Page(replace(LIMITS, waiting_request_bytes=3 * SMALL))
    large = event(1, data=["x" * (SMALL + 1), 2])
    assert [page.post(JOIN, large) for _ in range(3)] == [200, 200, 503]
    assert page.post(JOIN, event(1)) == 200
    page.waiting.remove("event1")  # it is over
    assert [page.post(JOIN, large) for _ in range(2)] == [200, 503]


def test_it_is_known_whose_stream_is_open():
    page, seen = Page(), []

    async def stream(scope, receive, send):
        seen.append(Counter(page.requests._reading))

    page.requests.app = stream
    for path, query in (("queue/data", b"session_hash=a"), ("call/run/e", b"")):
        scope = {"type": "http", "method": "GET", "path": f"/gradio_api/{path}", "headers": []}
        finish(page.requests(scope | {"query_string": query, "app": None}, None, None))
    assert seen == [{"a": 1}, {"of e": 1}]
    assert not page.requests._reading


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (BY_NAME, {"a": 1, "b": 2}, 200),
        (BY_NAME, {}, 200),
        (BY_NAME, {"c": 1}, 422),
        (BY_NAME, {"a": 99}, 429),
        (BY_NAME, [1, 2], 422),
        (BY_NAME, b"{", 400),
        (CALL, {"data": [1, 2]}, 200),
        (CALL, {"data": [99, 2]}, 429),
        (CALL, {"data": [1]}, 422),
        (CALL, {"data": {"a": 1}}, 422),
        ("/gradio_api/run/sum", {"data": [1, 2]}, 200),
        ("/gradio_api/run/sum/", {"data": [1, 2]}, 200),
        (JOIN, event(2), 200),  # as gradio_client asks
        ("/gradio_api/call/predict", {"data": [1, 2]}, 404),
        ("/gradio_api/call/v2/predict", {"data": [1, 2]}, 404),
        ("/gradio_api/call/predict", event(1), 404),  # a number is no way to the page's own
        ("/gradio_api/call/v2/predict", event(1), 404),
        ("/gradio_api/run/other", {"data": [1, 2]}, 404),
    ],
)
def test_names_lead_to_public_events_alone(path, body, status):
    page = Page()
    assert page.post(path, body) == status
    assert page.asked == (status == 200)


def test_a_program_is_told_what_is_wrong_before_it_waits():
    page = Page()
    page.post(BY_NAME, {"a": 99})
    assert page.calls == [("sum", {"a": 99})]
    assert json.loads(page.told)["error"] == "A is too large."
    page.post(CALL, {"data": [99, 2]})
    assert page.calls[-1] == ("sum", {"a": 99, "b": 2})
    assert json.loads(page.told)["field"] == "a"
    page.post(BY_NAME, {"bb": 1})
    assert json.loads(page.told)["field"] == "bb" and b"did you mean b?" in page.told
    assert page.asked == 0


@pytest.mark.parametrize("breaks", [False, True])
def test_a_page_is_closed_when_its_heartbeat_ends(breaks):
    page, open_ = Page(), []

    async def app(scope, receive, send):
        open_.append(list(page.closed))
        if breaks:
            raise ConnectionError

    page.requests.app = app
    path = "/gradio_api/heartbeat/a-session"
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "app": None}
    with suppress(ConnectionError):
        finish(page.requests(scope, None, None))
    assert open_ == [[]]
    assert page.closed == ["a-session"]


def test_who_asks_at_once_takes_turns():
    """Those of an address that wait leave the page's threads to others, and share the memory."""

    class Slow(Page):
        under_way, most = 0, 0

        async def app(self, scope, receive, send):
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await asyncio.sleep(0.01)
            self.under_way -= 1
            await super().app(scope, receive, send)

    page, body = Slow(), json.dumps(event()).encode()

    async def ask():
        left = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive():
            return left.pop() if left else await asyncio.Event().wait()

        async def send(message):
            pass

        scope = {"type": "http", "method": "POST", "path": RUN, "headers": [], "app": None}
        await page.requests(scope | {"client": ("192.0.2.1", 1)}, receive, send)

    async def many():
        await asyncio.gather(*(ask() for _ in range(20)))

    finish(many())
    assert (page.asked, page.most) == (20, TURNS)


def test_large_requests_that_are_answered_at_once_share_a_bound_too():
    page = Page(replace(LIMITS, waiting_request_bytes=SMALL))
    assert page.post(RUN, event(data=["x" * SMALL, 1])) == 503
    assert page.post(RUN, event(data=["x", 1])) == 200
