"""What taking a run away costs: `python -m benchmarks.exports`.

Two lanes of 39 calls at 128 px of the bundled model are run and saved; then their .zip, their page
and their animation are made, a few rounds each, reading the saved run included. CPU seconds do not
depend on what else the machine does.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from explorer.engine import Engine
from explorer.records import RecordedRun, open_run
from explorer.records.exports.animation import can_write_mp4, write_mp4, write_webp
from explorer.records.exports.film import film_of
from explorer.records.exports.web_page import web_page
from explorer.records.zip_file import write_zip
from explorer.runs.events import Finished
from explorer.settings import RunSettings

ROUNDS = 5
GOAL_S, MOST_BYTES = 3.0, 3e6  # of the three together, and of the page


def measured(work: Callable[[], int]) -> tuple[float, float, int]:
    """The least wall and CPU seconds of a few rounds, and what the work returns: bytes."""
    walls, cpus, size = [], [], 0
    for _ in range(ROUNDS):
        wall, cpu = time.perf_counter(), time.process_time()
        size = work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus), size


def zipped(run: RecordedRun) -> int:
    file = io.BytesIO()
    write_zip(run, file)
    return file.tell()


def filmed(run: RecordedRun, folder: Path) -> int:
    path = folder / "film.mp4"
    write_mp4(film_of(run), path, lambda done, count: None)
    return path.stat().st_size


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    settings = RunSettings(prompt="a red boat at sunset", steps=20, cfg_scale=3)
    (event,) = [each for each in Engine().stream(settings) if isinstance(each, Finished)]
    run = RecordedRun.of(event.trajectories, event.frames, event.images)
    with tempfile.TemporaryDirectory() as folder:
        path = run.save(Path(folder) / "run")
        works: dict[str, Callable[[], int]] = {
            "zip": lambda: zipped(open_run(path)),
            "html": lambda: len(web_page(open_run(path))),
            "webp": lambda: len(write_webp(film_of(open_run(path)), lambda done, count: None)),
        }
        results = {name: measured(work) for name, work in works.items()}
        if can_write_mp4():
            results["mp4"] = measured(lambda: filmed(open_run(path), Path(folder)))
    for name, (wall, cpu, size) in results.items():
        print(f"{name}: {wall:.2f} s, of a CPU {cpu:.2f} s, {size / 1e6:.2f} MB")
    wall, cpu = (sum(results[name][at] for name in works) for at in (0, 1))
    print(f"zip, html and webp: {wall:.2f} s, of a CPU {cpu:.2f} s (goal: {GOAL_S:g} s)")
    if cpu > GOAL_S or results["html"][2] > MOST_BYTES:
        raise SystemExit("That is more than the goal.")


if __name__ == "__main__":
    main()
