"""Draw the README's pictures again: python -m tests.ui.shots"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from explorer import ui
from explorer.engine import Engine

ASSETS = Path(__file__).parents[2] / "assets"
THEMES = {"light": "screenshot.png", "dark": "screenshot-dark.png"}
SEED = "3"
FRAME = "12"  # early enough that the predictions are still on their way


def main() -> None:
    """Run the bundled model once in each theme and take the page's picture."""
    with served() as (browser, url):
        for theme, name in THEMES.items():
            shoot(browser, f"{url}?__theme={theme}", ASSETS / name)


@contextmanager
def served() -> Iterator[tuple[Browser, str]]:
    """A browser, and the address of this checkout's page with the bundled model loaded."""
    engine = Engine()
    engine.load()
    page = ui.build(engine)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser, url
        browser.close()
    page.close(verbose=False)


def shoot(browser, url: str, path: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    page.wait_for_selector("#plot .nsewdrag")
    page.fill("#seed input", SEED)
    page.click("#run")
    page.wait_for_function("samplerExplorer.state === 'done'", timeout=300_000)
    page.mouse.move(0, 0)
    page.get_by_label("Step", exact=True).fill(FRAME)
    page.wait_for_selector(".viewer:not([data-fetching])")
    page.screenshot(path=path)
    print(path)


if __name__ == "__main__":
    main()
