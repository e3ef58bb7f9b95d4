"""The program in a process of its own, and runs started over HTTP as the page starts them."""

import http.client
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from forked import Forked

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "EXPLORER_NO_HISTORY": "1",
    "EXPLORER_LOG_DETAILS": "1",  # a test sees what went wrong
}
PATIENCE_S = 90


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def forked_program(
    temporary: Path, *arguments: str, cwd: Path = ROOT, source: str = ""
) -> Iterator[tuple[Forked, str]]:
    """The program of `cwd`, or other source, on a free port: its process and its address."""
    port = free_port()
    environment = os.environ | SETTINGS | {"GRADIO_TEMP_DIR": str(temporary)}
    process = Forked(
        source or cwd / "app.py",
        ["--device", "cpu", "--port", str(port), *arguments],
        cwd=cwd,
        environment=environment,
    )
    with process:
        yield process, f"http://127.0.0.1:{port}/"


@contextmanager
def program(command: list[str], temporary: Path, *arguments: str, cwd: Path = ROOT):
    """An installed program on a free port of this machine: its process and its address."""
    port = free_port()
    with subprocess.Popen(
        [*command, "--device", "cpu", "--port", str(port), *arguments],
        cwd=cwd,
        env=os.environ | SETTINGS | {"GRADIO_TEMP_DIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process, f"http://127.0.0.1:{port}/"
        finally:
            process.kill()


def fetched(url: str, body: dict | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    data = body and json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data, sent)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return answer.read()


def config_of(url: str) -> dict:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return json.loads(fetched(url + "config"))
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def start_run(url: str, steps: int, headers: Mapping[str, str] | None = None):
    """Start a run; returns its open stream."""
    config = config_of(url)
    blocks = {block["id"]: block["props"] for block in config["components"]}
    run_button = next(key for key, props in blocks.items() if props.get("elem_id") == "run")
    run = next(each for each in config["dependencies"] if [run_button, "click"] in each["targets"])
    values = [
        steps if blocks[key].get("elem_id") == "steps" else blocks[key].get("value")
        for key in run["inputs"]
    ]
    session = "visitor"
    fetched(
        url + "gradio_api/queue/join",
        {"data": values, "fn_index": run["id"], "session_hash": session},
        headers,
    )
    return urllib.request.urlopen(
        url + f"gradio_api/queue/data?session_hash={session}", timeout=PATIENCE_S
    )


def drain(stream) -> None:
    """Read what the program still sends, as a page does; that it breaks off is no surprise."""
    with suppress(http.client.HTTPException, OSError):
        stream.read()


def read_until(stream, word: str) -> None:
    for line in stream:
        text = line.decode()
        assert '"error"' not in text, text
        if word in text:
            return
    raise AssertionError(f"the stream ended without {word}")
