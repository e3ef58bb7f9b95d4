"""What the tests read from the page, and the few things they all do to it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page

SETTLED_MS = 100  # after which a change of the form can be undone


@contextmanager
def part(name: str) -> Iterator[None]:
    """A part of a test that does several things to one page: its name is told with its failure."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in the part {name!r}")
        raise


def wait_for(page: Page, condition: str) -> None:
    """Wait until it holds, also on a page that is being reloaded meanwhile."""
    page.wait_for_function(f"window.samplerExplorer && ({condition})")


def state(page: Page) -> dict:
    return page.evaluate("window.samplerExplorer")


def run_to_end(page: Page) -> None:
    page.click("#run")
    wait_for(page, "samplerExplorer.state === 'done'")
    page.wait_for_selector(".viewer:not([data-fetching])")


def at_rest(page: Page) -> None:
    """Wait until nothing slides or fades any more."""
    page.evaluate(
        """Promise.all(document.getAnimations()
            .filter((one) => one.effect.getComputedTiming().endTime < Infinity)
            .map((one) => one.finished.catch(() => null)))"""
    )


def open_tab(page: Page, key: str) -> None:
    """Open one of the tabs below the pictures."""
    page.click(f"#tab_{key}")
    page.wait_for_selector(f"#panel_{key}[data-open]")


def fill(page: Page, control: str, text: str) -> None:
    """Type into the box of one of the form's controls."""
    unfold(page, f"#{control}")
    page.locator(f"#{control} :is(input, textarea)").fill(text)


def unfold(page: Page, control: str) -> None:
    """Bring a control of the lanes' table into sight: its lane, and its group if it is folded."""
    if page.locator(f"{control}[data-away]").count():
        page.click(f".lane-lines .lane-{control[1]} .open")
    head = page.locator(f"[data-group]:has({control}) .fold-head[aria-expanded=false]")
    if head.count():
        head.click()


def in_turn(page: Page, parts: Iterable[Callable[..., None]], *given: Any) -> None:
    """Several parts of a test on one page, because opening one costs seconds.

    Each begins with the settings that the page opened with: what one has changed is undone.
    """
    for each in parts:
        with part(each.__name__):
            each(page, *given)
            undo_all(page)


def undo_all(page: Page) -> None:
    """Undo every change of the form, by its button, which a phone has out of sight."""
    button = page.locator("#history .undo")
    page.wait_for_timeout(SETTLED_MS)
    while button.is_enabled():
        button.evaluate("(button) => button.click()")
        page.wait_for_timeout(SETTLED_MS)


def open_fold(page: Page, group: str) -> None:
    """Open a group of the form that folds, if it is not open."""
    head = page.locator(f"#{group} .fold-head").first
    if head.get_attribute("aria-expanded") == "false":
        head.click()


def scrub_to(page: Page, frame: int) -> None:
    """Move the scrubber as a person does, and wait until pictures and facts have followed."""
    page.get_by_label("Step", exact=True).fill(str(frame))
    call = "document.querySelector('.lane-a [data-fact=call]').textContent"
    page.wait_for_function(f"{call}.startsWith('{frame + 1} of ')")


def picture(page: Page, lane: str) -> str:
    """What a lane's canvas shows, as a data URL."""
    return page.evaluate(f"document.querySelector('.pane.lane-{lane} canvas').toDataURL()")


def facts(page: Page, lane: str) -> dict[str, str]:
    """The numbers beside a lane's picture."""
    return page.evaluate(
        f"""Object.fromEntries([...document.querySelectorAll('.pane.lane-{lane} dd')]
            .map((fact) => [fact.dataset.fact, fact.textContent]))"""
    )


def progress(page: Page) -> str:
    """What the bar says."""
    return page.locator("#progress .where").inner_text()


def curve(page: Page, lane: int, kind: str = "sigma") -> list[float]:
    """The sigmas that the plot draws."""
    return page.evaluate(
        f"""Array.from(document.querySelector('#plot .area')._fullData
            .find(({{ meta }}) => meta.lane === {lane} && meta.kind === '{kind}').y)"""
    )


def choose(page: Page, control: str, option: str) -> None:
    """Choose in one of Gradio's dropdowns, or in a menu of the lanes' table."""
    unfold(page, control)
    menu = page.locator(f"{control} select")
    if menu.count():
        menu.select_option(label=option)
        return
    page.click(f"{control} input")
    # Its own list: that of another one may still be fading away.
    page.locator(control).get_by_role("option", name=option, exact=True).click()
