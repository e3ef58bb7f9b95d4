"""What the history costs: `python -m benchmarks.history`.

Two lanes of 39 calls at 128 px, made by hand, are kept, listed among ten thousand and opened. No
model is needed.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from explorer.capture.frames import LaneFrames
from explorer.capture.trajectory import Call, Trajectory
from explorer.records import RecordedRun, history, open_run
from explorer.records.history_listing import Listing
from explorer.records.run import new_run_id
from explorer.settings import LaneSettings, RunSettings

CALLS, SIDE, LATENT = 39, 128, (1, 4, 16, 16)
ROUNDS = 5


def made_run() -> RecordedRun:
    """A run of noise, which compresses as badly as real latents do."""
    rng = np.random.default_rng(0)
    settings = RunSettings(
        prompt="a red boat at sunset", lanes=(LaneSettings(), LaneSettings(sampler="dpm2_a"))
    )

    def call(index: int) -> Call:
        arrays = rng.standard_normal((2, *LATENT)).astype(np.float32)
        place = {"index": index, "step": index // 2, "stage": "midpoint" if index % 2 else "step"}
        level = {"sigma": 14.6 / (index + 1), "timestep": 999.0 - index}
        return Call.of(latent=arrays[0], denoised=arrays[1], **place, **level)

    def pixels(count: int) -> np.ndarray:
        return rng.integers(0, 256, (count, SIDE, SIDE, 3)).astype(np.uint8)

    lanes = [
        Trajectory(
            settings=settings.to_dict(),
            lane=lane,
            label=settings.lanes[lane].label,
            calls=tuple(map(call, range(CALLS))),
            final=rng.standard_normal(LATENT).astype(np.float32),
            images=pixels(1),
        )
        for lane in range(2)
    ]
    frames = [LaneFrames(denoised=pixels(CALLS), noisy=pixels(CALLS)) for _ in lanes]
    return RecordedRun.of(lanes, frames)


def seconds(work: Callable[[], object]) -> float:
    """The shortest of a few rounds."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    count = parser.parse_args().runs
    root = Path(tempfile.mkdtemp())
    try:
        run, runs = made_run(), history(root)
        began = time.perf_counter()
        entry = runs.add(run).entry
        print(f"keep: {1000 * (time.perf_counter() - began):.0f} ms, {entry.bytes / 1e6:.2f} MB")
        print(f"open: {1000 * seconds(lambda: open_run(runs.folder / entry.id)):.0f} ms")
        manifest = json.loads((runs.folder / entry.id / "run.json").read_text())
        marks = (runs.folder / entry.id / "marks.json").read_bytes()
        for _ in range(count - 1):
            copy = runs.folder / new_run_id()
            copy.mkdir()
            (copy / "run.json").write_text(json.dumps(manifest | {"id": copy.name}, indent=1))
            (copy / "marks.json").write_bytes(marks)
        began = time.perf_counter()
        Listing(runs.folder).entries()
        print(f"list {count:,} that are new: {time.perf_counter() - began:.2f} s")
        print(
            f"list them in a new program: {seconds(lambda: Listing(runs.folder).entries()):.2f} s"
        )
        print(f"list them again: {seconds(runs.entries):.2f} s")
        print(f"search them: {seconds(lambda: runs.entries('boat karras')):.2f} s")
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
