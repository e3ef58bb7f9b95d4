"""Many visitors at once over HTTP: order, limits, streams that nobody opens or that are closed."""

import asyncio
import json
import random
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import httpx
import pytest
from fake_engine import FakeEngine
from loops import finish
from polling import wait_until_async

from explorer import ui
from explorer.settings.limits import LIMITS

PATIENCE_S = 60


@pytest.fixture
def engine():
    return FakeEngine(pace=0.001)


@pytest.fixture
def site(engine):
    page = ui.build(engine, replace(LIMITS, grace_s=1))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    yield Site(page, url)
    page.close(verbose=False)


class Site:
    """The page's events by raw HTTP, as any client may send them."""

    def __init__(self, page, url: str):
        self.page, self.url = page, url + "gradio_api/"
        self.run = self._event(lambda fn: any(name == "click" for _, name in fn.targets))
        self.redraw = self._event(lambda fn: fn.name == "redraw" and len(fn.targets) > 1)

    def _event(self, wanted):
        return next(fn for fn in self.page.fns.values() if wanted(fn) and fn.inputs)

    def values(self, fn, **changed):
        return [
            changed.get(getattr(block, "elem_id", ""), getattr(block, "value", None))
            for block in fn.inputs
        ]

    def client(self):
        limits = httpx.Limits(max_connections=None)
        return httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_S, limits=limits)


async def join(http, site, session, **changed):
    body = {
        "data": site.values(site.run, steps=2, **changed),
        "fn_index": site.run._id,
        "session_hash": session,
    }
    return (await http.post("queue/join", json=body)).raise_for_status()


@asynccontextmanager
async def stream(http, session):
    """The messages of a session."""
    query = {"session_hash": session}
    async with http.stream("GET", "queue/data", params=query) as response:

        async def messages():
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line[6:])

        yield messages()


async def states_until_the_end(http, session, seen=None):
    """The run's states, as its messages tell them, and its last payload as far as it changed."""
    value, states = {}, []
    async with stream(http, session) as messages:
        async for message in messages:
            data = message.get("output", {}).get("data") or []
            if data and isinstance(data[0], dict):
                value = data[0]
            elif data:  # a list of changes
                for kind, path, new in data[0]:
                    if kind in ("add", "replace") and len(path) == 1:
                        value[path[0]] = new
            if data and value.get("state") not in states[-1:]:
                states.append(value.get("state"))
            if seen is not None:
                seen.set()
            if message["msg"] == "process_completed":
                return states, value
    return states, value


def test_twenty_visitors_are_served_in_the_order_in_which_they_came(site, engine):
    async def visits():
        async with site.client() as http:
            tasks = []
            with engine.lock:
                for at in range(20):
                    await join(http, site, f"visitor{at}", prompt=f"{at}")
                    tasks.append(asyncio.create_task(states_until_the_end(http, f"visitor{at}")))
                await wait_until_async(lambda: engine.queue.runs == 21)
            return await asyncio.gather(*tasks)

    ends = finish(visits())
    assert engine.starts == [f"{at}" for at in range(20)]
    assert {states[-1] for states, _ in ends} == {"done"}


def test_the_plan_is_one_text_which_gradio_does_not_walk_through(site, engine):
    """It would, several times an event: of sixty plans that wait, all the time."""

    async def visit():
        async with site.client() as http:
            await join(http, site, "visitor")
            async with stream(http, "visitor") as messages:
                told = [message.get("output", {}).get("data") async for message in messages]
                return next(filter(None, told))[0]["plan"]

    plan = finish(visit())
    assert isinstance(plan, str)
    assert [lane["label"] for lane in json.loads(plan)] == ["DPM2", "DPM2 a"]


def test_a_full_house_leaves_a_new_page_working_and_refuses_one_run_more(site, engine):
    waiting = LIMITS.waiting_runs

    async def visits():
        async with site.client() as http:
            tasks = []
            with engine.lock:
                for at in range(waiting):
                    await join(http, site, f"visitor{at}")
                    tasks.append(asyncio.create_task(states_until_the_end(http, f"visitor{at}")))
                await wait_until_async(lambda: engine.queue.runs == waiting + 1)

                assert (await http.get(site.url.removesuffix("gradio_api/"))).status_code == 200
                body = {"data": site.values(site.redraw), "fn_index": site.redraw._id}
                body["session_hash"] = "new"
                answer = (await http.post("run/predict", json=body)).raise_for_status()
                assert "figure" in answer.json()["data"][0]

                await join(http, site, "new")
                _, refused = await states_until_the_end(http, "new")
                assert refused["state"] == "error"
                assert refused["message"].startswith(f"{waiting} runs are waiting")

                tasks[30].cancel()  # in the middle: its connection is closed
                await wait_until_async(lambda: engine.queue.runs == waiting)
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            return [end for end in ends if not isinstance(end, asyncio.CancelledError)]

    ends = finish(visits())
    assert len(ends) == waiting - 1
    assert {states[-1] for states, _ in ends} == {"done"}
    assert len(engine.starts) == waiting - 1


def test_a_run_whose_stream_nobody_opens_never_begins(site, engine, monkeypatch):
    async def visits():
        async with site.client() as http:
            await join(http, site, "nobody", prompt="unheard")
            await wait_until_async(lambda: engine.queue.runs == 1)
            await join(http, site, "somebody", prompt="heard")
            _, last = await states_until_the_end(http, "somebody")
            assert last["state"] == "done"
            assert engine.starts == ["heard"]
            late = await states_until_the_end(http, "nobody")  # opened late, it runs
            assert late[0][-1] == "done"

    finish(visits())
    assert engine.starts == ["heard", "unheard"]


def test_a_run_whose_stream_nobody_opens_gives_up_its_place(site, engine):
    engine.no_listener_s = 0.5

    async def visits():
        async with site.client() as http:
            await join(http, site, "nobody")
            await wait_until_async(lambda: engine.queue.runs == 1)
            await wait_until_async(lambda: engine.queue.runs == 0)

    finish(visits())
    assert engine.starts == []


def test_a_run_that_raises_lets_the_next_one_in(site, engine):
    async def visits():
        async with site.client() as http:
            with engine.lock:
                for at, prompt in enumerate(["[boom]", "after"]):
                    await join(http, site, f"visitor{at}", prompt=prompt)
                tasks = [
                    asyncio.create_task(states_until_the_end(http, f"visitor{at}"))
                    for at in range(2)
                ]
                await wait_until_async(lambda: engine.queue.runs == 3)
            return await asyncio.gather(*tasks)

    (broken, _), (after, _) = finish(visits())
    assert (broken[-1], after[-1]) == ("error", "done")


def test_runs_that_start_stop_and_close_at_random_leave_the_device_free(site, engine):
    dice = random.Random(5)
    engine.pace, engine.no_listener_s = 0.01, 2.0

    async def visit(http, number):
        session = f"visitor{number}"
        await asyncio.sleep(dice.random())
        await join(http, site, session, prompt=dice.choice(["a", "[boom]", "[nan]"]))
        task = asyncio.create_task(states_until_the_end(http, session))
        if dice.random() < 0.5:
            await asyncio.sleep(dice.random())
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def visits():
        async with site.client() as http:
            await asyncio.gather(*(visit(http, number) for number in range(40)))
            await wait_until_async(lambda: not engine.queue.busy and engine.queue.runs == 0)
            await join(http, site, "last", prompt="at last")
            return await states_until_the_end(http, "last")

    states, _ = finish(visits())
    assert states[-1] == "done"
    assert engine.starts[-1] == "at last"
