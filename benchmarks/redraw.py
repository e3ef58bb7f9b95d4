"""From a key in the form to the redrawn plot, in a browser: `python -m benchmarks.page --browser`.

Each change is split into what the page does before it asks the server, the round trip with the
server's work in it, and what the page does with the answer, up to Plotly's event after drawing.
Measure on an idle machine: browser and server share its cores.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

CHANGES = 60
WARM_UP = 10
REST_MS = 150  # between two changes
VALUES = {  # of a box of the run, and of one of the lanes
    "#steps input": [str(10 + at % 30) for at in range(CHANGES + WARM_UP)],
    "#a_beta_end input": [f"{0.012 + at * 1e-4:.4f}" for at in range(1, CHANGES + WARM_UP + 1)],
}
PARTS = ("before", "server", "drawing", "whole")

TIMED = """([query, text]) => new Promise((resolve) => {
    const [box, area] = [query, '#plot .area'].map((each) => document.querySelector(each));
    performance.clearResourceTimings();
    const start = performance.now();
    area.once('plotly_afterplot', () => {
        const end = performance.now();
        const asked = performance.getEntriesByType('resource').filter(({ name, startTime }) =>
            startTime >= start && /run|queue|call|predict/.test(name)).at(-1);
        const [from, to] = asked ? [asked.startTime, asked.responseEnd] : [start, end];
        resolve([from - start, to - from, end - to, end - start]);
    });
    box.value = text;
    box.dispatchEvent(new Event('input', { bubbles: true }));
})"""


def percentiles(taken: list[float]) -> tuple[float, float]:
    """The median and the 95th of a hundred."""
    ordered = sorted(taken)
    return ordered[len(ordered) // 2], ordered[int(0.95 * (len(ordered) - 1))]


@contextmanager
def opened() -> Iterator:
    """A page of the app at rest, in headless Chromium."""
    from playwright.sync_api import sync_playwright

    from explorer import ui
    from explorer.engine import Engine

    engine = Engine()
    app = ui.build(engine)
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.wait_for_selector("#plot .nsewdrag")
        page.wait_for_function("document.querySelector('#model_card .loading').textContent === ''")
        page.click("[data-group=training] .fold-head")
        page.wait_for_timeout(3000)
        yield page
        browser.close()
    app.close(verbose=False)


def measure() -> float:
    """Print each part's median and p95 in milliseconds; return the worst p95 of the whole."""
    print(f"load of the machine before: {os.getloadavg()[0]:.2f}")
    worst = 0.0
    with opened() as page:
        for query, values in VALUES.items():
            rows = []
            for text in values:
                rows.append(page.evaluate(TIMED, [query, text]))
                page.wait_for_timeout(REST_MS)
            columns = zip(PARTS, zip(*rows[WARM_UP:], strict=True), strict=True)
            split = {part: percentiles(list(taken)) for part, taken in columns}
            told = ", ".join(f"{part} {p50:.0f}/{p95:.0f}" for part, (p50, p95) in split.items())
            print(f"{query:20} p50/p95 ms: {told}")
            worst = max(worst, split["whole"][1])
    print(f"load of the machine after: {os.getloadavg()[0]:.2f}")
    return worst
