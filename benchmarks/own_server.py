"""A server of this program in a process of its own, on this machine alone, and what it holds."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
START_S = 180
END_S = 30
# Without the pages of files, which other programs that use the same libraries share or do not.
OWN = re.compile(r"^Pss_Anon:\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Held:
    """What a server and its children hold: bytes of their own, processes, threads, open files."""

    memory: int
    processes: int
    threads: int
    files: int


class OwnServer:
    """A running server: its `url`, its `log` so far, what it holds."""

    def __init__(self, process: subprocess.Popen, url: str, log: Path):
        self.process, self.url, self._log = process, url, log

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def held(self) -> Held:
        """Now, of the whole tree of processes; memory that they share is counted once."""
        family = [self.process.pid]
        for pid in family:  # grows while it is read
            family += children(pid)
        rows = [row for pid in family if (row := _held_by(pid))]
        memory, threads, files = (sum(column) for column in zip(*rows, strict=True))
        return Held(memory, len(rows), threads, files)


def children(pid: int) -> list[int]:
    """The processes that a process has begun and that still run."""
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, file.read_text().split())
    return found


def _held_by(pid: int) -> tuple[int, int, int] | None:
    """Bytes, threads and files of one process; None if it has ended meanwhile."""
    place = Path(f"/proc/{pid}")
    try:
        share = OWN.search((place / "smaps_rollup").read_text())
        files = len(os.listdir(place / "fd"))
        return int(share.group(1)) * 1024 if share else 0, len(os.listdir(place / "task")), files
    except OSError:
        return None


@contextmanager
def own_server(*flags: str, environment: dict[str, str] | None = None) -> Iterator[OwnServer]:
    """Start the program on a free port of this machine, and end it; its files are temporary.

    Raises RuntimeError with its last words if it does not come up.
    """
    with tempfile.TemporaryDirectory() as place, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        log, own = Path(place, "log"), {"GRADIO_TEMP_DIR": f"{place}/temporary"}
        own |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "app.py", "--port", str(port), "--runs-dir", f"{place}/runs"]
        with log.open("wb") as words:
            process = subprocess.Popen(
                [*command, *flags],
                cwd=ROOT,
                env=os.environ | own | (environment or {}),
                stdout=words,
                stderr=words,
            )
        server = OwnServer(process, f"http://127.0.0.1:{port}/", log)
        try:
            _wait(server)
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(server: OwnServer) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and server.process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(server.url + "config", timeout=10).status_code == 200:
                return
        time.sleep(0.2)
    raise RuntimeError(f"the server did not come up: {server.log[-600:]}")
