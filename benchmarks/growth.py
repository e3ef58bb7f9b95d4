"""How a run's time grows with lanes, steps and size: `python -m benchmarks.growth`.

Each point is the median of a few runs of `engine.run` after one to warm up: every call recorded,
pictures decoded. `--json` keeps the points; benchmarks.picture draws them.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.random_models import save_sd15
from benchmarks.runs import Runs
from explorer.engine import BUNDLED

LANES = (1, 2, 4, 8, 16)
STEPS = (5, 10, 20, 50, 100)
SIZES = {"cuda": (256, 512, 768, 1024), "cpu": (64, 128, 192, 256)}


def points(runs: Runs, kind: str, repeats: int) -> dict[str, list[dict[str, float]]]:
    """Seconds for lanes, steps and sizes; all but one at the runs' own settings and two lanes."""

    def seconds(lanes: int = 2, **settings) -> float:
        runs.seconds(lambda: runs.run_lanes(runs.engine, lanes, **settings))  # to warm up
        taken = statistics.median(
            runs.seconds(lambda: runs.run_lanes(runs.engine, lanes, **settings))
            for _ in range(repeats)
        )
        print(f"{lanes} lanes, {settings}: {taken:.3f} s", file=sys.stderr)
        return taken

    return {
        "lanes": [{"lanes": n, "seconds": seconds(n)} for n in LANES],
        "steps": [{"steps": n, "seconds": seconds(steps=n)} for n in STEPS],
        "size": [{"size": n, "seconds": seconds(width=n, height=n)} for n in SIZES[kind]],
    }


def table(name: str, rows: list[dict[str, float]]) -> str:
    """The points of one axis as a table in Markdown."""
    head = f"| {name} | " + " | ".join(f"{row[name]}" for row in rows) + " |"
    line = "|---" * (len(rows) + 1) + "|"
    seconds = "| seconds | " + " | ".join(f"{row['seconds']:.2f}" for row in rows) + " |"
    return "\n".join((head, line, seconds))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", help="folder of a pipeline, or sd15 (default as in lanes)")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg-scale", type=float, default=7.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the points here")
    args = parser.parse_args()
    kind = args.device.partition(":")[0]
    model = args.model or ("sd15" if kind == "cuda" else str(BUNDLED))

    with tempfile.TemporaryDirectory() as folder:
        try:
            path = save_sd15(Path(folder), args.device) if model == "sd15" else Path(model)
            runs = Runs(path, args.device, args.steps, args.cfg_scale)
            found = points(runs, kind, args.repeats)
            found["machine"] = runs.describe()
            if kind == "cuda":
                found["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
        except Exception as error:
            print(f"It could not be measured: {type(error).__name__}: {error}", file=sys.stderr)
            return 1
    print(found["machine"])
    for name in ("lanes", "steps", "size"):
        print(f"\n{table(name, found[name])}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
