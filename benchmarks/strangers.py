"""Drives the app as strangers do: `python -m benchmarks.strangers`, on this machine alone.

First seeded sequences of starts, stops and closes on the engine, then seeded payloads over HTTP on
loopback: every event with values of every kind, server functions, uploads, file names, queue
entries whose stream nobody opens, bodies of every length. Then a normal run must work. Prints
counts and exits with 1 for an answer of 500 or more but for our 503 and 507, an exception that
passed through our code, a traceback or a path of this machine in an answer or an event stream, a
device that is not free, files that uploads which broke off have left, or growth beyond the stated
figures.

All is drawn from the seed and the number of the sequence or payload: `--first N` goes on there.
"""

import argparse
import io
import json
import logging
import os
import random
import re
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from explorer.engine import Engine
from explorer.runs.device_queue import device_queue
from explorer.settings import LaneSettings, RunSettings, SettingsError

ROOT = str(Path(__file__).resolve().parents[1])
MOST_GROWTH = 200 * 2**20  # bytes of memory, after the first quarter
MOST_THREADS, MOST_FILES = 20, 40  # more than after the first quarter
WAIT_S = 120  # for the device to be free
STREAM_S = 10  # that a stranger reads a stream at most
ODD = (
    None,
    True,
    -1,
    0,
    1e308,
    2**70,
    0.5,
    "",
    "x",
    "\ud83d",
    "\0",
    "../../etc/passwd",
    "/dev/zero",
    "NaN",
    "a" * 50_000,
    [],
    {},
    [None],
    {"path": "/etc/shadow"},
    {"path": "/dev/zero", "meta": {"_type": "gradio.FileData"}},
    {"lanes": [], "same": True},
    {"lanes": [{"sampler": "dpm2", "sigmas": "nan, inf"}], "same": False},
    {"lanes": [{"beta_end": "1e400"}] * 40, "same": "yes"},
    {"__type__": "update", "value": 3},
    [[[[[[]]]]]],
    {"text": "{" * 2000, "sampler": 4},
    {"field": "sigmas", "name": "a.npy", "data": "AAAA"},
)
PATHS = (
    "file=/etc/passwd",
    "file=../../etc/passwd",
    "file=/proc/self/environ",
    "file=/dev/zero",
    "kept/../../etc/passwd",
    "kept/" + "0" * 64 + "/a.png",
    "page/%2e%2e/%2e%2e/app.py",
    "page/../../../etc/passwd",
    "config",
    "info",
    "monitoring/summary",
    "\u202e",
    "a" * 3000,
)


# --- the engine ----------------------------------------------------------------------------------


def sequences(engine: Engine, numbers: range, seed: int, until: float) -> tuple[int, Counter]:
    """Start runs, take some events, and stop, close or finish them.

    Returns the first number that was not done, and counts how the runs ended.
    """
    ends: Counter = Counter()
    for number in numbers:
        if time.monotonic() > until:
            return number, ends
        rng, streams = random.Random(f"{seed} sequence {number}"), []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            cancel = threading.Event()
            try:
                run = RunSettings(
                    prompt=rng.choice(("a boat", "", "\u202e", "x" * 2000)),
                    steps=rng.choice((1, 2, 3)),
                    seed=rng.choice((-1, 7, 2**32 - 1)),
                    batch_size=rng.choice((1, 1, 2)),
                    lanes=[LaneSettings(sampler=rng.choice(("dpm2", "dpm2_a", "euler")))],
                    strength=rng.choice((0.75, 0.75, -1)),
                )
            except SettingsError:
                ends["refused"] += 1
                continue
            streams.append((engine.stream(run, cancel=cancel, visitor="same"), cancel))
        for stream, cancel in rng.sample(streams, len(streams)):
            ends[_follow(stream, cancel, rng)] += 1
    return numbers.stop, ends


def _follow(stream: Any, cancel: threading.Event, rng: random.Random) -> str:
    way, events, state = rng.choice(("finish", "stop", "close")), rng.randrange(6), "nothing"
    for number, event in enumerate(stream):
        state = event.state
        if number >= events and way == "close":
            stream.close()
            return "closed"
        if number >= events and way == "stop":
            cancel.set()
    return state


# --- HTTP ----------------------------------------------------------------------------------------


class Stranger:
    """Sends payloads to a page at `url`, and looks at what comes back."""

    def __init__(self, url: str, page: Any, log: io.StringIO, seed: int):
        self._client = httpx.Client(base_url=url, timeout=60)
        self._page, self._log, self._seed = page, log, seed
        self._rng = random.Random(seed)
        self._url, self._api = url, "gradio_api/"
        self.statuses: Counter = Counter()
        self.faults: list[str] = []

    def send(self, number: int) -> None:
        """The payload of a number."""
        self._rng = random.Random(f"{self._seed} payload {number}")
        kind = self._rng.choice(
            [self._event] * 3
            + [self._join] * 2
            + [self._function, self._upload, self._path, self._body, self._call, self._broken]
        )
        try:
            answer = kind()
        except httpx.HTTPError as error:
            self.statuses[f"{kind.__name__.strip('_')} {type(error).__name__}"] += 1
            return
        if answer is not None:
            self._look_at(f"{number} {kind.__name__.strip('_')}", answer)

    def _look_at(self, kind: str, answer: httpx.Response) -> None:
        self.statuses[f"{kind.partition(' ')[2]} {answer.status_code}"] += 1
        if answer.status_code >= 500 and answer.status_code not in (503, 507):
            self.faults.append(f"{kind}: {answer.status_code} {answer.text[:200]}")
        self._look_into(kind, answer.text)

    def _look_into(self, kind: str, text: str) -> None:
        if "Traceback (most recent call last)" in text:
            self.faults.append(f"{kind}: a traceback was sent: {text[-300:]}")
        for place in (ROOT, sys.prefix, "root:x:0"):
            if place in text:
                self.faults.append(f"{kind}: {place} was sent")

    def look_at_log(self) -> None:
        """Exceptions whose last frame is ours, once everything that was asked for has ended."""
        log = self._log.getvalue()
        for trace in log.split("Traceback (most recent call last)")[1:]:
            frames = re.findall(r'File "([^"]+)", line (\d+), in (\w+)', trace)
            if frames and frames[-1][0].startswith(os.path.join(ROOT, "explorer")):
                self.faults.append(f"exception in {frames[-1]}: {trace[:1500][-300:]}")
        self.statuses["tracebacks in the log"] = log.count("Traceback (most recent call last)")

    def wait_for_events(self) -> bool:
        """Whether every event that was asked for has ended, after a while at most."""
        until = time.monotonic() + WAIT_S
        while self._page._queue.event_ids_to_events and time.monotonic() < until:
            time.sleep(0.2)
        return not self._page._queue.event_ids_to_events

    def _session(self) -> str:
        return self._rng.choice(("s1", "s2", "", "\0", f"s{self._rng.randrange(10**9)}"))

    def _odd(self) -> Any:
        return self._rng.choice(ODD)

    def _values(self, event: Any) -> list[Any]:
        """The inputs of an event as a page would send them, some of them replaced."""
        values = [getattr(block, "value", None) for block in event.inputs]
        values = [value if _is_json(value) else None for value in values]
        for _ in range(self._rng.randrange(4)):
            if values:
                values[self._rng.randrange(len(values))] = self._odd()
        if self._rng.random() < 0.05:
            values = values[: self._rng.randrange(len(values) + 1)]
        return values

    def _post(self, path: str, data: Any) -> httpx.Response:
        body = json.dumps(data)  # half characters as escapes, as a browser sends them
        headers = {"content-type": "application/json"}
        return self._client.post(self._api + path, content=body, headers=headers)

    def _an_event(self) -> Any:
        return self._rng.choice(list(self._page.fns.values()))

    def _event(self) -> httpx.Response:
        event = self._an_event()
        number = event._id if self._rng.random() < 0.95 else self._odd()
        data = {"data": self._values(event), "fn_index": number, "session_hash": self._session()}
        return self._post("run/predict", data)

    def _join(self) -> httpx.Response:
        """Into the queue: nobody opens the stream, or for some messages, or to its end."""
        event, session = self._an_event(), self._session()
        data = {"data": self._values(event), "fn_index": event._id, "session_hash": session}
        answer, most = self._post("queue/join", data), self._rng.choice((0, 0, 1, 3, 100))
        if answer.status_code == 200 and most:
            self._read(session, most)
        return answer

    def _read(self, session: str, most: int) -> None:
        """A session's stream, so many lines of it or until it ends."""
        path, until = f"{self._api}queue/data", time.monotonic() + STREAM_S
        with self._client.stream("GET", path, params={"session_hash": session}) as stream:
            self.statuses[f"stream {stream.status_code}"] += 1
            for number, line in enumerate(stream.iter_lines()):
                self._look_into("stream", line)
                if number >= most or time.monotonic() > until:
                    return
        self.statuses["streams read to their end"] += 1

    def _broken(self) -> None:
        """An upload or an event that breaks off in the middle."""
        place, path = urlsplit(self._url), self._rng.choice(("upload", "queue/join"))
        kind = "application/json" if path != "upload" else "multipart/form-data; boundary=X"
        head = (
            f"POST /{self._api}{path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {self._rng.choice((10**5, 10**6))}\r\n\r\n"
        )
        part = '--X\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        with socket.create_connection((place.hostname, place.port), timeout=60) as line:
            line.sendall((head + part).encode() + bytes(self._rng.choice((0, 10, 90_000))))
        self.statuses["broken off"] += 1

    def _function(self) -> httpx.Response:
        blocks = [b for b in self._page.blocks.values() if getattr(b, "server_functions", None)]
        block = self._rng.choice(blocks or list(self._page.blocks.values()))
        names = [each.__name__ for each in getattr(block, "server_functions", None) or []]
        data = {
            "component_id": block._id,
            "fn_name": self._rng.choice([*names, "preprocess", "__init__", ""]),
            "data": self._odd(),
            "session_hash": self._session(),
        }
        return self._post("component_server", data)

    def _upload(self) -> httpx.Response:
        name = self._rng.choice(("a.png", "../../a.png", "/etc/passwd", "a\0.png", "x" * 400, ""))
        size = self._rng.choice((0, 10, 10_000))
        files = {"files": (name, self._rng.randbytes(size))}
        return self._client.post(self._api + "upload", files=files)

    def _path(self) -> httpx.Response:
        start = self._rng.choice(("", self._api))
        return self._client.get(start + self._rng.choice(PATHS))

    def _body(self) -> httpx.Response:
        """Bodies that are no JSON, or longer than any request may be."""
        size = self._rng.choice((0, 1, 1000, 3 * 2**20))
        content = self._rng.choice((b"{", b"\xff", b'{"a":', b"[" * 5000, b"x" * size))
        headers = {"content-type": "application/json"}
        path = self._rng.choice(("run/predict", "queue/join", "component_server", "call/run"))
        return self._client.post(self._api + path, content=content, headers=headers)

    def _call(self) -> httpx.Response:
        name = self._rng.choice(("run", "redraw", "predict", "x", "../config"))
        return self._post(f"call/{name}", {"data": [self._odd() for _ in range(3)]})


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


# --- the whole -----------------------------------------------------------------------------------


@contextmanager
def served(engine: Engine):
    """The page on a free port of this machine: yields the page and its address."""
    from explorer import ui

    page = ui.build(engine)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    try:
        yield page, url
    finally:
        page.close(verbose=False)


def held() -> dict[str, int]:
    """Memory in bytes, threads and open files of this process."""
    status = Path("/proc/self/status").read_text()
    resident = int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) * 1024
    files = len(os.listdir("/proc/self/fd"))
    return {"memory": resident, "threads": threading.active_count(), "files": files}


def is_free(device: str) -> bool:
    """Whether the device is free, after a while at most."""
    until = time.monotonic() + WAIT_S
    while device_queue(device).runs and time.monotonic() < until:
        time.sleep(0.2)
    return not device_queue(device).runs


def files_in(folder: Path) -> set[Path]:
    return {file for file in folder.rglob("*") if file.is_file()}


def drive(args: argparse.Namespace, folder: Path) -> list[str]:
    """Do it all, half of the time each; returns what is wrong, and prints what was seen."""
    faults, seed, began = [], args.seed, time.monotonic()
    engine = Engine(device="cpu")
    engine.load()
    numbers = range(args.first, args.first + args.sequences)
    stop, ends = sequences(engine, numbers, seed, began + args.seconds / 2)
    print(f"sequences {args.first} to {stop - 1}, {sum(ends.values())} runs:", dict(ends))
    if not is_free("cpu"):
        faults.append("the device is not free after the sequences")
    log, early = io.StringIO(), {}
    with redirect_stderr(log), served(engine) as (page, url):
        handler = logging.StreamHandler(log)
        logging.getLogger().addHandler(handler)
        stranger, number = Stranger(url, page, log, seed), args.first
        for number in range(args.first, args.first + args.payloads):
            if time.monotonic() > began + args.seconds:
                break
            stranger.send(number)
            if number == args.first + args.payloads // 4:
                early = held()
        else:
            number = args.first + args.payloads
        if not stranger.wait_for_events():
            faults.append("events have not ended after the payloads")
        if not is_free("cpu"):
            faults.append("the device is not free after the payloads")
        stranger.look_at_log()
        logging.getLogger().removeHandler(handler)
        faults += stranger.faults
        now = held()
        if left := [file for file in files_in(folder) if file.stat().st_size == 90_000]:
            faults.append(f"{len(left)} uploads that broke off have left files")
    print(f"payloads {args.first} to {number - 1}:", dict(sorted(stranger.statuses.items())))
    if early:
        print("after a quarter:", early, "at the end:", now)
        most = {"memory": MOST_GROWTH, "threads": MOST_THREADS, "files": MOST_FILES}
        faults += [
            f"{name} grew from {early[name]} to {now[name]}"
            for name, room in most.items()
            if now[name] > early[name] + room
        ]
    try:
        lanes = engine.run(RunSettings(prompt="a red boat", steps=2, seed=7))
        if any(lane.images is None for lane in lanes):
            faults.append("a normal run afterwards has no picture")
    except Exception:
        faults.append("a normal run afterwards failed: " + traceback.format_exc()[-400:])
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=1000)
    parser.add_argument("--payloads", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="the number to begin with")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=3600, help="the most it may take")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        faults = drive(args, Path(folder))
    counts = Counter(faults)
    for fault, times in counts.most_common(20):
        print(f"{times} x {fault}")
    print("no fault" if not faults else f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
