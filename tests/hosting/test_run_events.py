"""A run watched again over HTTP: by its owner alone, until its end, within limits."""

import asyncio
import json
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from types import SimpleNamespace

import httpx
import pytest
from fake_engine import FakeEngine
from loops import finish
from polling import wait_until_async
from starlette.applications import Starlette

from explorer import ui
from explorer.hosting.access import Access
from explorer.hosting.run_events import routes
from explorer.runs.live_run import LiveRun
from explorer.settings.limits import LIMITS

PATIENCE_S = 60
ME, YOU = "a" * 32, "b" * 32
RUN = "0123456789abcdef" * 2
ELSEWHERE = "explorer.example.org"  # a host that is not this machine: each visitor is alone
FEW = replace(LIMITS, grace_s=1, watched_runs=3, watched_runs_per_address=2)


@pytest.fixture(scope="module")
def engine():
    return FakeEngine(pace=0.005)


@pytest.fixture(scope="module")
def site(engine):
    page = ui.build(engine, FEW)
    options = ui.launch_options(FEW, Access(origins=(f"http://{ELSEWHERE}",)))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **options)
    yield page, url
    page.close(verbose=False)


@pytest.fixture(autouse=True)
def let_go(engine):
    yield
    engine.hold_at = None


def visitor(site, id: str, host: str = ELSEWHERE) -> httpx.AsyncClient:
    headers = {"x-visitor": id, "host": host, "accept-encoding": "gzip, br"}
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(base_url=site[1], timeout=PATIENCE_S, headers=headers, limits=limits)


async def join(http, page, run=RUN, session="tab", who=ME, **changed):
    """Press Run, as the page does."""
    event = next(each for each in page.fns.values() if each.name == "run")
    values = {"steps": 4} | changed
    data = [values.get(each.elem_id, getattr(each, "value", None)) for each in event.inputs]
    data[-1] = {"id": run, "visitor": who}
    body = {"data": data, "fn_index": event._id, "session_hash": session}
    (await http.post("gradio_api/queue/join", json=body)).raise_for_status()


@asynccontextmanager
async def gradio_stream(http, session="tab"):
    """The page's own stream, which is closed with the page."""
    query = {"session_hash": session}
    async with http.stream("GET", "gradio_api/queue/data", params=query) as stream:
        lines = stream.aiter_lines()
        await anext(lines)

        async def read():
            async for _ in lines:
                pass

        task = asyncio.create_task(read())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError, httpx.HTTPError):
            await task


async def watched(http, run=RUN, until=lambda payload: False) -> list[dict]:
    """A run's payloads, to its end or to the first one that is waited for."""
    told = []
    async with http.stream("GET", f"runs/{run}/events") as stream:
        assert stream.status_code == 200, await stream.aread()
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["content-type"].startswith("text/event-stream")
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                told.append(json.loads(line[6:]))
                if until(told[-1]):
                    break
    return told


def within(work):
    async def timed():
        async with asyncio.timeout(PATIENCE_S):
            return await work

    return finish(timed())


def newest(page, run) -> dict:
    live = page.runs.get(run, ME)
    return live.whole if live else {}


def ended(page, run) -> bool:
    live = page.runs.get(run, ME)
    return live is not None and live.ended


def test_a_page_that_comes_back_sees_its_run_go_on_and_end(site, engine):
    page, _ = site
    engine.hold_at = 3

    async def visit():
        async with visitor(site, ME) as http:
            await join(http, page)
            async with gradio_stream(http):
                await wait_until_async(lambda: newest(page, RUN).get("call") == 3)
            begun = time.monotonic()
            first = await watched(http, until=lambda payload: True)
            assert time.monotonic() - begun < 5  # at once, not when a buffer is full
            watching = asyncio.create_task(watched(http))
            await asyncio.sleep(2 * FEW.grace_s)
            assert not page.runs.get(RUN, ME).cancel.is_set()
            engine.hold_at = None
            whole = await watching
            return first[0], whole, await watched(http)

    first, whole, later = within(visit())
    assert (first["id"], first["state"], first["call"]) == (RUN, "running", 3)
    assert len(first["plan"]) == 2
    assert whole[-1]["state"] == "done"
    assert whole[-1]["run"]["id"] == RUN
    assert [each["state"] for each in later] == ["done"]
    assert later[0]["plan"] and later[0]["run"] == whole[-1]["run"]


def test_nobody_coming_back_ends_the_run(site, engine):
    page, _ = site
    engine.hold_at = 3
    run = "1" * 32

    async def visit():
        async with visitor(site, ME) as http:
            await join(http, page, run)
            async with gradio_stream(http):
                await wait_until_async(lambda: newest(page, run).get("call") == 3)
            await wait_until_async(lambda: ended(page, run))
            return await watched(http, run)

    assert within(visit())[-1]["state"] == "cancelled"
    assert not engine.queue.busy


def test_stop_by_the_runs_id_stops_it_from_another_tab_and_not_from_another_visitor(site, engine):
    page, _ = site
    engine.hold_at = 3
    run = "2" * 32
    stop = next(each for each in page.fns.values() if each.name == "stop")

    async def press_stop(http, who, session):
        body = {"data": [{"id": run, "visitor": who}], "fn_index": stop._id}
        answer = await http.post("gradio_api/run/predict", json=body | {"session_hash": session})
        answer.raise_for_status()

    async def visit():
        async with visitor(site, ME) as http:
            await join(http, page, run)
            async with gradio_stream(http):
                await wait_until_async(lambda: newest(page, run).get("call") == 3)
                await press_stop(http, YOU, "your tab")
                await asyncio.sleep(0.2)
                assert not page.runs.get(run, ME).cancel.is_set()
                await press_stop(http, ME, "my other tab")
                return await watched(http, run)

    assert within(visit())[-1]["state"] == "cancelled"


def test_another_visitor_and_who_is_none_see_nothing(site, engine):
    page, _ = site
    run = "3" * 32

    async def asked():
        async with visitor(site, ME) as http:
            await join(http, page, run)
            async with gradio_stream(http):
                await wait_until_async(lambda: ended(page, run))
        answers = []
        for who in (YOU, "", "x", ME.upper(), f"{ME}0"):
            async with visitor(site, who) as http:
                answers.append(await http.get(f"runs/{run}/events"))
        async with httpx.AsyncClient(base_url=site[1]) as http:
            answers.append(await http.get(f"runs/{run}/events"))
            answers.append(await http.get(f"runs/{run}/events", headers={"x-visitor": ME}))
        return answers

    yours, *nobodys = within(asked())
    assert yours.status_code == 404
    assert yours.json()["message"].startswith("There is no such run")
    on_this_machine = nobodys.pop()  # whose runs are those without a visitor
    assert on_this_machine.status_code == 404
    for answer in nobodys:
        assert (answer.status_code, "reload the page" in answer.json()["message"]) == (403, True)


@pytest.mark.parametrize(
    "id", ["x", "0" * 31, "0" * 33, "..%2f..%2fapp.py", "%00", "a" * 5000, "é", RUN.upper(), "[]"]
)
def test_an_id_that_is_none_is_a_sentence(site, id):
    answer = httpx.get(f"{site[1]}runs/{id}/events", headers={"x-visitor": ME})
    assert answer.status_code == 404
    assert "Traceback" not in answer.text


def test_pages_that_watch_are_so_many_and_no_more(site, engine):
    page, _ = site
    engine.hold_at = 0
    mine, yours = "4" * 32, "5" * 32

    async def visit():
        async with visitor(site, ME) as me, visitor(site, YOU) as you:
            me.headers["x-forwarded-for"] = "203.0.113.1"
            you.headers["x-forwarded-for"] = "203.0.113.2"  # an address has places, an id is free
            await join(me, page, mine)
            await join(you, page, yours, "your tab", YOU)
            async with gradio_stream(me), gradio_stream(you, "your tab"):
                await wait_until_async(
                    lambda: page.runs.get(mine, ME) and page.runs.get(yours, YOU)
                )
                tasks = [asyncio.create_task(watched(me, mine)) for _ in range(2)]
                await asyncio.sleep(0.5)
                one_more = await me.get(f"runs/{mine}/events")
                tasks.append(asyncio.create_task(watched(you, yours)))
                await asyncio.sleep(0.5)
                full = await you.get(f"runs/{yours}/events")
                engine.hold_at = None
                await asyncio.gather(*tasks)
                again = await watched(me, mine)
            return one_more, full, again

    one_more, full, again = within(visit())
    for answer in (one_more, full):
        assert answer.status_code == 429
        assert answer.json()["message"].startswith("Too many pages")
    assert again[-1]["state"] == "done"


def test_of_many_that_ask_at_once_no_more_are_taken_either():
    """Each is looked at before any of them has been sent something."""
    run = LiveRun(RUN, ME, "tab", grace_s=1)
    run.plan, gone = {"plan": []}, asyncio.Event()
    runs = SimpleNamespace(get=lambda id, owner: run)
    app = Starlette(routes=routes(lambda request: runs, FEW))

    async def ask() -> list[int]:
        """The statuses of ten requests of one address, which are then given up."""
        statuses = []

        async def receive():
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {
            "type": "http",
            "method": "GET",
            "path": f"/runs/{RUN}/events",
            "query_string": b"",
        }
        scope |= {"headers": [(b"x-visitor", ME.encode())], "client": ("203.0.113.1", 1)}
        tasks = [asyncio.create_task(app(dict(scope), receive, send)) for _ in range(10)]
        await wait_until_async(lambda: len(statuses) == 10)
        gone.set()
        await asyncio.gather(*tasks)
        gone.clear()
        return statuses

    async def twice():
        return await ask(), await ask()

    for statuses in within(twice()):  # who has left has left the places too
        assert sorted(statuses) == [200] * FEW.watched_runs_per_address + [429] * 8


def test_a_page_that_does_not_read_what_it_watches_gets_the_newest_when_it_does(site, engine):
    """Nothing piles up for it: the server has one payload, the connection's buffers the rest."""
    page, _ = site
    run = "6" * 32

    async def visit():
        async with visitor(site, ME) as http:
            await join(http, page, run, steps=300)
            async with gradio_stream(http):
                await wait_until_async(lambda: newest(page, run))
                async with http.stream("GET", f"runs/{run}/events") as unread:
                    await wait_until_async(lambda: ended(page, run))
                    lines = [line async for line in unread.aiter_lines() if line[:5] == "data:"]
            return [json.loads(line[6:]) for line in lines]

    assert within(visit())[-1]["state"] == "done"
