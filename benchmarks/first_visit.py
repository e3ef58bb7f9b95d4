"""What a first visitor waits for: `python -m benchmarks.page --first-visit`.

Headless Chromium with an empty cache opens the page. From the moment at which its address begins
to answer: when the recorded example is on the stage, when Run can be used, when the plot is there;
how many requests that took, and how far things jumped, while it loaded and afterwards, when tabs,
the history and findings change. Measure on an idle machine: browser and server share its cores.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

VISITS = 3
GOALS = {  # seconds, and layout shift as browsers score it
    "example on the stage": 1.5,
    "Run usable": 3.5,
    "shift while loading": 0.05,
    "shift afterwards": 0.01,
}
TABS = ("table", "learn", "doctor", "lanes", "schedule")

WATCH = """window.shifts = [];
new PerformanceObserver((list) => {
    for (const { value, hadRecentInput } of list.getEntries())
        if (!hadRecentInput) shifts.push(value);
}).observe({ type: "layout-shift", buffered: true });
const due = {
    "example on the stage": ".viewer[data-example]:not([data-empty], [data-fetching])",
    "Run usable": "#stop[aria-disabled=true]",
    "plot": "#plot .nsewdrag",
};
window.seen = {};
(function look() {
    for (const [name, query] of Object.entries(due))
        if (!(name in seen) && document.querySelector(query)) seen[name] = performance.now();
    if (Object.keys(seen).length < Object.keys(due).length) requestAnimationFrame(look);
})();"""
SEEN = """(() => {
    const { responseStart } = performance.getEntriesByType("navigation")[0];
    return Object.fromEntries(
        Object.entries(seen).map(([name, at]) => [name, (at - responseStart) / 1000]));
})()"""
SHIFT = """new Promise((done) => requestAnimationFrame(() => setTimeout(done, 300)))
    .then(() => shifts.splice(0).reduce((sum, each) => sum + each, 0))"""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the app with its recorded examples and the bundled model loaded."""
    from explorer import ui
    from explorer.assets import asset
    from explorer.engine import Engine
    from explorer.hosting.run_store import RunStore
    from explorer.records.examples import Examples

    engine = Engine()
    engine.load()
    app = ui.build(engine, store=RunStore(folder, examples=Examples(asset("examples"))))
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    yield url
    app.close(verbose=False)


def visit(browser, url: str, size: tuple[int, int] = (1280, 900)) -> dict[str, float]:
    """Everything of one visit; the browser's context is a new one, so that its cache is empty."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(url)
    page.wait_for_function("Object.keys(seen).length === 3", timeout=120_000)
    page.wait_for_function("document.querySelector('#doctor .cost').textContent !== ''")
    found = page.evaluate(SEEN)
    found["requests"] = page.evaluate("performance.getEntriesByType('resource').length")
    found["shift while loading"] = page.evaluate(SHIFT)
    found["shift afterwards"] = shift_afterwards(page)
    context.close()
    return found


def shift_afterwards(page) -> float:
    """Tabs, a finding, a finished run and its place in the history; pressed by the page itself,
    because a browser forgives what follows a press."""
    for tab in TABS:
        page.evaluate(f"document.querySelector('#tab_{tab}').click()")
        page.wait_for_timeout(100)
    for value in ("0.5", "0.012"):
        page.evaluate(
            """(value) => { const box = document.querySelector('#a_beta_end input');
                box.value = value; box.dispatchEvent(new Event('input', { bubbles: true })); }""",
            value,
        )
        page.wait_for_timeout(1000)
    page.evaluate("document.querySelector('#run').click()")
    page.wait_for_function("samplerExplorer.state === 'running'")
    page.wait_for_function("samplerExplorer.state === 'done'", timeout=120_000)
    page.wait_for_selector(".past-run[aria-current]")
    return page.evaluate(SHIFT)


def measure() -> bool:
    """Print the medians of some visits; return whether all goals are met."""
    from playwright.sync_api import sync_playwright

    print(f"load of the machine before: {os.getloadavg()[0]:.2f}")
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        visits = [visit(browser, url) for _ in range(VISITS)]
        browser.close()
    is_met = True
    for name in visits[0]:
        taken = [each[name] for each in visits]
        is_met &= median(taken) <= GOALS.get(name, float("inf"))
        goal = f" (goal: {GOALS[name]:g})" if name in GOALS else ""
        told = ", ".join(f"{each:.3g}" for each in taken)
        print(f"{name}: {median(taken):.3g}{goal}; {told}")
    print(f"load of the machine after: {os.getloadavg()[0]:.2f}")
    return is_met
