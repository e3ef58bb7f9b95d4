"""The program in a process of its own, and runs started over HTTP as the page starts them."""

import http.client
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "EXPLORER_NO_HISTORY": "1",
    "EXPLORER_LOG_DETAILS": "1",  # a test sees what went wrong
}
PATIENCE_S = 90
# Nine of ten seconds of a start are imports.
LIBRARIES = ["diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion", "gradio"]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(LIBRARIES)


class ForkedProgram:
    """A process forked with `LIBRARIES` in it, and what the tests use of subprocess.Popen."""

    def __init__(self, source: str, arguments: list[str], environment: dict[str, str], log: Path):
        self._log = log
        self._process = FORKS.Process(target=run_main, args=(source, arguments, environment, log))
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def errors(self) -> str:
        """What it has written to its error stream."""
        return self._log.read_text()


def run_main(source: str, arguments: list[str], environment: dict[str, str], log: Path) -> None:
    """Run Python source as a program with these arguments."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    with log.open("wb") as errors, open(os.devnull, "r+b") as nothing:
        for stream, number in ((nothing, 0), (nothing, 1), (errors, 2)):
            os.dup2(stream.fileno(), number)
    sys.argv = ["app.py", *arguments]
    exec(compile(source, "app.py", "exec"), {"__name__": "__main__"})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def forked_program(
    temporary: Path, *arguments: str, source: str = (ROOT / "app.py").read_text()
) -> Iterator[tuple[ForkedProgram, str]]:
    """The program, or other source, on a free port of this machine: its process and its address."""
    port = free_port()
    arguments = "--device", "cpu", "--port", str(port), *arguments
    environment = os.environ | SETTINGS | {"GRADIO_TEMP_DIR": str(temporary)}
    handle, log = mkstemp(".log")
    os.close(handle)
    process = ForkedProgram(source, arguments, environment, Path(log))
    try:
        yield process, f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        os.unlink(log)


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
