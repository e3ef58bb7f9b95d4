"""The page while many runs wait: `python -m benchmarks.waiting --waiting 66 --workers 1`.

Starts a server of its own with the bundled model. One page more than runs are to wait presses Run,
and again whenever its run has ended, so that as many always wait. Meanwhile another process asks
for what needs no model (as benchmarks/load.py does), and headless Chromium opens the page a few
times. Nobody may be overtaken, and each page must see its place change.

Prints a table for docs/measured.md, with the load of the machine, and exits with 1 for: a slow
answer where runs are in a worker's process (`--workers`), a page of Chromium that opens late, a run
that was overtaken or ended with an error, a place that stood still while runs ended, a traceback in
the log.
"""

import argparse
import asyncio
import multiprocessing
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

from benchmarks.load import P95_MS, number_within, percentile, probe, spread
from benchmarks.own_server import OwnServer, children, own_server
from benchmarks.page_client import Followed, Layout, PageClient, layout_of, overtaken

OPENS_S, VISITS = 10.0, 3  # of Chromium's page: the goal, and how often it is opened
PATIENCE_S = 60.0
STANDS_S = 3.0  # how much longer a place may stand still than no run has ended
STEPS = 20
MOST_WAITING, MOST_SECONDS = 500, 3600
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Seen:
    """The runs, the milliseconds of answers by their kind, the seconds until Chromium's page could
    be used; of a core the shares that the page's process and its children used; the load."""

    runs: list[Followed] = field(default_factory=list)
    answers: dict[str, list[float]] = field(default_factory=dict)
    opened: list[float] = field(default_factory=list)
    cores: tuple[float, float] = 0.0, 0.0
    seconds: float = 0.0
    load: float = 0.0
    faults: list[str] = field(default_factory=list)


# --- what is done ---------------------------------------------------------------------------------


class Crowd:
    """Pages that run again and again until they are told to leave."""

    def __init__(self, http: httpx.AsyncClient, layout: Layout, seen: Seen, steps: int):
        self._http, self._layout, self._seen, self._steps = http, layout, seen, steps
        self._pages: dict[int, PageClient] = {}
        self._tasks: list[asyncio.Task] = []

    def come(self, count: int) -> None:
        """So many pages press Run."""
        self._tasks = [asyncio.create_task(self._page(number)) for number in range(count)]

    @property
    def waiting(self) -> int:
        """The number of pages that were told a place."""
        newest = [page.newest for page in self._pages.values()]
        return sum(bool(run and run.places and not run.began) for run in newest)

    async def leave(self) -> None:
        """All pages go away from their runs, which are among those that were seen."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for page in self._pages.values():
            if page.newest and not page.newest.end:
                page.newest.end, page.newest.ended = "left", time.monotonic()
                self._seen.runs.append(page.newest)

    async def _page(self, number: int) -> None:
        page = self._pages[number] = PageClient(self._http, self._layout, number)
        while True:
            try:
                self._seen.runs.append(await page.run(steps=self._steps))
            except httpx.HTTPError as error:
                self._seen.faults.append(f"a page ended with {type(error).__name__}: {error}")
                return


async def visit(server: OwnServer, args: Any, seen: Seen) -> None:
    """The crowd comes, questions are asked while it waits, the crowd leaves."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=server.url, timeout=PATIENCE_S, limits=limits, trust_env=False
    ) as http:
        layout = await layout_of(http)
        await PageClient(http, layout, MOST_WAITING).run(steps=args.steps)  # loads the model
        crowd = Crowd(http, layout, seen, args.steps)
        crowd.come(args.waiting + max(1, args.workers))
        until = time.monotonic() + PATIENCE_S
        while crowd.waiting < args.waiting - args.workers:  # some are just between two runs
            await asyncio.sleep(0.1)
            if time.monotonic() > until:
                seen.faults.append(f"{crowd.waiting} runs wait after {PATIENCE_S:.0f} s")
                break
        await ask(server, args, seen)
        await crowd.leave()


async def ask(server: OwnServer, args: Any, seen: Seen) -> None:
    """Ask for the page and what it asks for, first alone, then while Chromium opens it too."""
    spawned = multiprocessing.get_context("spawn")
    ends, told = spawned.Event(), spawned.Queue()
    beside = spawned.Process(target=probe, args=(server.url, ends, told), daemon=True)
    beside.start()
    start, before = time.monotonic(), computed(server)
    await asyncio.sleep(args.seconds)
    seen.seconds, after = time.monotonic() - start, computed(server)
    own, theirs = ((b - a) / seen.seconds for a, b in zip(before, after, strict=True))
    seen.cores, seen.load = (own, theirs), os.getloadavg()[0]
    ends.set()
    seen.answers = await asyncio.to_thread(told.get, True, 10 * PATIENCE_S)
    beside.join()
    for _ in range(args.visits):
        seen.opened.append(await asyncio.to_thread(open_page, server.url))


def computed(server: OwnServer) -> tuple[float, float]:
    """The seconds that the server's own process has computed, and those that it has begun."""

    def seconds(pid: int) -> float:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / TICKS

    return seconds(server.process.pid), sum(map(seconds, children(server.process.pid)))


def open_page(url: str) -> float:
    """The seconds until a new visitor's page in Chromium can be used; infinite if it cannot be."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page()
        start = time.monotonic()
        try:
            page.goto(url, timeout=1000 * PATIENCE_S)
            for part in ("#stop[aria-disabled=true]", "#plot .nsewdrag"):
                page.wait_for_selector(part, timeout=1000 * PATIENCE_S)
            return time.monotonic() - start
        except Error:
            return float("inf")
        finally:
            browser.close()


# --- what came of it ------------------------------------------------------------------------------


def judge(seen: Seen, log: str, workers: int) -> list[str]:
    """What is wrong, each a sentence."""
    faults = [*seen.faults, *(word for run in seen.runs for word in run.wrong)]
    errors = [run for run in seen.runs if run.end not in ("done", "left")]
    faults += [f"a run ended with {run.end or 'nothing'}: {run.message}" for run in errors]
    faults += ["a run was overtaken"] * len(overtaken(seen.runs))
    for trace in log.split("Traceback (most recent call last)")[1:]:
        faults.append(f"a traceback: {trace[-400:]}")
    for kind, taken in seen.answers.items():
        if workers and (p95 := percentile(taken, 95)) > P95_MS:
            faults.append(f"p95 of {kind} is {p95:.0f} ms")
    faults += [f"a page opened in {each:.1f} s" for each in seen.opened if each > OPENS_S]
    if (stood := max(standing(seen.runs), default=0.0)) > (most := idle(seen.runs)) + STANDS_S:
        faults.append(f"a place stood for {stood:.1f} s, but a run ended every {most:.1f} s")
    return faults


def standing(runs: list[Followed]) -> Iterator[float]:
    """For each time that a waiting run's place was told to be the same, the seconds until it
    changed, the run began or its page left."""
    for run in runs:
        if not run.places:
            continue
        told = zip(run.places_at, run.places, strict=True)
        changes = [at for at, _ in _first_of_each(told)]
        yield from (later - at for at, later in pairwise([*changes, run.began or run.ended]))


def _first_of_each(told: Iterator[tuple[float, int]]) -> Iterator[tuple[float, int]]:
    last = None
    for at, place in told:
        if place != last:
            yield at, place
        last = place


def idle(runs: list[Followed]) -> float:
    """The longest time in seconds in which none of the runs ended, from the first of them on."""
    ends = sorted([min(run.sent for run in runs), *(run.ended for run in runs)])
    return max(later - end for end, later in pairwise(ends))


def table(seen: Seen, args: Any) -> str:
    """What was seen, in Markdown."""
    ends = Counter(run.end or "nothing" for run in seen.runs)
    # Pages count as soon as they read what their run tells, which not all do in order.
    rose = sum(run.places != sorted(run.places, reverse=True) for run in seen.runs)
    rows = [
        ("waiting, workers, seconds", f"{args.waiting}, {args.workers}, {seen.seconds:.0f}"),
        ("runs", ", ".join(f"{count} {end}" for end, count in ends.items())),
        ("runs overtaken", len(overtaken(seen.runs))),
        ("told a later place than before, where runs came at the same time", rose),
        ("a place stood still, p50, p95, most", spread(list(standing(seen.runs)), "s")),
    ]
    for kind, taken in seen.answers.items():
        rows.append((f"{kind} p50, p95, most ({len(taken)})", spread(taken, "ms")))
    rows += [
        ("Chromium's page", ", ".join(f"{each:.1f}" for each in seen.opened) + " s"),
        ("cores used by the page's process, by workers", "{:.2f}, {:.2f}".format(*seen.cores)),
        ("load of the machine", f"{seen.load:.1f}"),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--waiting", type=number_within(1, MOST_WAITING), default=66)
    parser.add_argument("--workers", type=number_within(0, 64), default=0, help="of the server")
    parser.add_argument("--seconds", type=number_within(1, MOST_SECONDS), default=60)
    parser.add_argument("--steps", type=number_within(1, 1000), default=STEPS)
    parser.add_argument("--visits", type=number_within(0, 100), default=VISITS, help="in Chromium")
    args = parser.parse_args()
    flags = ["--device", "cpu", "--waiting-runs", str(args.waiting + args.workers)]
    flags += ["--workers", str(args.workers)] if args.workers else []
    seen = Seen()
    with own_server(*flags) as server:
        asyncio.run(visit(server, args, seen))
        log = server.log
    print(table(seen, args))
    faults = judge(seen, log, args.workers)
    for fault, times in Counter(faults).most_common(20):
        print(f"{times} x {fault}")
    print("no fault" if not faults else f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
