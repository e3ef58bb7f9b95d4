"""Odd requests to everything that is public: no 500, no traceback; what is one is seen."""

import json
from collections import Counter

import httpx
import pytest
from fake_engine import FakeEngine
from loops import finish

from benchmarks import payloads
from benchmarks.odd_requests import Asked
from benchmarks.own_server import Held
from explorer import ui

COUNT = 400


@pytest.fixture(scope="module")
def site():
    page = ui.build(FakeEngine(pace=0.0))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    yield page, url
    page.close(verbose=False)


def test_odd_requests_break_nothing(site, capfd):
    _, url = site
    odd = payloads.requests_for(url, seed=3)
    with payloads.Sender(url) as sender:
        payloads.send_all(sender, odd, range(COUNT))
    assert sender.faults == []
    assert payloads.exceptions_of_ours(capfd.readouterr().err) == []
    sent = Counter(kind for kind, _ in sender.statuses.elements())
    assert sum(sent.values()) - sent["stream"] == COUNT
    assert sender.statuses["event", "200"] > 20  # right ones are among them
    assert sender.statuses["route", "200"] > 5
    assert sender.statuses["stream", "200"] > 5

    async def last():
        async with httpx.AsyncClient(base_url=url, timeout=60) as http:
            layout = payloads.Layout((await http.get("config")).json())
            return await payloads.PageClient(http, layout, 1).run(steps=2)

    assert finish(last()).end == "done"


def test_a_request_is_the_same_each_time_and_another_with_another_seed(site):
    one, again, other = (payloads.requests_for(site[1], seed) for seed in (1, 1, 2))
    assert [one.asked(n) for n in range(300)] == [again.asked(n) for n in range(300)]
    assert one.asked(7) == again.asked(7)
    assert [one.asked(n) for n in range(300)] != [other.asked(n) for n in range(300)]


def test_every_event_route_and_endpoint_is_asked(site):
    odd, url = payloads.requests_for(site[1], seed=5), site[1]
    config = httpx.get(url + "config").json()
    every = [odd.asked(number) for number in range(6000)]
    events = {each["id"] for each in config["dependencies"] if each["backend_fn"]}
    asked = {
        body["fn_index"]
        for each in every
        if each.kind in ("event", "join")
        if isinstance((body := json.loads(each.content)), dict)
        if type(body.get("fn_index")) is int
    }
    assert events <= asked
    paths = {(method, path.partition("{")[0].lstrip("/")) for method, path in payloads.routes()}
    for method, start in paths:
        assert any(e.method == method and e.path.startswith(start) for e in every), start
    endpoints = httpx.get(url + "gradio_api/info").json()["named_endpoints"]
    for name in endpoints:
        assert any(each.path.endswith(name) for each in every), name


def test_what_is_wrong_is_seen():
    def answer(request: httpx.Request) -> httpx.Response:
        said = {"a": "Traceback (most recent call last)", "b": f"{payloads.ROOT}/app.py"}
        status = {"c": 500, "d": 503, "e": 502}.get(request.url.path[1:], 200)
        if request.url.path == "/f":
            raise httpx.ReadTimeout("")
        return httpx.Response(status, text=said.get(request.url.path[1:], "fine"))

    with payloads.Sender("http://127.0.0.1:9") as sender:
        sender._http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://x")
        for number, path in enumerate("abcdefg"):
            sender.send(number, Asked("route", "GET", path))
    told = "\n".join(sender.faults)
    for word in (
        "0 route GET a: a traceback",
        f"1 route GET b: {payloads.ROOT} was sent",
        "2 route GET c: 500",
        "4 route GET e: 502",
        "5 route GET f: no answer",
    ):
        assert word in told
    assert len(sender.faults) == 5
    log = f'{payloads.TRACE}\n  File "{payloads.ROOT}/explorer/a.py", line 3, in work\nValueError\n'
    assert len(payloads.exceptions_of_ours(log)) == 1
    assert payloads.exceptions_of_ours(log.replace("/explorer/", "/else/")) == []
    early = Held(memory=10**9, processes=1, threads=10, files=10)
    assert payloads.growth(early, Held(1_050_000_000, 1, 20, 30)) == []
    assert len(payloads.growth(early, Held(1_200_000_000, 1, 21, 31))) == 3
