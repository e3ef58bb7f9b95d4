"""Whether a change of the code changed how the page looks: `python -m tests.ui.same_look`.

    python -m tests.ui.same_look BEFORE                   # at the commit before the change
    python -m tests.ui.same_look AFTER --against BEFORE   # at the one after it

Pictures of the page at rest, with an error, with the findings open, after a run, and of its plot,
by sizes and themes, go to a folder. Against another folder every pixel is compared; where some
differ, a picture of where goes beside them. What a clock decides is hidden. Compare on one machine.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image, ImageChops
from playwright.sync_api import Page

from tests.ui.shots import served

WINDOWS = {"wide": (1280, 900), "low": (1280, 600), "phone": (390, 844)}
THEMES = ("light", "dark")
NO_CLOCK = """
    #progress .now, #doctor .cost { visibility: hidden }
    #doctor .cost { height: 3em; overflow: hidden }
    * { caret-color: transparent !important }
"""
NOISE = 2  # of 255: by so much edges differ from one drawing of a page to the next
REST_MS = 700  # after the last thing that can be waited for: transitions, the plot's resizing
AXES = ("timestep", "log sigma")
STEPS = ("1", "150", "1000")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    take(options.folder)
    return bool(options.against and compare(options.against, options.folder))


def take(folder: Path) -> None:
    """Take all pictures of this checkout's page."""
    with served() as (browser, url):
        for theme in THEMES:
            for window, (width, height) in WINDOWS.items():
                page = browser.new_page(viewport={"width": width, "height": height})
                page.goto(f"{url}?__theme={theme}")
                visit(page, partial(shoot, page, folder, f"{window}-{theme}"))
                page.close()


def visit(page: Page, shot: Callable[[str], None]) -> None:
    """Bring a page into one state after the other."""
    page.add_style_tag(content=NO_CLOCK)
    page.wait_for_selector("#plot .nsewdrag")
    page.wait_for_function("document.querySelector('#model_card .loading').textContent === ''")
    shot("idle")
    phone = page.viewport_size["width"] < 769
    if phone:
        page.click("#settings .toggle-button")
        shot("settings")
    page.locator("#settings .fold-head[aria-expanded=false]").evaluate_all(
        "(heads) => heads.forEach((each) => each.click())"
    )
    shot("folds")
    fill(page, "width", "77")
    page.wait_for_selector("#width_problem")
    shot("error")
    fill(page, "width", "")
    page.wait_for_selector("#width_problem", state="detached")
    fill(page, "steps", "3")
    if phone:
        page.click("#settings .toggle-button")
    page.click("#tab_doctor")
    shot("findings")
    page.click("#tab_schedule")
    fill(page, "steps", "20")
    for steps in STEPS:
        fill(page, "steps", steps)
        shot(f"plot-{steps}")
    for axis in AXES:
        page.select_option("#x_axis", label=f"by {axis}")
        shot(f"plot-{axis.replace(' ', '-')}")
    page.select_option("#y_axis", label="linear")
    shot("plot-linear")
    fill(page, "steps", "8")
    page.click("#run")
    page.wait_for_function("samplerExplorer.state === 'done'", timeout=300_000)
    page.wait_for_selector(".viewer:not([data-fetching])")
    page.mouse.move(0, 0)
    page.wait_for_timeout(4000)  # all frames in full size
    page.get_by_label("Step", exact=True).fill("6")
    shot("done")


def fill(page: Page, control: str, text: str) -> None:
    """Type into a box, also where the settings are closed over it."""
    page.eval_on_selector(
        f"#{control} :is(input, textarea)",
        """(box, text) => {
            box.value = text;
            box.dispatchEvent(new Event("input", { bubbles: true }));
        }""",
        text,
    )


def shoot(page: Page, folder: Path, of: str, state: str) -> None:
    page.evaluate("document.activeElement?.blur()")
    page.wait_for_timeout(REST_MS)
    plot = state.startswith("plot-")
    path = folder / f"{of}-{state}.png"
    if plot:
        page.locator("#plot").screenshot(path=path)
    else:
        page.screenshot(path=path, full_page=True)


def compare(before: Path, after: Path) -> int:
    """Say which pictures differ, and save where; returns how many do."""
    pictures = sorted({path.name for folder in (before, after) for path in folder.glob("*.png")})
    differing = 0
    for name in pictures:
        if name.startswith("where-"):
            continue
        if not all((folder / name).is_file() for folder in (before, after)):
            print(f"{name}: only in one folder")
            differing += 1
            continue
        one, other = (Image.open(folder / name).convert("RGB") for folder in (before, after))
        if one.size != other.size:
            print(f"{name}: {one.size} and {other.size}")
            differing += 1
            continue
        difference = ImageChops.difference(one, other).point(lambda value: value * (value > NOISE))
        if box := difference.getbbox():
            differing += 1
            most = max(high for _, high in difference.getextrema())
            print(f"{name}: differs within {box}, by up to {most} of 255")
            difference.point(lambda value: min(255, 8 * value)).save(after / f"where-{name}")
    print(f"{differing} of {len(pictures)} pictures differ")
    return differing


if __name__ == "__main__":
    raise SystemExit(main())
