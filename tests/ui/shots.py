"""Draw the pictures of the page in docs/ and the README again: python -m tests.ui.shots"""

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from explorer import ui
from explorer.assets import asset
from explorer.engine import Engine
from explorer.hosting.run_store import RunStore
from explorer.records.examples import Examples

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
LATEST_MS = 300_000  # a run's end on a slow machine
MOVED_MS = 600  # for what moves after a click, pictures included
EARLY = 12  # a call, from 0, whose predictions are still on their way
WIDTH, FRAME_MS, LAST_MS = 960, 140, 1500  # of the animation


def main() -> None:
    """Take every picture, each of a new visitor's page."""
    with served() as (browser, url):
        for name, take in SHOTS.items():
            at_desk = not name.startswith("phone")
            visit = browser.new_context(**(DESK if at_desk else PHONE))
            page = visit.new_page()
            page.goto(f"{url}?__theme={'dark' if name == 'dark' else 'light'}")
            page.wait_for_selector("#plot .nsewdrag", state="attached")
            page.wait_for_selector("#settings[data-ready]")
            page.wait_for_selector("#viewer .viewer[data-example]")
            page.wait_for_timeout(MOVED_MS)
            take(page)
            if name != "scrub":
                keep(page, PICTURES / f"{name}.webp")
            visit.close()


@contextmanager
def served() -> Iterator[tuple[Browser, str]]:
    """A browser, and the address of this checkout's page with the bundled model loaded."""
    engine = Engine()
    engine.load()
    with tempfile.TemporaryDirectory() as runs, sync_playwright() as playwright:
        store = RunStore(Path(runs), examples=Examples(asset("examples")))
        page = ui.build(engine, store=store)
        _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser, url
        browser.close()
        page.close(verbose=False)


def keep(page: Page, path: Path) -> None:
    """Write what the window shows."""
    picture(page).save(path, quality=82, method=6)
    print(path)


def picture(page: Page) -> Image.Image:
    """What the window shows, the pointer away from everything."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(MOVED_MS)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


# --- what is on them ----------------------------------------------------------------------------


def first_visit(page: Page) -> None:
    """The page as a stranger finds it."""


def done(page: Page) -> None:
    """A finished run, at an early call."""
    page.click("#run")
    page.wait_for_function("samplerExplorer.state === 'done'", timeout=LATEST_MS)
    page.wait_for_selector(".viewer:not([data-fetching])")
    scrub(page, EARLY)


def scrub(page: Page, call: int) -> None:
    """Go to a call, from 0."""
    page.get_by_label("Step", exact=True).fill(str(call))


def tab(page: Page, key: str) -> None:
    """Open a tab."""
    page.click(f"[role=tab][data-tab={key}]")


def six_lanes(page: Page) -> None:
    """Every sampler that fits beside the two, and the whole table of lanes."""
    for _ in range(4):
        page.get_by_role("button", name="Add lane").click()
    done(page)
    tab(page, "lanes")


def subject(page: Page) -> None:
    """A text of the tab Learn."""
    tab(page, "learn")
    page.click(".subject[data-subject=midpoint]")
    page.wait_for_selector("article[data-subject=midpoint] svg")


def settings_of_phone(page: Page) -> None:
    """The sheet of settings."""
    page.click("#settings .toggle-button")
    page.wait_for_selector("#settings.open")


def animation(page: Page) -> None:
    """The recorded example, every second call."""
    frames = []
    last = int(page.get_by_label("Step", exact=True).get_attribute("max") or 0)
    for call in range(0, last + 1, 2):
        scrub(page, call)
        page.wait_for_timeout(100)
        frame = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        frames.append(frame.resize((WIDTH, WIDTH * frame.height // frame.width)))
    first, *others = frames
    lengths = [FRAME_MS] * len(others) + [LAST_MS]
    path = PICTURES / "scrub.webp"
    first.save(
        path, save_all=True, append_images=others, duration=lengths, loop=0, quality=62, method=4
    )
    print(path)


SHOTS = {  # those without a run come first: all visitors here have one history
    "first-visit": first_visit,
    "table": lambda page: tab(page, "table"),
    "learn": subject,
    "doctor": lambda page: tab(page, "doctor"),
    "phone-first": first_visit,
    "phone-settings": settings_of_phone,
    "scrub": animation,
    "done": done,
    "phone-done": done,
    "dark": done,
    "six-lanes": six_lanes,
}

if __name__ == "__main__":
    main()
