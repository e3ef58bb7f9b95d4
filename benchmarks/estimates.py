"""How honest the first estimate of a run is: `python -m benchmarks.estimates`.

A first process loads the bundled model and measures its parts. Then every run of a grid of settings
has a process of its own, in which nothing ran before and which knows what the first one measured:
it loads the model, is told how long the run will take, and measures how long it takes to the last
event. Prints a table for docs/measured.md, and how many estimates were within 1.5. Needs
an idle machine; with `--tries` the quickest of several processes counts for each of the two.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from explorer.settings import LaneSettings, RunSettings

WITHIN = 1.5
SAMPLERS = ("dpm2", "dpm2_a", "euler", "heun", "dpmpp_2m", "dpmpp_sde")
GRID: tuple[dict[str, Any], ...] = (
    {"steps": 5},
    {"steps": 20},
    {"steps": 100},
    {"steps": 20, "cfg_scale": 1.0},
    {"steps": 5, "lanes": 1},
    {"steps": 20, "lanes": 1, "cfg_scale": 1.0},
    {"steps": 20, "lanes": 3},
    {"steps": 20, "lanes": 6},
    {"steps": 100, "lanes": 6},
    {"steps": 20, "batch_size": 4},
    {"steps": 10, "batch_size": 4, "lanes": 6},
    {"steps": 5, "side": 64, "lanes": 1},
    {"steps": 20, "side": 64, "batch_size": 4},
    {"steps": 100, "side": 64, "lanes": 6},
    {"steps": 5, "side": 256},
    {"steps": 20, "side": 256},
    {"steps": 20, "side": 256, "cfg_scale": 1.0, "batch_size": 2},
    {"steps": 10, "side": 256, "lanes": 6},
    {"steps": 5, "side": 512, "lanes": 1, "cfg_scale": 1.0},
    {"steps": 5, "side": 512},
    {"steps": 20, "side": 512},
    {"steps": 5, "side": 512, "batch_size": 4},
    {"steps": 20, "preview_decoder": "approx"},
    {"steps": 20, "preview_decoder": "full"},
)


def settings_of(case: dict[str, Any]) -> RunSettings:
    """A case of the grid as settings; two lanes with CFG, unless it says otherwise."""
    fields = {"cfg_scale": 3.0, **case}
    lanes, side = fields.pop("lanes", 2), fields.pop("side", 0)
    kinds = [LaneSettings(sampler=SAMPLERS[at]) for at in range(lanes)]
    prompt = "a red sailboat on the sea"
    return RunSettings(prompt=prompt, width=side, height=side, lanes=tuple(kinds), **fields)


def measured(device: str | None, paces: Path) -> None:
    """In this process: load the model, and keep what was measured of it."""
    from explorer.engine import Engine
    from explorer.runs.kept_paces import KeptPaces

    Engine(device=device, paces=KeptPaces(paces)).load()


def one(case: dict[str, Any], device: str | None, paces: Path) -> dict[str, Any]:
    """In this process: the estimate, and the seconds that the run takes."""
    from explorer.engine import Engine
    from explorer.runs.kept_paces import KeptPaces

    with tempfile.TemporaryDirectory() as folder:
        own = shutil.copy(paces, folder)  # what this run teaches is not for the next
        engine = Engine(device=device, paces=KeptPaces(Path(own)))
        engine.load()
        settings = settings_of(case)
        estimate = engine.estimate(settings)
        began = time.perf_counter()
        events = list(engine.stream(settings))
        seconds = time.perf_counter() - began
    return {"estimate": estimate.seconds, "seconds": seconds, "state": events[-1].state}


def in_a_process(device: str | None, paces: Path, *flags: str) -> str:
    """What this command says in a new process with these flags."""
    command = [sys.executable, "-m", "benchmarks.estimates", "--paces", str(paces), *flags]
    command += ["--device", device] if device else []
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def rows(
    device: str | None, tries: int, cases: tuple[dict[str, Any], ...]
) -> Iterator[tuple[dict[str, Any], float, float]]:
    """Each case with its estimated and its measured seconds."""
    with tempfile.TemporaryDirectory() as folder:
        paces = Path(folder) / "paces.json"
        in_a_process(device, paces, "--measure")
        for case in cases:
            told = [in_a_process(device, paces, "--case", json.dumps(case)) for _ in range(tries)]
            results = [json.loads(each.splitlines()[-1]) for each in told]
            yield (
                case,
                min(result["estimate"] for result in results),
                min(result["seconds"] for result in results),
            )


def words(case: dict[str, Any]) -> str:
    """A case as the cells of a row: steps, lanes, pixels, pictures a lane, CFG, previews."""
    settings = settings_of(case)
    cells = settings.steps, len(settings.lanes), settings.width or 128, settings.batch_size
    return " | ".join(map(str, (*cells, f"{settings.cfg_scale:g}", settings.preview_decoder)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device")
    parser.add_argument("--tries", type=int, default=1)
    every = range(1, len(GRID) + 1)
    parser.add_argument("--rows", type=int, nargs="+", choices=every, metavar="N", default=every)
    parser.add_argument("--paces", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measured(options.device, options.paces)
        return
    if options.case:
        print(json.dumps(one(json.loads(options.case), options.device, options.paces)))
        return
    print("| steps | lanes | px | pictures | CFG | previews | estimate | took | factor |")
    print("|---|---|---|---|---|---|---|---|---|")
    factors = []
    cases = tuple(GRID[row - 1] for row in options.rows)
    for case, estimate, seconds in rows(options.device, options.tries, cases):
        factors.append(max(estimate / seconds, seconds / estimate))
        factor = f"{estimate / seconds:.2f}"
        print(f"| {words(case)} | {estimate:.1f} s | {seconds:.1f} s | {factor} |", flush=True)
    good = sum(factor <= WITHIN for factor in factors)
    load = os.getloadavg()[1]
    print(f"\n{good} of {len(factors)} within {WITHIN}; worst {max(factors):.2f}; load {load:.1f}")


if __name__ == "__main__":
    main()
