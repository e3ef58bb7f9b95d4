"""What scrubbing costs a browser's tab: `python -m benchmarks.scrub`.

The bundled model runs `--lanes` lanes of `--steps` steps; in place of its frames in full size the
page gets noisy pictures of `--size` pixels. Headless Chromium then shows a new call in every
animation frame, from the first call to the last and back, in every view, and with two lanes
compared. Prints how far apart the frames were, and the memory of the tab's process (resident, as
Linux counts it, the browser's program included): before the run, at most while scrubbing, and after
a garbage collection. Lanes from the third on are DPM2 too.
"""

import argparse
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from explorer import ui
from explorer.capture.full_frames import FullFrame, outwards
from explorer.engine import Engine
from explorer.models.previews import jpeg

GOAL_MB = 400.0
# A view, and how two lanes are compared in it.
SHOWN = (
    ("denoised", "side"),
    ("noisy", "side"),
    ("latent", "side"),
    ("change", "side"),
    ("denoised", "slider"),
    ("denoised", "difference"),
    ("latent", "difference"),
)
PATIENCE_MS = 300_000
POLL_S = 0.02  # between two readings of the memory
BLOCK = 16  # the noise's grain: pictures whose JPEGs are as large as photographs'

ADD_LANE = """() => {
    document.querySelector("#lanes .add").click();
    const sampler = [...document.querySelectorAll("[id$=_sampler] select")].at(-1);
    sampler.value = document.querySelector("#a_sampler select").value;
    sampler.dispatchEvent(new Event("change", { bubbles: true }));
}"""
SCRUB = """async () => {
    const range = document.querySelector(".transport input[type=range]");
    const intervals = [];
    let [large, before] = [0, 0];
    const last = Number(range.max);
    const calls = [...Array(last + 1).keys()];
    for (const call of [...calls, ...calls.reverse()]) {
        range.value = call;
        range.dispatchEvent(new Event("input", { bubbles: true }));
        const now = await new Promise(requestAnimationFrame);
        if (before) intervals.push(now - before);
        before = now;
        await null;
        large += document.querySelector(".pane canvas").width > 128; // the small frames' width
    }
    intervals.sort((a, b) => a - b);
    const at = (share) => intervals[Math.floor(share * (intervals.length - 1))];
    return { p50: at(0.5), p95: at(0.95), frames: intervals.length + 1, large };
}"""


class LargeFrames(Engine):
    """The engine, whose frames in full size are noise of `side` pixels, there at once."""

    side = 0

    def full_frames(self, trajectories, cursor=(), view="denoised", cancel=None) -> Iterator:
        random = np.random.default_rng(0)
        fine = random.integers(0, 64, (self.side, self.side, 3))
        for lane, call, each in outwards([one.nfe for one in trajectories], cursor, view):
            coarse = random.integers(0, 192, (self.side // BLOCK, self.side // BLOCK, 3))
            picture = fine + coarse.repeat(BLOCK, 0).repeat(BLOCK, 1)
            yield FullFrame(lane, call, each, jpeg(picture.astype(np.uint8)))


class Tab:
    """The processes that draw pages of a browser: the memory of the largest one, in megabytes."""

    def __init__(self, browser):
        processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
        ids = [each["id"] for each in processes["processInfo"] if each["type"] == "renderer"]
        self.process = max(ids, key=lambda each: resident(each))

    @property
    def megabytes(self) -> float:
        return resident(self.process)

    @property
    def own_megabytes(self) -> float:
        """What only this process holds, as a browser's task manager counts it: no shared files."""
        text = Path(f"/proc/{self.process}/smaps_rollup").read_text()
        lines = (line.split() for line in text.splitlines() if line.startswith("Private_"))
        return sum(int(line[1]) for line in lines) * 1024 / 1e6

    @contextmanager
    def watched(self) -> Iterator[list[float]]:
        """The largest figure within the block, as a list of one."""
        most, over = [0.0], threading.Event()

        def poll() -> None:
            while not over.wait(POLL_S):
                most[0] = max(most[0], self.megabytes)

        watcher = threading.Thread(target=poll)
        watcher.start()
        try:
            yield most
        finally:
            over.set()
            watcher.join()


def resident(process: int) -> float:
    """The resident memory of a process, in megabytes."""
    text = Path(f"/proc/{process}/status").read_text()
    kilobytes = next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS"))
    return int(kilobytes) * 1024 / 1e6


def collect(page) -> None:
    """Let the tab give back what it can."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.detach()
    time.sleep(2)


@contextmanager
def opened(url: str) -> Iterator[tuple]:
    """A page of the app at rest in a browser of its own, and its tab."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(url)
        page.wait_for_selector("#plot .nsewdrag")
        page.wait_for_function("document.querySelector('#model_card .loading').textContent === ''")
        collect(page)
        yield page, Tab(browser)
        browser.close()


def run_to_end(page, steps: int, lanes: int) -> None:
    """A run of so many lanes, and all its frames in full size on their way to the page."""
    page.fill("#steps input", str(steps))
    for _ in range(2, lanes):
        page.evaluate(ADD_LANE)
    page.wait_for_function(f"document.querySelectorAll('.pane').length === {lanes}")
    page.click("#run")
    page.wait_for_function("samplerExplorer.state === 'done'")
    calls = (2 * steps - 1) * lanes
    page.wait_for_function(f"samplerExplorer.largeFrames.files === {2 * calls}")


def measure(url: str, size: int, steps: int, lanes: int) -> float:
    """Print what scrubbing costs; return the most memory while it goes on."""
    worst = 0.0
    with opened(url) as (page, tab):
        print(f"{size} px: start page {tab.megabytes:.0f} MB", end="", flush=True)
        run_to_end(page, steps, lanes)
        collect(page)
        print(f", after the run {tab.megabytes:.0f} MB")
        for view, mode in SHOWN:
            page.check(f"input[name=view][value={view}]", force=True)
            page.check(f"input[name=compare][value={mode}]", force=True)
            with tab.watched() as most:
                seen = page.evaluate(SCRUB)
            worst = max(worst, most[0])
            print(
                f"  {view}, {mode}: {seen['frames']} frames, p50 {seen['p50']:.1f} ms, "
                f"p95 {seen['p95']:.1f} ms, {seen['large']} of them with a large picture, "
                f"at most {most[0]:.0f} MB"
            )
        collect(page)
        print(f"  after a garbage collection {tab.megabytes:.0f} MB")
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--size", type=int, nargs="*", default=[512, 1024])
    options = parser.parse_args()
    engine = LargeFrames()
    app = ui.build(engine)
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    worst = 0.0
    for size in options.size:
        engine.side = size
        worst = max(worst, measure(url, size, options.steps, options.lanes))
    app.close(verbose=False)
    return int(worst > GOAL_MB)


if __name__ == "__main__":
    raise SystemExit(main())
