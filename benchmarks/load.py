"""Many visitors at once on this machine: `python -m benchmarks.load --clients 50 --minutes 5`.

Starts a server of its own with the bundled model, and is as many pages as are asked for, each with
a visitor's id and an address of its own. A page runs again and again; some stop their run, some
are closed in the middle of it. Each run has a seed that no other has, which must come back with its
result and within its pictures. Beside them one process asks for what needs no model: the page, a
redraw, the settings of a text, a model's defaults, a schedule. At last runs of two steps follow,
one after the other, until there were `--runs`: what the server holds then is compared with after
the fiftieth. It keeps KEPT finished runs in memory, so that those are full by then.

Prints a table for docs/measured.md, and exits with 1 for: a result of somebody else, a run that was
overtaken, one that ended without a word, a traceback in the log, a slow answer where runs are in a
worker's process (`--workers`), growth.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import random
import statistics
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from benchmarks.own_server import Held, OwnServer, own_server
from benchmarks.page_client import Followed, Layout, PageClient, drive, layout_of, overtaken

P95_MS = 200.0
MOST_GROWTH = 0.03  # of the memory
MOST_THREADS, MOST_FILES = 8, 16  # more than after the first fifty runs
EARLY, LONG, SHORT = 50, 20, 2  # runs before the first look, the long ones; steps of the others
KEPT = 20
MOST_CLIENTS, MOST_MINUTES, MOST_RUNS = 500, 60, 10_000
PATIENCE_S = 600  # of a page for its run
PROBE_S = 0.25  # between two questions that need no model
LEFT, STOPPED = 0.1, 0.15  # of the runs
SETTLE_S = 3.0
TEXT = "a boat\nSteps: 20, Sampler: DPM2, CFG scale: 7, Seed: 3, Size: 128x128"


@dataclass
class Seen:
    """All that was seen: the runs, the milliseconds of answers by their kind, what was held."""

    runs: list[Followed] = field(default_factory=list)
    short_runs: list[Followed] = field(default_factory=list)
    answers: dict[str, list[float]] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


# --- what needs no model --------------------------------------------------------------------------


def probe(url: str, ends: Any, told: Any) -> None:
    """Ask one question after another until `ends` is set; tell the milliseconds of each by kind.

    In a process of its own, so that the pages beside it delay no answer.
    """
    taken: dict[str, list[float]] = {}
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as http:
        layout = Layout(http.get("config").json())
        asked = questions(http, layout)
        while not ends.wait(PROBE_S):
            for kind, ask in asked.items():
                start = time.monotonic()
                ask()
                taken.setdefault(kind, []).append(1000 * (time.monotonic() - start))
    told.put(taken)


def questions(http: httpx.Client, layout: Layout) -> dict[str, Any]:
    """By its name, a function that asks it; raises for an answer that is none."""
    json_kind = {"content-type": "application/json"}

    def posted(route: str, data: Any) -> Any:
        return http.post(route, content=json.dumps(data), headers=json_kind).raise_for_status()

    def redraw() -> None:
        posted("gradio_api/run/predict", layout.body("redraw", "probe"))

    def schedule() -> None:
        posted("gradio_api/run/schedule", {"data": named})

    found = {
        "page": lambda: http.get("").raise_for_status(),
        "redraw": redraw,
        "settings of a text": lambda: posted("settings", {"text": TEXT}),
        "defaults": lambda: posted("settings", {"defaults": "bundled"}),
    }
    told = http.get("gradio_api/info").json()["named_endpoints"].get("/schedule")
    if told is not None:
        named = [each.get("parameter_default") for each in told["parameters"]]
        found["/schedule"] = schedule
    return found


# --- pages ---------------------------------------------------------------------------------------


async def one_run(page: PageClient, dice: random.Random, steps: int, whole: bool) -> Followed:
    """A run that is followed to its end, or not."""
    chance, after = dice.random(), dice.randrange(1, 12)
    leave = after if not whole and chance < LEFT else -1
    stop = after if not whole and LEFT <= chance < LEFT + STOPPED else -1
    prompt = dice.choice(("a red boat", "a castle at night", "", "x" * 200))
    async with asyncio.timeout(PATIENCE_S):
        return await page.run(leave, stop, steps=steps, prompt=prompt)


async def load(http: httpx.AsyncClient, layout: Layout, args: Any, seen: Seen) -> None:
    """As many pages as there are clients, until the time is over; each ends its last run."""
    until = time.monotonic() + 60 * args.minutes
    start = time.monotonic()

    async def client(number: int) -> None:
        dice = random.Random(f"{args.seed} {number}")
        await asyncio.sleep(dice.random() * 2)
        page = PageClient(http, layout, number)
        while time.monotonic() < until:
            try:
                seen.runs.append(await one_run(page, dice, args.steps, False))
            except (TimeoutError, httpx.HTTPError) as error:
                seen.faults.append(f"a page ended with {type(error).__name__}: {str(error)[:200]}")
                return
            if seen.runs[-1].end == "left":  # a closed tab's visitor comes with a new page
                page = PageClient(http, layout, number)
            await asyncio.sleep(dice.random() / 2)

    await drive(args.clients, client)
    seen.seconds = time.monotonic() - start


async def short_runs(
    http: httpx.AsyncClient, layout: Layout, count: int, seen: Seen, steps: int
) -> None:
    """So many runs, each of a page of its own: LONG of them of `steps`, side by side, then others
    of two steps, one after the other."""
    dice = random.Random(count)

    async def visit(number: int, steps: int) -> None:
        page = PageClient(http, layout, number + MOST_CLIENTS)
        seen.short_runs.append(await one_run(page, dice, steps, True))

    first, before = min(LONG, count) if steps > SHORT else 0, len(seen.short_runs)
    await drive(first, lambda number: visit(before + number, steps))
    for number in range(first, count):
        await visit(before + number, SHORT)


def settled(server: OwnServer) -> Held:
    """What the server holds when nothing is asked: the least of a few looks."""
    looks = []
    for _ in range(5):
        time.sleep(SETTLE_S / 5)
        looks.append(server.held())
    return min(looks, key=lambda each: each.memory)


async def visit(server: OwnServer, args: Any, seen: Seen) -> None:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=server.url, timeout=PATIENCE_S, limits=limits, trust_env=False
    ) as http:
        layout = await layout_of(http)
        await short_runs(http, layout, min(EARLY, args.runs), seen, args.steps)
        seen.held.append(await asyncio.to_thread(settled, server))
        spawned = multiprocessing.get_context("spawn")
        ends, told = spawned.Event(), spawned.Queue()
        beside = spawned.Process(target=probe, args=(server.url, ends, told), daemon=True)
        beside.start()
        await load(http, layout, args, seen)
        ends.set()
        seen.answers = await asyncio.to_thread(told.get, True, PATIENCE_S)
        beside.join()
        left = args.runs - len(seen.short_runs) - len(seen.runs)
        await short_runs(http, layout, max(0, left), seen, SHORT)
        seen.held.append(await asyncio.to_thread(settled, server))


# --- what came of it -----------------------------------------------------------------------------


def judge(seen: Seen, log: str, workers: int) -> list[str]:
    """What is wrong, each a sentence."""
    every = seen.runs + seen.short_runs
    faults = [*seen.faults, *(f"{each.end}: {word}" for each in every for word in each.wrong)]
    for run in every:
        if not run.end or (run.end == "error" and not run.message):
            faults.append(f"a run ended without a word: {run}")
        if run.end == "cancelled" and not run.stopped:
            faults.append(f"a run was cancelled that its page did not stop: {run.message}")
    errors = [run for run in seen.short_runs if run.end != "done"]
    faults += [f"a short run ended with {run.end}: {run.message}" for run in errors]
    faults += ["a run was overtaken"] * len(overtaken(seen.runs))
    for trace in log.split("Traceback (most recent call last)")[1:]:
        faults.append(f"a traceback: {trace[-400:]}")
    for kind, taken in seen.answers.items():
        if workers and (p95 := percentile(taken, 95)) > P95_MS:
            faults.append(f"p95 of {kind} is {p95:.0f} ms")
    return faults + growth(*seen.held)


def growth(early: Held, late: Held) -> list[str]:
    """What the server holds that it did not hold before, beyond what is allowed."""
    faults = []
    if late.memory > early.memory * (1 + MOST_GROWTH):
        faults.append(f"memory grew by {late.memory / early.memory - 1:.1%}")
    if late.threads > early.threads + MOST_THREADS:
        faults.append(f"threads grew from {early.threads} to {late.threads}")
    if late.files > early.files + MOST_FILES:
        faults.append(f"open files grew from {early.files} to {late.files}")
    return faults


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))] if ordered else 0.0


def table(seen: Seen, args: Any) -> str:
    """What was seen, in Markdown."""
    ends, every = Counter(run.end or "nothing" for run in seen.runs), seen.runs + seen.short_runs
    done = [run for run in seen.runs if run.end == "done"]
    waits = [(run.began or run.ended) - run.sent for run in done]
    computing = [run.ended - run.began for run in done if run.began]
    (early, late), wrong = seen.held, sum(bool(run.wrong) for run in every)
    # Earlier pages count as soon as they read what their run tells.
    rose = sum(run.places != sorted(run.places, reverse=True) for run in seen.runs)
    errors = Counter(run.message for run in seen.runs if run.end == "error")
    rows = [
        ("clients, minutes, workers", f"{args.clients}, {args.minutes:g}, {args.workers}"),
        ("runs of these pages", f"{len(seen.runs)} in {seen.seconds:.0f} s, {dict(ends)}"),
        ("results of somebody else", wrong),
        ("runs overtaken; told a later place than before", f"{len(overtaken(seen.runs))}; {rose}"),
        ("wait p50, p95, most", spread(waits, "s")),
        ("from the first call to the result p50, p95, most", spread(computing, "s")),
    ]
    for kind, taken in seen.answers.items():
        rows.append((f"{kind} p50, p95, most ({len(taken)})", spread(taken, "ms")))
    rows += [
        (f"memory after {EARLY}, {len(every)} runs", _memory(early, late)),
        ("processes, threads, files after as many", f"{_held(early)}; {_held(late)}"),
    ]
    rows += [(f"sentence, {count} times", message) for message, count in errors.items()]
    cores = len(os.sched_getaffinity(0))
    head = (
        f"{platform.machine()}, {cores} cores, {args.steps} steps, Python {sys.version.split()[0]}"
    )
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([f"| {head} | |", "|---|---|", *lines])


def spread(values: list[float], unit: str) -> str:
    """The median, the 95th percentile and the most, as text."""
    if not values:
        return "none"
    p50, digits = statistics.median(values), 0 if unit == "ms" else 1
    marks = (p50, percentile(values, 95), max(values))
    return ", ".join(f"{each:.{digits}f}" for each in marks) + f" {unit}"


def _memory(early: Held, late: Held) -> str:
    share = late.memory / early.memory - 1
    return f"{early.memory / 2**20:.0f}, {late.memory / 2**20:.0f} MiB ({share:+.1%})"


def _held(held: Held) -> str:
    return f"{held.processes}, {held.threads}, {held.files}"


def number_within(least: float, most: float) -> Any:
    """A type of argparse: a number in this range."""

    def number(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from {least:g} to {most:g}")
        return int(value) if value == int(value) else value

    return number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=number_within(1, MOST_CLIENTS), default=50)
    parser.add_argument("--minutes", type=number_within(0.05, MOST_MINUTES), default=5)
    parser.add_argument("--workers", type=number_within(0, 64), default=0, help="of the server")
    parser.add_argument(
        "--runs", type=number_within(1, MOST_RUNS), default=500, help="all together"
    )
    parser.add_argument("--steps", type=number_within(1, 1000), default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", help="write what was seen here")
    args = parser.parse_args()
    flags = ["--device", "cpu", "--kept-runs", str(KEPT)]
    flags += ["--workers", str(args.workers)] if args.workers else []
    seen = Seen()
    with own_server(*flags) as server:
        asyncio.run(visit(server, args, seen))
        log = server.log
    faults = judge(seen, log, args.workers)
    print(table(seen, args))
    if args.json:
        with open(args.json, "w") as file:
            json.dump(asdict(seen), file)
    for fault, times in Counter(faults).most_common(20):
        print(f"{times} x {fault}")
    print("no fault" if not faults else f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
