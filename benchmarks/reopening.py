"""What opening runs of the history costs a page: `python -m benchmarks.reopening`.

The bundled model makes `--runs` runs of two lanes of `--steps` steps. A new page then opens them
one after the other: prints how long each takes from the click to the picture, and the memory of the
tab's process before, at most meanwhile, and after a garbage collection: resident, the browser's
program included, and what only this process holds, which is the goal's.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from benchmarks.scrub import collect, opened
from explorer import ui
from explorer.engine import Engine
from explorer.hosting.run_store import RunStore
from explorer.records import RecordedRun
from explorer.settings import LaneSettings, RunSettings

GOAL_MS, GOAL_MB = 300.0, 200.0
LANES = (LaneSettings(), LaneSettings(sampler="dpm2_a"))

OPEN = """async (at) => {
    const viewer = document.querySelector(".viewer");
    const began = performance.now();
    document.querySelectorAll(".past-run")[at].click();
    while (!viewer.hasAttribute("data-fetching")) await new Promise(requestAnimationFrame);
    while (viewer.hasAttribute("data-fetching")) await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame); // the picture is drawn in the next frame
    return performance.now() - began;
}"""


def make_runs(engine: Engine, store: RunStore, count: int, steps: int) -> None:
    """Run and keep; each run has a seed of its own."""
    for seed in range(count):
        settings = RunSettings(prompt="a red sailboat", seed=seed, steps=steps, lanes=LANES)
        *_, ended = engine.stream(settings)
        store.keep(RecordedRun.of(ended.trajectories, ended.frames, ended.images), "")


def measure(url: str, count: int) -> tuple[list[float], float]:
    """The milliseconds of each opening, and the tab's memory after all of them in megabytes."""
    with opened(url) as (page, tab):
        page.wait_for_function(f"document.querySelectorAll('.past-run').length === {count}")
        print(f"page at rest: {tab.megabytes:.0f} MB, {tab.own_megabytes:.0f} of its own")
        taken = []
        with tab.watched() as most:
            for at in range(count):
                taken.append(page.evaluate(OPEN, at))
                page.wait_for_timeout(500)
        collect(page)
        after = tab.own_megabytes
        print("opened in " + ", ".join(f"{each:.0f}" for each in taken) + " ms")
        print(
            f"memory: at most {most[0]:.0f} MB, after a garbage collection {tab.megabytes:.0f} MB, "
            f"{after:.0f} of its own"
        )
    return taken, after


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    engine = Engine()
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder))
        make_runs(engine, store, options.runs, options.steps)
        app = ui.build(engine, store=store)
        _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
        taken, after = measure(url, options.runs)
        app.close(verbose=False)
    return int(statistics.median(taken) > GOAL_MS or after > GOAL_MB)


if __name__ == "__main__":
    raise SystemExit(main())
