"""What a public server needs, on paper: `python -m benchmarks.scaling`.

Visitors come at random, more of them in a busy hour than in others. Each one's page stays with one
replica, as a load balancer with sticky sessions does it, so that each replica has a queue of its
own, first come first served. The waits of a busy hour are simulated with a fixed seed; the seconds
of a run and of what needs no model are those of docs/measured.md (SERVERS and PAGE, which
tests/test_scaling.py compares with it). Prints the tables of docs/scaling.md.
"""

import argparse
import math
from dataclasses import dataclass

import numpy as np

VISITORS = (100, 10_000, 1_000_000)  # a day
RUNS_A_VISIT = 3.0
BUSY_HOUR = 0.10  # share of a day's visitors who come in its busiest hour
BURST = 1.5  # the busiest quarter of that hour against its mean
VISIT_S = 300.0  # that a page stays open
REDRAWS_A_VISIT = 20.0
MOST_WAIT_S = 15.0  # of 95 in 100 runs
SIMULATED = 40_000  # runs


@dataclass(frozen=True)
class Server:
    """One device: its name, the seconds of a run on it, and what docs/measured.md calls them."""

    name: str
    run_s: float
    source: str


SERVERS = (
    Server("2 CPU cores, bundled model, 128 px", 1.84, "| all frames and files made | 1.84 s |"),
    Server("H200, SD 1.5, 512 px", 0.53, "files are made after 0.53 s"),
    Server("H100, SDXL, 1024 px", 3.02, "| SDXL, 1024 px | 15.6 s | 3.05, 3.02 s |"),
)


@dataclass(frozen=True)
class Page:
    """What a visit takes beside its runs: a redraw's seconds, megabytes of a run, on disk, and
    where docs/measured.md says so."""

    redraw_s: float = 0.0029
    run_wire_mb: float = 0.76
    run_disk_mb: float = 6.8
    sources: tuple[str, ...] = (
        "at most 2.9 ms",
        "adds 0.76 MB on the wire",
        "are 6.8 MB as a folder",
    )


PAGE = Page()


def rate(visitors: float) -> float:
    """Runs a second in the busiest quarter of an hour."""
    return visitors * RUNS_A_VISIT * BUSY_HOUR * BURST / 3600


def waits(arrivals: float, run_s: float, count: int = SIMULATED, seed: int = 0) -> np.ndarray:
    """The waits of so many runs at one replica, in seconds: arrivals at random, each of `run_s`.

    Lindley's recursion; of the mean it gives what Pollaczek and Khinchine say of M/D/1.
    """
    gaps = np.random.default_rng(seed).exponential(1 / arrivals, count)
    waited, total = np.empty(count), 0.0
    for at, gap in enumerate(gaps):
        total = max(0.0, total + (run_s if at else 0.0) - gap)
        waited[at] = total
    return waited


def mean_wait(arrivals: float, run_s: float) -> float:
    """The mean wait of M/D/1 in seconds; infinite where more comes than is served."""
    load = arrivals * run_s
    return load * run_s / (2 * (1 - load)) if load < 1 else math.inf


def replicas(visitors: float, run_s: float) -> tuple[int, float, float]:
    """The fewest replicas at which 95 in 100 runs wait at most MOST_WAIT_S; how busy each is, and
    that wait."""
    arrivals = rate(visitors)
    count = max(1, math.ceil(arrivals * run_s))
    while True:
        each = arrivals / count
        if each * run_s < 1:
            wait = float(np.quantile(waits(each, run_s), 0.95))
            if wait <= MOST_WAIT_S:
                return count, each * run_s, wait
        count += max(1, count // 100)


def most_visitors(run_s: float) -> int:
    """The visitors a day whom one replica serves within MOST_WAIT_S, in two digits."""
    low, high = 1.0, 1 / rate(1) / run_s
    for _ in range(30):
        middle = (low + high) / 2
        wait = np.quantile(waits(rate(middle), run_s), 0.95)
        low, high = (middle, high) if wait <= MOST_WAIT_S else (low, middle)
    digits = 10 ** (int(math.log10(low)) - 1)
    return int(low // digits * digits)


def needs() -> str:
    """The table of replicas, in Markdown."""
    head = "| one replica is | a run | serves a day | " + " | ".join(
        f"{visitors:,} a day" for visitors in VISITORS
    )
    lines = [head + " |", "|---" * (3 + len(VISITORS)) + "|"]
    for server in SERVERS:
        cells = []
        for visitors in VISITORS:
            count, load, wait = replicas(visitors, server.run_s)
            cells.append(f"{count:,} ({load:.0%} busy, p95 {wait:.1f} s)")
        first = f"{server.name} | {server.run_s:g} s | {most_visitors(server.run_s):,}"
        lines.append(f"| {first} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def beside() -> str:
    """The table of what is needed beside devices, in Markdown."""
    rows: list[tuple[str, list[str]]] = [
        ("runs a second, busiest quarter of an hour", [f"{rate(v):,.2f}" for v in VISITORS]),
        ("pages open at that time", [f"{pages(v):,}" for v in VISITORS]),
        ("cores for redraws", [f"{redraw_cores(v):.3f}" for v in VISITORS]),
        (
            "sent for runs, Mbit/s",
            [f"{rate(v) * PAGE.run_wire_mb * 8:,.1f}" for v in VISITORS],
        ),
        (
            "runs kept a day, GB",
            [f"{v * RUNS_A_VISIT * PAGE.run_disk_mb / 1000:,.1f}" for v in VISITORS],
        ),
    ]
    lines = ["| visitors a day | " + " | ".join(f"{v:,}" for v in VISITORS) + " |"]
    lines.append("|---" * (1 + len(VISITORS)) + "|")
    return "\n".join(lines + [f"| {name} | {' | '.join(cells)} |" for name, cells in rows])


def pages(visitors: float) -> int:
    """Pages open in the busiest quarter of an hour (Little's law)."""
    return math.ceil(visitors * BUSY_HOUR * BURST / 3600 * VISIT_S)


def redraw_cores(visitors: float) -> float:
    """Cores that redraws keep busy in that time."""
    return visitors * BUSY_HOUR * BURST / 3600 * REDRAWS_A_VISIT * PAGE.redraw_s


def main() -> int:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    print(needs(), "", beside(), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
