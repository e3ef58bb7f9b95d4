"""The log of a server on which strangers try everything: what happened, and none of their texts."""

import errno
import io
import json
import logging
import os
import re
import sys
from pathlib import Path

import httpx
import pytest
from polling import wait_until
from program import config_of, forked_program

from explorer.hosting import logs
from explorer.hosting.private_logs import PrintedLines, lines_of, private_record, told

SECRET = "a-S3CRET of /home/s3cret/file.png from 203.0.113.77"
HEARD = re.compile(r"s3cret|203\.0\.113|/home|/tmp", re.IGNORECASE)
# A page with the tests' engine, whose link route breaks with what it was sent.
SERVER = """
import os, sys, time
sys.path[:0] = ["tests", "."]
from fake_engine import FakeEngine
from explorer import ui
from explorer.hosting import settings_routes
from explorer.hosting.logs import begin_logs, take_over_logs, truncate_log_lines
def broken(values):
    try:
        raise KeyError(str(values))
    except KeyError:
        raise RuntimeError(str(values))
settings_routes.make_link = broken
truncate_log_lines()
begin_logs(os.environ)
page = ui.build(FakeEngine(pace=0.001))
port = int(sys.argv[sys.argv.index("--port") + 1])
page.launch(server_port=port, prevent_thread_lock=True, quiet=True, **ui.launch_options())
take_over_logs(os.environ)
while True:
    time.sleep(1)
"""


def hurt(url: str) -> None:
    """What strangers send, each with the secret in it."""
    config = config_of(url)
    blocks = {block["id"]: block["props"] for block in config["components"]}
    run_button = next(key for key, props in blocks.items() if props.get("elem_id") == "run")
    run = next(each for each in config["dependencies"] if [run_button, "click"] in each["targets"])
    headers = {"x-forwarded-for": "203.0.113.77", "user-agent": SECRET}

    def values(**changed) -> list:
        named = {key: blocks[key].get("elem_id") for key in run["inputs"]}
        return [changed.get(named[key], blocks[key].get("value")) for key in run["inputs"]]

    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:

        def event(number: int, data: list, session: str) -> None:
            body = {"data": data, "fn_index": number, "session_hash": session}
            if client.post("gradio_api/queue/join", json=body).status_code == 200:
                with client.stream("GET", f"gradio_api/queue/data?session_hash={session}") as sent:
                    for line in sent.iter_lines():
                        if "process_completed" in line or "close_stream" in line:
                            break

        event(run["id"], values(steps=2, prompt=f"[boom] {SECRET}"), "boom")
        event(run["id"], values(steps=20, prompt=f"[nan] {SECRET}"), "nan")
        event(run["id"], values(steps=SECRET, seed=SECRET), "odd")
        for each in config["dependencies"][:6]:
            event(each["id"], [SECRET] * len(each["inputs"]), f"each{each['id']}")
        assert client.post("settings/link", json={"prompt": SECRET}).status_code == 500
        client.post("settings", json={"text": SECRET})
        client.post("settings", content=SECRET.encode(), headers={"content-type": "image/png"})
        client.post("gradio_api/upload", files={"files": ("s3cret.png", SECRET.encode())})
        client.post("runs", content=b"PK" + SECRET.encode(), headers={"x-visitor": "a" * 32})
        client.get("gradio_api/file=/home/s3cret/file.png")
        client.get("s3cret/203.0.113.77", params={"s": SECRET})
        client.request("S3CRET", "gradio_api/queue/join", content=SECRET.encode())


@pytest.mark.parametrize("is_json", [False, True], ids=["lines", "json"])
def test_what_strangers_send_is_not_in_the_log(tmp_path, monkeypatch, is_json):
    monkeypatch.setenv("EXPLORER_JSON_LOGS", "1" if is_json else "")
    monkeypatch.setattr("program.SETTINGS", {"EXPLORER_LOG_DETAILS": ""})
    with forked_program(tmp_path, source=SERVER) as (process, url):
        hurt(url)
        wait_until(lambda: "RuntimeError" in process.errors())
        log = process.errors()
    assert not HEARD.search(log), HEARD.search(log)
    lines = log.splitlines()
    if is_json:
        records = [json.loads(line) for line in lines]
        assert {"time", "level", "logger", "line", "message"} <= set(records[0])
        (fault,) = [each for each in records if "settings_routes" in str(each.get("error"))]
        assert fault["level"] == "error"
        assert fault["error"][0] == "RuntimeError"
        assert "KeyError" in fault["error"]
    assert "fake_engine" in log  # where the run broke off
    assert "POST (text) (link): RuntimeError" in log


def record(*args, name="explorer.x", msg="%s", error=None) -> logging.LogRecord:
    trouble = (type(error), error, error.__traceback__) if error else None
    return private_record(name, logging.ERROR, "x.py", 1, msg, args, trouble)


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        "two words",
        "/etc/passwd",
        "C:\\x",
        "203.0.113.77",
        "fe80::1",
        "example.org",
        "owner/name",
        "a" * 49,
        "a\nb",
    ],
)
def test_texts_are_not_told(text):
    assert record(text).getMessage() == "(text)"
    assert record(Path(text)).getMessage() == "(text)"
    assert record([text]).getMessage() == "(text)"
    assert record({"x": text}, msg="%(x)s").getMessage() == "(text)"
    assert record(ValueError(text), msg="it: %r").getMessage() == "it: ValueError"


def test_numbers_words_and_the_systems_reasons_are_told():
    assert record(8.0, "euler", msg="%g s of %s").getMessage() == "8 s of euler"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/home/s3cret")
    assert record(full).getMessage() == "OSError: No space left on device"
    assert str(told(OSError(errno.ENOSPC, SECRET))) == "OSError"


def test_of_other_libraries_nothing_is_told_but_where():
    assert record(msg=f"truncated: {SECRET}", name="diffusers.pipelines").getMessage() == "(text)"
    assert record(3, msg="%d tokens", name="explorers").getMessage() == "(text)"


def test_an_error_is_told_by_its_type_and_its_way():
    def fails() -> None:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise ValueError(SECRET) from error

    with pytest.raises(ValueError, match="S3CRET") as raised:
        fails()
    lines = lines_of(raised.value)
    assert [line for line in lines if line[0] != " "] == ["ValueError", "KeyError"]
    assert re.fullmatch(rf"  {__name__}:\d+ in fails", lines[2])
    group = lines_of(ExceptionGroup(SECRET, [OSError(SECRET)]))
    assert group == ["ExceptionGroup", "OSError"]
    assert not HEARD.search(str(record("x", error=raised.value).__dict__))


def test_of_what_is_printed_the_types_of_errors_are_told(caplog):
    printed = PrintedLines("stderr")
    print(f"Traceback\n  File {SECRET}\nsome.lib.OddError: {SECRET}", file=printed)
    print(f"{SECRET}\rProgress: 3 %\r", end="", file=printed)
    print("Value", end="", file=printed)
    print(f"Error: {SECRET}", file=printed)
    assert [each.getMessage() for each in caplog.records] == [
        "printed: OddError",
        "printed: ValueError",
    ]
    assert not printed.isatty()


def test_a_line_of_json_is_whole_however_long_its_texts_are():
    made = logging.LogRecord("x", logging.ERROR, "x.py", 3, "long " * 5000, (), None)
    made.exc_text = "\n".join(["y" * 9000] * 300)
    data = json.loads(logs.JsonLines().format(made))
    assert len(data["message"]) == 2000
    assert len(data["error"]) == 100
    assert data["line"] == 3


def test_details_are_the_operators_choice(monkeypatch):
    environment: dict[str, str] = {}
    logs.choose_logs({"json_logs": True, "log_details": False}, environment)
    assert environment == {"EXPLORER_JSON_LOGS": "1"}
    logs.choose_logs({"log_details": True}, environment)
    root, before = logging.getLogger(), logging.getLogRecordFactory()
    handlers = list(root.handlers)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        logs.begin_logs(environment)
        assert logging.getLogRecordFactory() is before
        logging.getLogger("explorer.x").warning("told: %s", SECRET)
        assert json.loads(stream.getvalue())["message"] == f"told: {SECRET}"
        logs.begin_logs({})
        assert logging.getLogRecordFactory() is private_record
    finally:
        logging.setLogRecordFactory(before)
        root.handlers[:] = handlers
