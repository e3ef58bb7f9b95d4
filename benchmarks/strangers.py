"""Starts, stops and leaves runs as strangers do: `python -m benchmarks.strangers`.

Seeded sequences on one engine, each drawn from the seed and its number (`--first N` goes on there);
then a normal run must work. Prints how the runs ended, and exits with 1 if the device does not
become free or the normal run has no picture. What strangers may send is in benchmarks/payloads.py.
"""

import argparse
import random
import threading
import time
import traceback
from collections import Counter
from typing import Any

from explorer.engine import Engine
from explorer.runs.device_queue import device_queue
from explorer.settings import LaneSettings, RunSettings, SettingsError

WAIT_S = 120  # for the device to be free


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


def is_free(device: str) -> bool:
    """Whether the device is free, after a while at most."""
    until = time.monotonic() + WAIT_S
    while device_queue(device).runs and time.monotonic() < until:
        time.sleep(0.2)
    return not device_queue(device).runs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the number to begin with")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--seconds", type=float, default=3600, help="the most it may take")
    args = parser.parse_args()
    engine, faults = Engine(args.model, "cpu"), []
    engine.load()
    numbers = range(args.first, args.first + args.sequences)
    stop, ends = sequences(engine, numbers, args.seed, time.monotonic() + args.seconds)
    print(f"sequences {args.first} to {stop - 1}, {sum(ends.values())} runs:", dict(ends))
    if not is_free("cpu"):
        faults.append("the device is not free after the sequences")
    try:
        lanes = engine.run(RunSettings(prompt="a red boat", steps=2, seed=7))
        if any(lane.images is None for lane in lanes):
            faults.append("a normal run afterwards has no picture")
    except Exception:
        faults.append("a normal run afterwards failed: " + traceback.format_exc()[-400:])
    print(*faults, sep="\n")
    print("no fault" if not faults else f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
