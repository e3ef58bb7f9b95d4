"""Sessions whose events nobody reads leave nothing behind, however many come."""

import asyncio
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import httpx
import pytest
from fake_engine import FakeEngine
from loops import finish

from explorer import ui
from explorer.settings.limits import LIMITS
from explorer.ui.event_queue import EventQueue
from explorer.views.answers import UNEXPECTED

PATIENCE_S = 60
FEW = replace(LIMITS, unread_sessions=10, unread_messages=20, no_listener_s=5)


@pytest.fixture
def site():
    engine = FakeEngine(pace=0.001)
    page = ui.build(engine, FEW)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options(FEW))
    yield engine, page, url
    page.close(verbose=False)


def test_unread_sessions_are_let_go_and_one_that_is_read_stays(site):
    engine, page, url = site
    (run,) = (each for each in page.fns.values() if each.name == "run")
    values = [getattr(block, "value", None) for block in run.inputs]

    async def visits():
        async with httpx.AsyncClient(base_url=f"{url}gradio_api/", timeout=PATIENCE_S) as http:

            async def join(session):
                body = {"data": values, "fn_index": run._id, "session_hash": session}
                (await http.post("queue/join", json=body)).raise_for_status()

            with engine.lock:  # every run waits
                await join("read")
                query = {"session_hash": "read"}
                async with http.stream("GET", "queue/data", params=query) as stream:
                    pieces = stream.aiter_raw()  # kept: without it the stream is closed
                    await anext(pieces)
                    for at in range(6 * FEW.unread_sessions):
                        await join(f"s{at}")
                    queue = page._queue
                    most = FEW.unread_sessions + 2
                    assert len(queue.pending_messages_per_session) <= most
                    assert len(queue.pending_event_ids_session) <= most
                    assert "read" in queue.pending_messages_per_session
                    assert "read" in queue.pending_event_ids_session
            async with asyncio.timeout(PATIENCE_S):
                while queue.event_ids_to_events:  # nobody reads: given up
                    await asyncio.sleep(0.1)

    finish(visits())


def test_a_stream_that_is_open_and_unread_gathers_so_many_messages_and_no_more():
    page = ui.build(FakeEngine(), FEW)
    events = EventQueue(SimpleNamespace(get_blocks=lambda: page), FEW)
    waiting = page._queue.pending_messages_per_session

    async def gather():
        for session, count in (("slow", FEW.unread_messages), ("never", FEW.unread_messages + 1)):
            waiting[session] = asyncio.Queue()
            for _ in range(count):
                waiting[session].put_nowait("a message")
        await events.let_go(Counter(slow=1, never=1))

    finish(gather())
    assert list(waiting) == ["slow"]


@pytest.mark.parametrize("name", [True, 3, ["x"], {"a": 1}])
def test_a_model_that_is_no_name_is_nothing_unexpected(site, name):
    _, page, url = site
    (chosen,) = (each for each in page.fns.values() if each.name == "chosen")
    menu = next(at for at, block in enumerate(chosen.inputs) if block.elem_id == "model")
    values = [getattr(block, "value", None) for block in chosen.inputs]
    values[menu] = name
    body = {"data": values, "fn_index": chosen._id, "session_hash": "s"}
    with httpx.Client(base_url=f"{url}gradio_api/", timeout=PATIENCE_S) as http:
        http.post("queue/join", json=body).raise_for_status()
        told = http.get("queue/data", params={"session_hash": "s"}).text
    assert UNEXPECTED not in told
    assert "process_completed" in told


def test_closing_a_page_asks_nothing_of_gradio():
    """Its own event made a session for whoever closed a stream: 800 at once took 20 seconds."""
    page, closed = ui.build(FakeEngine(), FEW), []
    assert not [each for each in page.fns.values() if ("unload" in str(each.targets))]
    assert len(page.on_left) == 2  # what is loaded for it, and its frames
    page.on_left.append(closed.append)
    EventQueue(SimpleNamespace(get_blocks=lambda: page), FEW).left("a-session")
    assert closed == ["a-session"]


@pytest.mark.parametrize("path", ["info", "info/", "info?x=1", "openapi.json"])
def test_nobody_chooses_the_address_in_the_endpoints_examples(site, path):
    """Gradio would keep the first description that is asked for, with its asker's address."""
    _, page, url = site
    page.app.api_info = None
    with httpx.Client(base_url=f"{url}gradio_api/", timeout=PATIENCE_S) as http:
        http.get(path, headers={"x-forwarded-host": "evil.example"}).raise_for_status()
        told = http.get("info")
    assert "/models" in told.json()["named_endpoints"]
    assert "evil.example" not in told.text
    assert url.rstrip("/") in told.text
