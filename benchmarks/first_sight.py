"""How soon a page is of use in a browser with an empty cache: `python -m benchmarks.first_sight`.

Prints, in seconds from the request of the page on: when it was served, when the recorded example
stood on the stage with its pictures, when Run could be pressed, when the plot was drawn; and the
requests and bytes that it took. A machine with other work is slower by its share: compare runs of
one hour.
"""

import argparse
import shutil
import statistics
from collections.abc import Sequence

from playwright.sync_api import Browser, sync_playwright

from explorer import ui
from explorer.assets import asset
from explorer.engine import Engine
from explorer.hosting.run_store import RunStore
from explorer.records.examples import Examples

GOALS_S = {"example": 1.5, "run": 3.5}
MARKS = {
    "example": ".viewer[data-example]:not([data-fetching])",
    "run": "#run[aria-disabled=false]",
    "plot": "#plot .nsewdrag",
}
WATCH = """(marks) => {
    window.seen = {};
    const look = () => {
        for (const [name, query] of Object.entries(marks))
            if (!seen[name] && document.querySelector(query)) seen[name] = performance.now();
        if (Object.keys(seen).length < Object.keys(marks).length) requestAnimationFrame(look);
    };
    look();
}"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args(arguments).times
    page = ui.build(Engine(), store=RunStore(examples=Examples(asset("examples"))))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        visits = [visit(browser, url) for _ in range(times)]
        browser.close()
    page.close(verbose=False)
    for name in visits[0]:
        values = [each[name] for each in visits]
        spread = f"{min(values):.2f} to {max(values):.2f}"
        print(f"{name:9} median {statistics.median(values):8.2f}  {spread}")
    missed = [
        name
        for name, goal in GOALS_S.items()
        if statistics.median(each[name] - each["served"] for each in visits) > goal
    ]
    return len(missed)


def visit(browser: Browser, url: str) -> dict[str, float]:
    """One visit of a stranger: seconds to each mark, and what was fetched."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script(f"({WATCH})({MARKS!r})")
    page.goto(url)
    page.wait_for_function(f"Object.keys(window.seen).length === {len(MARKS)}", timeout=120_000)
    found = page.evaluate(
        """() => { const files = performance.getEntriesByType('resource');
            const [page] = performance.getEntriesByType('navigation');
            return { served: page.responseEnd / 1000,
                ...Object.fromEntries(Object.entries(seen).map(([name, at]) => [name, at / 1000])),
                requests: files.length,
                ours: files.filter(({ name }) => name.includes('/page/')).length,
                kilobytes: files.reduce((sum, each) => sum + each.transferSize, 0) / 1000 }; }"""
    )
    context.close()
    return found


if __name__ == "__main__":
    raise SystemExit(main())
