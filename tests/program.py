"""The program in a process of its own, and runs started over HTTP as the page starts them."""

import http.client
import json
import os
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 90


@contextmanager
def program(command: list[str], temporary: Path, *arguments: str, cwd: Path = ROOT):
    """The program on a free port of this machine: its process and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [*command, "--device", "cpu", "--port", str(port), *arguments],
        cwd=cwd,
        env=os.environ | {"GRADIO_TEMP_DIR": str(temporary), "GRADIO_ANALYTICS_ENABLED": "False"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process, f"http://127.0.0.1:{port}/"
        finally:
            process.kill()


def fetched(url: str, body: dict | None = None) -> bytes:
    data = body and json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
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


def start_run(url: str, steps: int):
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
