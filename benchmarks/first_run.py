"""What the first run after loading waits for: `python -m benchmarks.first_run --model sdxl`.

Two processes after each other, with one empty folder for kernels: the first one compiles them, the
second one finds them on disk. Each loads the model, which is of real size and has random weights,
and runs two lanes three times. Prints seconds of loading (and of its parts), and of each run; the
last column is what the first run took longer than the last, whose goal is 2 s.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.random_models import SAVERS
from explorer.engine import Engine
from explorer.settings import RunSettings

RUNS = 3
GOAL_S = 2.0


class Parts:
    """How long loading has told of each of its parts."""

    def __init__(self, engine: Engine):
        self.seconds: dict[str, float] = {}
        self._since, self._words = time.perf_counter(), ""
        models = engine._models
        told = models.on_progress

        def tell(words: str, fraction: float | None = None) -> None:
            self.end(words)
            told(words, fraction)

        models.on_progress = tell

    def end(self, words: str = "") -> None:
        now = time.perf_counter()
        name = " ".join(self._words.split()[:2])
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since, self._words = now, words


def measure(folder: str, device: str) -> dict:
    """Seconds of loading and of each run, in this process."""
    engine = Engine(folder, device)
    parts = Parts(engine)
    start = time.perf_counter()
    engine.load()
    parts.end()
    seconds = {"loading": time.perf_counter() - start, "runs": []}
    for seed in range(RUNS):
        start = time.perf_counter()
        *_, last = engine.stream(RunSettings(prompt="a red boat", seed=seed))
        if last.state != "done":
            raise RuntimeError(last.message)
        seconds["runs"].append(time.perf_counter() - start)
    return seconds | {"parts": {name: each for name, each in parts.seconds.items() if each > 0.05}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="sd15", help=f"{', '.join(SAVERS)}, or a folder")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(measure(args.model, args.device)))
        return 0
    worst = 0.0
    with tempfile.TemporaryDirectory() as kernels, tempfile.TemporaryDirectory() as folder:
        model = args.model
        if args.model in SAVERS:
            model = str(SAVERS[args.model](Path(folder), args.device))
        for process in ("nothing compiled", "kernels on disk"):
            found = _in_process(model, args.device, kernels)
            runs = found["runs"]
            worst = max(worst, runs[0] - runs[-1])
            listed = ", ".join(f"{each:.2f}" for each in runs)
            print(
                f"{args.model}, {process}: loaded in {found['loading']:.1f} s, runs {listed} s, "
                f"first - last {runs[0] - runs[-1]:.2f} s"
            )
            parts = (f"{name} {each:.1f} s" for name, each in found["parts"].items())
            print(f"  {', '.join(parts)}", flush=True)
    return int(worst > GOAL_S)


def _in_process(model: str, device: str, kernels: str) -> dict:
    command = [sys.executable, "-m", "benchmarks.first_run", "--child"]
    done = subprocess.run(
        [*command, "--model", model, "--device", device],
        env=os.environ | {"TRITON_CACHE_DIR": kernels},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    raise SystemExit(main())
