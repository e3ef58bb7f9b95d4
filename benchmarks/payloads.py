"""Seeded payloads to everything that is public: `python -m benchmarks.payloads --count 20000`.

Starts a server of its own on this machine and sends what benchmarks.odd_requests makes, each of it
drawn from `--seed` and its number (`--first N` goes on there). A normal run must work before and
after them. Prints the answers by kind, and exits with 1 for an answer of 500 or more but for our
501, 503 and 507, one that does not come, a traceback or a path of this machine in an answer or an
event stream, an exception in our code, growth beyond the figures below.
"""

import argparse
import asyncio
import json
import re
import socket
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from benchmarks.odd_requests import API, BROKEN_OFF, Asked, OddRequests
from benchmarks.own_server import Held, own_server
from benchmarks.page_client import Layout, PageClient, layout_of

ROOT = str(Path(__file__).resolve().parents[1])
OF_OURS = (501, 503, 507)  # it cannot, or cannot at present; with a sentence
HANGS_S = 60.0  # without an answer
STREAM_S = 3.0  # that a stream is read at most
SENDERS = 4  # side by side
MOST_GROWTH = 0.10  # of the memory, after the first quarter
MOST_THREADS, MOST_FILES = 10, 20
# Small runs, few kept: so that many are made, and what is kept is full soon.
FLAGS = ("--steps", "20", "--side", "512", "--lanes", "4", "--batch-size", "2")
KEPT = ("--kept-runs", "20", "--sessions", "50")
TRACE = "Traceback (most recent call last)"


class Sender:
    """Sends requests, and looks at what comes back."""

    def __init__(self, url: str):
        self._http = httpx.Client(base_url=url, timeout=HANGS_S, trust_env=False)
        self.statuses: Counter[tuple[str, str]] = Counter()
        self.faults: list[str] = []
        self.broken: list[str] = []  # answers that broke off, and requests that cannot be sent
        self.slowest = (0.0, "")
        self._lock = threading.Lock()

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, number: int, asked: Asked) -> None:
        name, start = f"{number} {asked.kind} {asked.method} {asked.path[:80]}", time.monotonic()
        try:
            status = self._answered(name, asked)
        except httpx.TimeoutException:
            self.faults.append(f"{name}: no answer in {HANGS_S:g} s")
            status = "none"
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
            status = type(error).__name__
            self.broken.append(f"{name}: {error}")
        with self._lock:
            self.statuses[asked.kind, status] += 1
            self.slowest = max(self.slowest, (time.monotonic() - start, name))

    def _break_off(self, asked: Asked) -> str:
        """Send what there is of a request, and go."""
        place = urlsplit(str(self._http.base_url))
        head = [f"{asked.method} /{asked.path} HTTP/1.1", "host: x"]
        head += [f"{name}: {value}" for name, value in asked.headers.items()]
        with socket.create_connection((place.hostname, place.port), timeout=HANGS_S) as line:
            line.sendall("\r\n".join([*head, "", ""]).encode() + asked.content)
        return "left"

    def _answered(self, name: str, asked: Asked) -> str:
        if asked.kind == BROKEN_OFF:
            return self._break_off(asked)
        headers = [(key.encode(), value.encode()) for key, value in asked.headers.items()]
        request = self._http.build_request(
            asked.method, asked.path, content=asked.content, headers=headers
        )
        answer = self._http.send(request, stream=True)
        try:
            if "event-stream" in answer.headers.get("content-type", ""):
                return str(answer.status_code)  # it may have no end
            answer.read()
        finally:
            answer.close()
        self._look_at(name, answer)
        if asked.lines and answer.status_code == 200:
            self._follow(name, asked, answer)
        return str(answer.status_code)

    def _follow(self, name: str, asked: Asked, answer: httpx.Response) -> None:
        """Read what an event tells, as many lines as are asked for."""
        path, event = asked.path, answer.json()["event_id"]
        path = f"{path}/{event}"
        if asked.kind == "join":
            path = f"{API}queue/data?session_hash={asked.session}"
        patience = httpx.Timeout(HANGS_S, read=STREAM_S)
        try:
            with self._http.stream("GET", path, timeout=patience) as stream:
                self._read(name, stream, asked.lines)
        except httpx.ReadTimeout:  # the run waits for others
            with self._lock:
                self.statuses["stream", "still open"] += 1

    def _read(self, name: str, answer: httpx.Response, lines: int) -> None:
        until = time.monotonic() + STREAM_S
        with self._lock:
            self.statuses["stream", str(answer.status_code)] += 1
        if answer.status_code >= 500 and answer.status_code not in OF_OURS:
            self.faults.append(f"{name}: its stream is answered by {answer.status_code}")
        for number, line in enumerate(answer.iter_lines()):
            self._look_into(name, line)
            if number >= lines or time.monotonic() > until:
                return

    def _look_at(self, name: str, answer: httpx.Response) -> None:
        if answer.status_code >= 500 and answer.status_code not in OF_OURS:
            self.faults.append(f"{name}: {answer.status_code} {answer.text[:200]}")
        self._look_into(name, answer.text)

    def _look_into(self, name: str, text: str) -> None:
        if TRACE in text:
            self.faults.append(f"{name}: a traceback was sent: {text[-300:]}")
        for place in (ROOT, sys.prefix, "root:x:0"):
            if place in text:
                self.faults.append(f"{name}: {place} was sent: {text[:200]}")


def send_all(sender: Sender, odd: OddRequests, numbers: range) -> None:
    """Send the requests of these numbers, a few side by side."""
    with ThreadPoolExecutor(SENDERS) as threads:
        asked = ((number, odd.asked(number)) for number in numbers)
        for done in threads.map(lambda each: sender.send(*each), asked):
            assert done is None


def exceptions_of_ours(log: str) -> list[str]:
    """Exceptions that were raised in our code, by the log."""
    faults = []
    for trace in log.split(TRACE)[1:]:
        frames = re.findall(r'File "([^"]+)", line (\d+), in (\w+)', trace)
        if frames and frames[-1][0].startswith(f"{ROOT}/explorer"):
            faults.append(f"an exception in {frames[-1]}: {trace[:2000][-400:]}")
    return faults


def growth(early: Held, late: Held) -> list[str]:
    """What is held that was not held before, beyond what may be."""
    most = {
        "memory": int(early.memory * MOST_GROWTH),
        "threads": MOST_THREADS,
        "files": MOST_FILES,
    }
    before, after = asdict(early), asdict(late)
    return [
        f"{name} grew from {before[name]} to {after[name]}"
        for name, room in most.items()
        if after[name] > before[name] + room
    ]


def routes() -> list[tuple[str, str]]:
    """Every route by its methods, Gradio's and ours."""
    import gradio as gr
    from gradio.routes import App

    from explorer import ui

    found, left = (
        [],
        [*ui.launch_options()["app_kwargs"]["routes"], *App.create_app(gr.Blocks()).routes],
    )
    while left:
        route = left.pop()
        if hasattr(route, "path"):
            methods = getattr(route, "methods", None) or ("GET",)
            found += [(method, route.path) for method in methods]
        elif hasattr(route, "original_router"):
            left += route.original_router.routes
    return found


async def normal_run(url: str) -> list[str]:
    """What is wrong with a run as a page makes it."""
    async with httpx.AsyncClient(base_url=url, timeout=HANGS_S, trust_env=False) as http:
        page = PageClient(http, await layout_of(http), 1)
        try:
            async with asyncio.timeout(2 * HANGS_S):
                run = await page.run(steps=2)
        except TimeoutError:
            return ["a normal run does not end"]
    if run.end != "done" or run.wrong:
        return [f"a normal run: {run.end} {run.message} {run.wrong}"]
    return []


def requests_for(url: str, seed: int) -> OddRequests:
    """Those for a running server."""
    with httpx.Client(base_url=url, timeout=HANGS_S, trust_env=False) as http:
        layout = Layout(http.get("config").json())
        endpoints = http.get(API + "info").json()["named_endpoints"]
        first = http.get("examples/first")
        mcp = http.get(API + "mcp/schema").status_code == 200
    examples = re.findall(r"\b[0-9a-f]{32}\b", first.text)
    every = [*routes(), *([("POST", f"/{API}mcp/")] if mcp else [])]
    return OddRequests(layout, endpoints, every, sorted(set(examples))[:3], seed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="the number to begin with")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", nargs=argparse.REMAINDER, default=[], help="its other flags")
    args = parser.parse_args()
    numbers, held, start = range(args.first, args.first + args.count), [], time.monotonic()
    with (
        own_server("--device", "cpu", *FLAGS, *KEPT, *args.server) as server,
        Sender(server.url) as sender,
    ):
        odd = requests_for(server.url, args.seed)
        faults = asyncio.run(normal_run(server.url))  # loads the model too
        quarter = args.count // 4
        send_all(sender, odd, numbers[:quarter])
        held.append(server.held())
        send_all(sender, odd, numbers[quarter:])
        seconds = time.monotonic() - start
        faults += sender.faults + asyncio.run(normal_run(server.url))
        held.append(server.held())
        faults += exceptions_of_ours(server.log) + growth(*held)
    _tell(sender, seconds, held)
    for fault, times in Counter(faults).most_common(30):
        print(f"{times} x {fault}")
    print("no fault" if not faults else f"{len(faults)} faults")
    return 1 if faults else 0


def _tell(sender: Sender, seconds: float, held: list[Any]) -> None:
    count = sum(each for (kind, _), each in sender.statuses.items() if kind != "stream")
    print(f"{count} payloads in {seconds:.0f} s; the slowest took {sender.slowest[0]:.1f} s")
    kinds = sorted({kind for kind, _ in sender.statuses})
    print("| of | answers |", "|---|---|", sep="\n")
    for kind in kinds:
        told = {status: n for (each, status), n in sorted(sender.statuses.items()) if each == kind}
        print(f"| {kind} | {json.dumps(told)} |")
    print(*sender.broken[:10], sep="\n")
    print("after a quarter:", held[0])
    print("at the end:", held[-1])


if __name__ == "__main__":
    raise SystemExit(main())
