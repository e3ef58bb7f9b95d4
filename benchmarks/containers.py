"""Whether any permitted run kills the process: `python -m benchmarks.containers --gib 2`.

Starts the engine in a control group of so much memory (Linux, as root) and gives it seeded random
settings of the kind that the page permits: lanes, steps, sizes, batches, guidance, start pictures.
Each is refused with a sentence, or runs, whole or in parts; what takes long is stopped after
`--seconds`, by when its first calls have had their peak. A process that the kernel kills is a
failure and ends the command with status 1. Large calls that do not stop in time are counted apart.
"""

import argparse
import json
import os
import random
import select
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PATIENCE_S = 90  # beyond a run's seconds, for a call that is under way
START_S = 300
SAMPLERS = ("dpm2", "dpm2_a", "euler", "heun", "dpmpp_2m", "ddim")
JOIN = "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); " + (
    "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
)


def random_settings(rng: random.Random) -> dict:
    """Settings that the page permits, as `RunSettings.to_dict` has them."""
    side = [64 * rng.choice((1, 2, 4, 8, 12, 16, 24, 32)) for _ in range(2)]
    run = {
        "prompt": "a red boat at sunset",
        "seed": rng.randrange(1000),
        "steps": rng.choice((1, 2, 5, 20, 100, 1000)),
        "width": side[0],
        "height": side[1],
        "batch_size": rng.choice((1, 1, 2, 4, 8, 16)),
        "cfg_scale": rng.choice((1.0, 3.0, 7.0)),
        "lanes": [{"sampler": rng.choice(SAMPLERS)} for _ in range(rng.randint(1, 6))],
    }
    if rng.random() < 0.2:
        run |= {"init_image": _start_picture(), "strength": 1.0}
    return run


def _start_picture() -> str:
    from PIL import Image

    from explorer.pictures import picture_url

    return picture_url(Image.new("RGB", (64, 64), "red"))


@contextmanager
def container(gib: float) -> Iterator[Path]:
    """A control group of so much memory; yields the file that takes its processes' numbers."""
    first = (CGROUPS / "memory.max").exists() or (CGROUPS / "cgroup.controllers").exists()
    base, limit = (
        (CGROUPS, "memory.max") if first else (CGROUPS / "memory", "memory.limit_in_bytes")
    )
    group = base / f"sampler-explorer-{os.getpid()}"
    try:
        group.mkdir()
        (group / limit).write_text(str(int(gib * 2**30)))
    except OSError as error:
        raise SystemExit(f"No control group can be made here ({error.strerror}).") from None
    try:
        yield group / "cgroup.procs"
    finally:
        for _ in range(50):
            try:
                group.rmdir()
                break
            except OSError:  # its last process is still going
                time.sleep(0.1)


class Worker:
    """The engine in a process of its own; `run` gives what became of one run."""

    def __init__(self, members: Path, seconds: float):
        self._seconds = seconds
        command = [sys.executable, "-c", JOIN, str(members), "-m", "benchmarks.containers"]
        self._process = subprocess.Popen(
            [*command, "--worker", "--seconds", str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if self._line(START_S) is None:
            raise SystemExit(f"The engine did not start: status {self._process.poll()}.")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def run(self, settings: dict) -> tuple[str, str]:
        """State and message: as the run's last event, "killed" by the kernel, or "slow"."""
        self._process.stdin.write(json.dumps(settings) + "\n")
        self._process.stdin.flush()
        line = self._line(self._seconds + PATIENCE_S)
        if line is not None:
            told = json.loads(line)
            return told["state"], told["message"]
        if self.alive:
            self.close()
            return "slow", ""
        return "killed", f"status {self._process.wait()}"

    def _line(self, seconds: float) -> str | None:
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        return (self._process.stdout.readline() or None) if ready else None

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def work(seconds: float) -> None:
    """The worker's side: settings come in as lines of JSON, and what became of them goes out."""
    from explorer.engine import Engine
    from explorer.settings import RunSettings

    engine = Engine()
    engine.load()
    engine.model().measure_memory()
    print("ready", flush=True)
    for line in sys.stdin:
        settings, cancel = RunSettings.from_dict(json.loads(line)), threading.Event()
        timer = threading.Timer(seconds, cancel.set)
        timer.start()
        *_, last = engine.stream(settings, cancel=cancel)
        timer.cancel()
        print(json.dumps({"state": last.state, "message": last.message}), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gib", type=float, default=2.0)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10.0, help="after which a run is stopped")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.seconds)
        return 0
    rng, ends = random.Random(args.seed), Counter()
    with container(args.gib) as members:
        worker = Worker(members, args.seconds)
        for number in range(args.runs):
            settings = random_settings(rng)
            state, message = worker.run(settings)
            refused = (state == "error" and "needs" in message) or "would take" in message
            ends["refused with the numbers" if refused else state] += 1
            if state in ("killed", "error") and not refused:
                shown = {key: value for key, value in settings.items() if key != "init_image"}
                print(f"run {number}: {state}: {message} {shown}", flush=True)
            if not worker.alive:
                worker = Worker(members, args.seconds)
        worker.close()
    print(f"{args.gib:g} GiB, seed {args.seed}: " + ", ".join(f"{n} {k}" for k, n in ends.items()))
    return 1 if ends["killed"] or ends["error"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
