"""Every route of the server, asked as no page asks: 4xx with a sentence, and no 500."""

import json
import socket
from types import SimpleNamespace
from urllib.parse import quote, urlsplit

import httpx
import pytest
from fake_engine import FakeEngine

from explorer import ui
from explorer.hosting.sentences import BROKEN, NOT_TAKEN

PATIENCE_S = 30
ODD = (None, True, -1, 10**6, 2**70, 1.5, 1e308, "", "x", "\ud83d", "\0", [], [None], {}, {"a": {}})
WORDS = ("x", "-1", "9" * 40, "\0", "\u202e", "é", "../x", "file", "run", "a" * 5000, "1.5")
BODIES = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"3",
    b'"x"',
    b"\xff\xfe",
    b"[" * 3000,
    b"{}",
    b'{"data": 1e999}',
)
MORE = ("upload_id=x", "session_hash=", "page=x", "__theme=x", "deep_link=x", "view=api", "%ff=%00")


@pytest.fixture(scope="module")
def site():
    page = ui.build(FakeEngine())
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    yield page, url
    page.close(verbose=False)


@pytest.fixture(scope="module")
def client(site):
    with httpx.Client(base_url=site[1], timeout=PATIENCE_S) as client:
        yield client


def paths_of(page) -> list[str]:
    """Every route, its variables filled in every way."""
    found, routes = {}, list(page.app.routes)
    for route in routes:
        if not hasattr(route, "path"):  # Gradio's own, whose paths are whole
            router = route.original_router
            routes += [SimpleNamespace(path=each.path) for each in router.routes]
            continue
        path = route.path
        for word in WORDS:
            filled = path
            while "{" in filled:
                before, _, rest = filled.partition("{")
                filled = before + quote(word, safe="/") + rest.partition("}")[2]
            found[filled or "/x"] = None
            if filled == path:
                break
    assert "/gradio_api/info" in found
    return list(found)


def look(answer: httpx.Response, asked: str) -> None:
    assert answer.status_code < 500, (asked[:200], answer.text[:300])
    assert "Traceback" not in answer.text, asked[:200]


def ask(client, method: str, path: str, **more) -> None:
    """The head of the answer alone: some never end."""
    with client.stream(method, path, **more) as answer:
        if "event-stream" not in answer.headers.get("content-type", ""):
            answer.read()
            look(answer, f"{method} {path} {more}")
        assert answer.status_code < 500, (method, path[:200], more)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
def test_every_path(site, client, method):
    for path in paths_of(site[0]):
        for query in ("", *MORE) if method == "GET" and len(path) < 40 else ("",):
            ask(client, method, f"{path}?{query}" if query else path)


def test_every_path_with_bodies_of_every_kind(site, client):
    for path in paths_of(site[0]):
        for body in BODIES if len(path) < 40 else BODIES[:2]:
            for kind in ("application/json", "text/plain"):
                ask(client, "POST", path, content=body, headers={"content-type": kind})


ROUTES = {
    "run/predict": {"data": [], "fn_index": 0, "session_hash": "s", "event_data": None,
        "trigger_id": None, "simple_format": False, "batched": False, "event_id": None},
    "call/run": {"data": [], "session_hash": "s", "event_data": None},
    "queue/join": {"data": [], "fn_index": 0, "session_hash": "s", "event_data": None,
        "trigger_id": None, "event_id": None},
    "component_server": {"data": 1, "component_id": 1, "fn_name": "x", "session_hash": "s"},
    "cancel": {"session_hash": "s", "fn_index": 0, "event_id": "x"},
    "reset": {"event_id": "x"},
    "call/v2/run": {"x": 1},
}  # fmt: skip


def post(client, route: str, data) -> httpx.Response:
    headers = {"content-type": "application/json"}
    return client.post(f"gradio_api/{route}", content=json.dumps(data), headers=headers)


@pytest.mark.parametrize("route", list(ROUTES))
def test_every_field_missing_or_odd(client, route):
    whole = ROUTES[route]
    for name in whole:
        look(post(client, route, {k: v for k, v in whole.items() if k != name}), f"{route} {name}")
        for odd in ODD:
            look(post(client, route, whole | {name: odd}), f"{route} {name}={odd!r}"[:200])


def test_every_event_with_values_of_every_kind(site, client):
    for event in site[0].fns.values():
        for route in ("run/predict", "queue/join"):
            for data in (
                [],
                [None],
                [None] * len(event.inputs),
                [{}] * len(event.inputs),
                ["x"] * 99,
            ):
                body = {"data": data, "fn_index": event._id, "session_hash": "s"}
                look(post(client, route, body), f"{route} {event.name} {str(data)[:40]}")


def test_a_fault_of_the_server_is_500_and_values_that_no_page_sends_are_not(
    site, client, monkeypatch, capfd
):
    page = site[0]
    event = next(each for each in page.fns.values() if each.name == "redraw")
    values = [block.value for block in event.inputs]
    body = {"data": values, "fn_index": event._id, "session_hash": "of no other test"}

    def broken(*_):
        raise ValueError("No words for strangers.")

    assert post(client, "run/predict", body).status_code == 200
    with monkeypatch.context() as patch:
        patch.setattr(event.inputs[0], "preprocess", broken)
        answer = post(client, "run/predict", body)
    assert (answer.status_code, answer.json()["error"]) == (422, NOT_TAKEN)
    assert "Traceback" not in capfd.readouterr().err
    for place, name in ((event, "fn"), (event.outputs[0], "postprocess")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, broken)
            answer = post(client, "run/predict", body)
        assert (answer.status_code, answer.json()["error"]) == (500, BROKEN)
        assert "No words for strangers." in capfd.readouterr().err
    assert post(client, "run/predict", body).status_code == 200


def test_web_sockets_are_refused(site):
    place = urlsplit(site[1])
    for path in ("/", "/page/run/run.js", "/kept/x", "/gradio_api/queue/join", "/gradio_api/x"):
        with socket.create_connection((place.hostname, place.port), timeout=PATIENCE_S) as line:
            line.sendall(
                f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n".encode()
                + b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            status = int(line.recv(100).split()[1])
        assert status < 500, (path, status)
