"""What happens on ZeroGPU, with the stand-in for its package: a program, which prints JSON.

The page's process is forked, and the main thread is its own, so it cannot be that of the tests.
"""

import hashlib
import io
import json
import logging
import multiprocessing
import os
import signal
import sys
import threading
from pathlib import Path

from explorer.hosting import zero_gpu

zero_gpu.begin()

import numpy as np  # noqa: E402
import spaces  # noqa: E402
from loops import as_they_come  # noqa: E402
from PIL import Image  # noqa: E402

from explorer.hosting import zero_gpu_worker  # noqa: E402
from explorer.models.catalog import ModelError  # noqa: E402
from explorer.settings import RunSettings  # noqa: E402

LOG, ERROR = Path(os.environ["FAKE_SPACES_LOG"]), Path(os.environ["FAKE_SPACES_ERROR"])
SHORT = RunSettings(prompt="a red boat", steps=2, seed=7)
LONG = RunSettings(prompt="a red boat", steps=60, seed=7)
TITLES = [*zero_gpu.SENTENCES, "queue"]


def happened(event: str) -> list[dict]:
    lines = map(json.loads, LOG.read_text().splitlines())
    return [each for each in lines if each["event"] == event]


def digest(pixels: np.ndarray) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def run(settings: RunSettings, at_call: int = 0, act=lambda: None) -> dict:
    """A run to its end; `act` is called at one of its calls."""
    cancel, event = threading.Event(), None
    act = act or cancel.set
    for event in as_they_come(engine.astream(settings, cancel)):
        if at_call and getattr(event, "call", 0) >= at_call:
            act()
            at_call = 0
    return {
        "state": event.state,
        "message": event.message,
        "worker_died": getattr(event, "worker_died", False),
        "calls": [len(each.calls) for each in event.trajectories],
        "pictures": [digest(np.asarray(Image.open(io.BytesIO(each)))) for each in event.images],
    }


def kill_the_worker() -> None:
    os.kill(happened("forked")[-1]["child"], signal.SIGKILL)


def runs_beside_busy_threads() -> list[str]:
    """Runs that are forked while other threads hold every lock that they can get at."""
    done = threading.Event()

    def busy() -> None:
        number = 0
        while not done.is_set():
            number += 1
            backend.unread(f"a prompt, the {number}th", "")
            logging.getLogger("busy").warning("the %sth line", number)

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for each in threads:
        each.start()
    try:
        return [run(SHORT)["state"] for _ in range(3)]
    finally:
        done.set()
        for each in threads:
            each.join()


def refused_models() -> list[str]:
    said = []
    for name in ("stabilityai/sd-turbo", "other"):
        for ask in (lambda n: engine.load(n), lambda n: backend.load(n, lambda: False)):
            try:
                ask(name)
            except ModelError as error:
                said.append(str(error))
    return said


def given_up() -> dict:
    """A run that is stopped, and whose process is not waited for."""
    before, zero_gpu.STOPPED_S = zero_gpu.STOPPED_S, 0.0
    try:
        closed = len(happened("closed"))
        ended = run(LONG, 3, None)
        return ended | {"closed": len(happened("closed")) - closed}
    finally:
        zero_gpu.STOPPED_S = before


def stopped_in_the_platforms_queue() -> dict:
    """A run that is stopped before there is a GPU for it: its process is forked for nothing."""
    ERROR.write_text("waiting")
    cancel, last = threading.Event(), None
    for last in as_they_come(engine.astream(LONG, cancel)):  # noqa: B007
        if not ERROR.exists():  # the platform has been asked
            cancel.set()
    ended = {"state": last.state, "message": last.message, "granted": len(happened("granted"))}
    closed = len(happened("closed"))
    ERROR.with_suffix(".go").touch()
    return ended | {"next": run(SHORT), "closed": len(happened("closed")) - closed}


def with_error(title: str) -> dict:
    ERROR.write_text(title)
    return run(SHORT)


zero_gpu.STOPPED_S = 60.0  # on a busy machine a stopped run may be late
logging.disable(logging.CRITICAL)  # what is expected to break fills no screen
engine = zero_gpu.zero_gpu_engine({"device": "cpu"})
backend = engine.backends[0]
loaded_before = {"resident": engine.resident, "forked": len(happened("forked"))}
plain = zero_gpu_worker._engine.run(SHORT)
result = {
    "loaded": loaded_before,
    "menu": [entry.name for entry in engine.entries],
    "first": run(SHORT),
    "second": run(SHORT),
    "estimate": engine.estimate(SHORT).seconds,
    "plain": [digest(lane.image) for lane in plain],
    "stopped": run(LONG, 3, None),
    "given up": given_up(),
    "after a stop": run(SHORT),
    "killed": run(LONG, 3, kill_the_worker),
    "after a kill": run(SHORT),
    "stopped in the queue": stopped_in_the_platforms_queue(),
    "errors": {title: with_error(title) for title in TITLES},
    "after the errors": run(SHORT),
    "busy": runs_beside_busy_threads(),
    "refused models": refused_models(),
    "frames": len(list(engine.full_frames(tuple(plain)))),
}
spaces.quota = spaces.spent + 5
result["quota"] = run(SHORT)
result["log"] = [json.loads(line) for line in LOG.read_text().splitlines()]
waiting = len(multiprocessing.active_children())
result["closed"] = engine.close(5.0), waiting, len(multiprocessing.active_children())
json.dump(result, sys.stdout)
