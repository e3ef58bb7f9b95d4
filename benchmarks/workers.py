"""Runs a minute by one worker process and by several, in alternating rounds.

    python -m benchmarks.workers --devices cuda:0,cuda:1 --model sd15 --runs 20
    python -m benchmarks.workers --devices cpu,cpu --runs 20

All runs are asked for at once, and wait in the one queue. Each worker has its model in memory, and
has made a run before. `sd15` and `sdxl` are of real size with random weights.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from explorer.hosting.workers.border_engine import BorderEngine
from explorer.hosting.workers.starting import engine_on_workers
from explorer.runs.events import Finished
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.limits import LIMITS

LANES = LaneSettings(), LaneSettings(sampler="dpm2_a")


async def last_event(engine: BorderEngine, settings: RunSettings) -> None:
    """Follow a run to its end, which must be a finished one."""
    event = [each async for each in engine.astream(settings)][-1]
    if not isinstance(event, Finished):
        raise SystemExit(f"A run did not finish: {event.message}")


async def serve(engine: BorderEngine, settings: RunSettings, runs: int) -> float:
    """The seconds in which so many runs are served that are asked for at once."""
    before = time.perf_counter()
    seeds = range(runs)
    await asyncio.gather(*(last_event(engine, replace(settings, seed=seed)) for seed in seeds))
    return time.perf_counter() - before


def started(model: str, devices: list[str], settings: RunSettings) -> BorderEngine:
    """An engine whose workers are ready, each after a run."""
    limits = replace(LIMITS, waiting_runs=10_000)
    engine = engine_on_workers({"model": model}, devices, limits)
    engine.start()
    engine.load_everywhere()
    asyncio.run(serve(engine, settings, 2 * len(devices)))
    return engine


def saved(name: str, folder: Path, device: str) -> str:
    """The model to run; one of random weights is made in a process of its own."""
    if name not in ("sd15", "sdxl"):
        return name
    from benchmarks import random_models

    make = {"sd15": random_models.save_sd15, "sdxl": random_models.save_sdxl}[name]
    process = multiprocessing.get_context("spawn").Process(target=make, args=(folder, device))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"The model {name} could not be made.")
    return str(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", default="cpu,cpu", help="one for each worker")
    parser.add_argument("--model", default="bundled", help="bundled, a folder, sd15 or sdxl")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    devices = options.devices.split(",")
    settings = RunSettings(prompt="a red boat", steps=options.steps, lanes=LANES)
    with tempfile.TemporaryDirectory() as folder:
        model = saved(options.model, Path(folder) / options.model, devices[0])
        engines = [started(model, each, settings) for each in (devices[:1], devices)]
        took: list[list[float]] = [[], []]
        for at in range(options.rounds + 1):
            for engine, seconds in zip(engines, took, strict=True):
                passed = asyncio.run(serve(engine, settings, options.runs))
                if at:  # the first round, right after the start, was seen to be seven times slower
                    seconds.append(passed)
    one, several = (statistics.median(seconds) for seconds in took)
    threads = [[each.learned.threads for each in engine.backends] for engine in engines]
    print(f"seconds of each round {took}, CPU threads {threads}")
    print(f"{options.model}, {options.runs} runs of two lanes and {options.steps} steps, medians")
    print("| workers | seconds | runs a minute |\n|---|---|---|")
    for names, seconds in ((devices[:1], one), (devices, several)):
        print(f"| {', '.join(names)} | {seconds:.1f} | {60 * options.runs / seconds:.1f} |")
    print(f"{one / several:.2f} times the runs of one")
    for engine in engines:
        engine.close(10.0)


if __name__ == "__main__":
    main()
