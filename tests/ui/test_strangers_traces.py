"""What strangers leave behind on the server: no text of theirs in memory, no cut file on disk."""

import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

import gradio as gr
import httpx
import pytest
from gradio.blocks import BlocksConfig
from polling import wait_until

from explorer import ui
from explorer.byte_sizes import MIB
from explorer.ui.sessions import Session

PATIENCE_S = 30
LARGE = 1_900_000  # characters, just within the limit of a request
MOST_GROWTH = 40 * MIB


@pytest.fixture
def served(engine, tmp_path, monkeypatch):
    """A page of its own with a folder of its own: page, address, folder."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    page = ui.build(engine)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    yield page, url, tmp_path / "uploads"
    page.close(verbose=False)


def memory() -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) * 1024


def an_event(page, route="run/predict"):
    """The page's widest event that answers at once, or that waits in the queue."""
    at_once = route == "run/predict"
    return max(
        (each for each in page.fns.values() if (each.queue is False) == at_once and each.fn),
        key=lambda event: len(event.inputs),
    )


def post(client, event, data, session, route="run/predict") -> int:
    body = {"data": data, "fn_index": event._id, "session_hash": session}
    return client.post(f"gradio_api/{route}", json=body).status_code


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("route", ["run/predict", "queue/join"])
def test_large_texts_in_controls_of_sessions_are_not_kept(served, route):
    page, url, _ = served
    event = an_event(page, route)
    values = [getattr(block, "value", None) for block in event.inputs]
    texts = [at for at, value in enumerate(values) if isinstance(value, (str, type(None)))]
    assert len(texts) > 2
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:

        def fill(session: int) -> None:
            at = texts[session % len(texts)]
            data = [*values[:at], "x" * LARGE, *values[at + 1 :]]

            def taken() -> bool:  # those that wait in the queue share a bound
                status = post(client, event, data, f"s{session}", route)
                assert status in ((200, 503) if route == "queue/join" else (200,))
                return status == 200

            wait_until(taken)

        def fill_all(sessions: range) -> int:
            for session in sessions:
                fill(session)
            wait_until(lambda: not page._queue.event_ids_to_events)
            return memory()

        before = fill_all(range(40))
        assert fill_all(range(40, 120)) - before < MOST_GROWTH  # 152 MB of text came


def test_sessions_are_as_many_as_the_limit_says_and_have_no_copy_of_the_form(engine, tmp_path):
    page = ui.build(engine)
    page.state_session_capacity = 5
    _, url, _ = page.launch(
        prevent_thread_lock=True,
        quiet=True,
        **ui.launch_options() | {"state_session_capacity": 5},
    )
    try:
        event = an_event(page)
        values = [getattr(block, "value", None) for block in event.inputs]
        with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
            for session in range(12):
                assert post(client, event, values, f"s{session}") == 200
            sessions = page.app.state_holder.session_data
            assert list(sessions) == [f"s{session}" for session in range(7, 12)]
            assert not any(list(each.components) for each in sessions.values())
            long = "s" * 100_000
            assert post(client, event, values, long) == 422
            assert post(client, event, values, long, "queue/join") == 422
    finally:
        page.close(verbose=False)


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_that_breaks_off_leaves_no_file(served, chunked):
    _, url, folder = served
    head = b'--X\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    stated = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 15000000"
    place = urlsplit(url)
    for _ in range(3):
        with socket.create_connection((place.hostname, place.port)) as connection:
            connection.sendall(
                b"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                b"Content-Type: multipart/form-data; boundary=X\r\n" + stated + b"\r\n\r\n"
            )
            for piece in (head, b"x" * MIB):
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            wait_until(lambda: files_of(folder))
        wait_until(lambda: not files_of(folder))


def test_a_whole_upload_stays(served):
    _, url, folder = served
    answer = httpx.post(f"{url}gradio_api/upload", files={"files": ("a.png", b"x" * 1000)})
    assert answer.status_code == 200
    assert [file.stat().st_size for file in files_of(folder)] == [1000]


def files_of(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def test_a_value_that_is_no_choice_leaves_no_traceback_in_the_log(served, capfd):
    page, url, _ = served
    event = an_event(page)
    menu = next(block for block in event.inputs if isinstance(block, gr.Dropdown))
    state = page.app.state_holder["s"]  # an event of this session has put another menu in place
    state[menu._id] = gr.Dropdown(["a", "b"], render=False)
    values = [getattr(block, "value", None) for block in event.inputs]
    values[event.inputs.index(menu)] = "x"
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        assert post(client, event, values, "s") == 422
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_new_session_writes_down_no_form(engine, monkeypatch):
    page = ui.build(engine)
    written = []
    monkeypatch.setattr(BlocksConfig, "config_for_block", lambda *args, **_: written.append(args))
    session = Session(page)
    assert written == []
    assert session.blocks_config.blocks == page.default_config.blocks
