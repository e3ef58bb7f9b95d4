"""What a change of a setting costs the server: `python -m benchmarks.page`.

Two lanes of every schedule type, the sampler's other settings changed from call to call so that
nothing is remembered: the plot, the table of calls and the doctor's findings, without the network.
With `--browser`: from a key in the form to the redrawn plot instead; see redraw.py. With
`--first-visit`: what a new visitor waits for; see first_visit.py.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from itertools import count

from benchmarks import first_visit
from benchmarks.redraw import measure
from explorer.engine import Engine
from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.sampling.schedules import build
from explorer.settings import LaneSettings, RunSettings
from explorer.views.curves import plot_payload
from explorer.views.findings import Doctor

REPEATS = 40
GOALS_MS = {"page update, two lanes, 20 steps": 10.0, "schedule, 1000 steps": 5.0}
REDRAW_GOAL_MS = 100.0  # p95, on an idle machine
TURNS = count(1)


def milliseconds(work: Callable[[], object]) -> float:
    """The median of many calls, after one to warm up."""
    work()
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return 1000 * statistics.median(taken)


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", action="store_true")
    parser.add_argument("--first-visit", action="store_true")
    options = parser.parse_args(arguments)
    if options.first_visit:
        return int(not first_visit.measure())
    if options.browser:
        return int(measure() > REDRAW_GOAL_MS)
    doctor = Doctor(Engine())

    def update(kind: str) -> None:
        changed = {"schedule_type": kind, "beta_end": 0.012 + next(TURNS) * 1e-7}
        lanes = tuple(LaneSettings(sampler=key, **changed) for key in ("dpm2", "dpm2_a"))
        settings = RunSettings(lanes=lanes)
        payload = plot_payload(settings) | {"findings": doctor.findings(settings)}
        if payload["problems"]:
            raise RuntimeError(f"no plot of {kind}: {payload['problems']}")

    worst = dict.fromkeys(GOALS_MS, 0.0)
    for kind in SCHEDULE_TYPES:
        taken = (
            milliseconds(lambda kind=kind: update(kind)),
            milliseconds(lambda kind=kind: build(1000, eta=1.0, schedule_type=kind)),
        )
        print(f"{kind:18}" + "".join(f"{each:8.2f} ms" for each in taken))
        worst = {name: max(worst[name], each) for name, each in zip(worst, taken, strict=True)}
    for name, each in worst.items():
        print(f"{name}: at most {each:.2f} ms (goal: {GOALS_MS[name]:g})")
    return int(any(worst[name] > goal for name, goal in GOALS_MS.items()))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
