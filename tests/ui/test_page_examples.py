"""The recorded examples on the page: at the first visit, as cards, in the row above, run again."""

import os
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from conftest import opening
from fake_engine import FakeEngine
from playwright.sync_api import Page, expect
from reading import facts, fill, open_tab, picture, progress, run_to_end, scrub_to, wait_for

from explorer.assets import asset
from explorer.engine import Engine
from explorer.examples.recording import surroundings, use_threads
from explorer.hosting.run_store import RunStore
from explorer.records import History
from explorer.records.examples import Examples, example_id
from explorer.records.permalinks import write_permalink
from explorer.settings import RunSettings

pytestmark = pytest.mark.browser

EXAMPLES = Examples(asset("examples"))
MADE_WITH = EXAMPLES.table.made_with
SHOWN = ".viewer[data-example]:not([data-fetching])"
STALE = "document.querySelector('.viewer').hasAttribute('data-stale')"
PIXELS = """[...document.querySelectorAll('.pane canvas')].map((canvas) => [...canvas
    .getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data])"""


class Server:
    """A server that keeps runs and has the examples."""

    def __init__(self, engine, folder):
        from explorer import ui

        self.engine, self.history = engine, History(folder)
        self.page = ui.build(engine, store=RunStore(folder, examples=EXAMPLES))
        _, self.url, _ = self.page.launch(
            prevent_thread_lock=True, quiet=True, **ui.launch_options()
        )


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    server = Server(FakeEngine(), tmp_path)
    yield server
    server.page.close(verbose=False)


@pytest.fixture
def open_page(context, server):
    with opening(context, server.url) as open_page:
        yield open_page


def undo(page: Page) -> None:
    page.click("#head .undo")


def test_the_first_visit_and_all_that_follows(open_page, server):
    """Before any model is there the example is on the stage; what is done until the first run."""
    server.engine.slow.set()
    page = open_page(height=900)
    page.wait_for_selector(SHOWN)
    assert server.engine.resident == ""
    card = EXAMPLES.cards[0]
    assert progress(page) == "Recorded example, 39 calls per lane"
    expect(page.locator(".screen .recorded").first).to_be_visible()
    assert facts(page, "a")["call"] == f"{card.see['call'] + 1} of 39"
    expect(page.locator(".past-runs .quiet")).to_have_text(f"{card.title}. {card.look}")
    expect(page.locator("#head .undo")).to_be_disabled()

    scrub_to(page, 0)
    assert picture(page, "a") == picture(page, "b")
    scrub_to(page, 38)
    assert picture(page, "a") != picture(page, "b")
    expect(page.locator("#save button").first).to_be_enabled()
    assert server.engine.asked == []  # for frames in full size: they are on the sheets

    entries = page.locator(".past-run")
    expect(entries).to_have_count(5)
    entries.first.focus()
    page.keyboard.press("Delete")
    expect(entries).to_have_count(5)
    expect(page.locator(".past-runs .chosen")).to_be_hidden()
    server.engine.slow.clear()

    page.reload()  # comes back to it, as to any run
    page.wait_for_selector(SHOWN)
    wait_for(page, "document.querySelector('#plot .nsewdrag')")

    open_tab(page, "learn")
    page.locator(f".cards [data-id='{example_id('eta')}']").click()
    expect(page.locator(".pane")).to_have_count(4)
    page.wait_for_selector(SHOWN)
    expect(page.locator("#steps input")).to_have_value("10")
    assert facts(page, "d")["call"] == "19 of 19"
    wait_for(page, f"!({STALE})")
    undo(page)  # one step, back to what was there before
    expect(page.locator("#steps input")).to_have_value("20")
    wait_for(page, STALE)
    expect(page.locator("#head .undo")).to_be_disabled()

    fill(page, "steps", "4")
    run_to_end(page)
    expect(page.locator(".viewer")).not_to_have_attribute("data-example", "")
    expect(entries).to_have_count(1)
    assert len(server.history) == 1
    page.click(".past-runs .to-examples")
    expect(page.locator("#tab_learn")).to_have_attribute("aria-selected", "true")
    page.locator(f".cards [data-id='{card.id}']").click()
    page.wait_for_selector(SHOWN)
    expect(page.locator(".past-runs .chosen")).to_be_hidden()
    expect(entries).to_have_count(1)
    assert len(server.history) == 1


def test_settings_from_a_link_are_not_greeted_with_other_pictures(open_page):
    """They would be stale at first sight; the row above offers the examples."""
    link = write_permalink(RunSettings(prompt="a blue car", steps=9))
    page = open_page(f"?s={link}")
    expect(page.locator("#steps input")).to_have_value("9")
    expect(page.locator(".past-run")).to_have_count(5)
    expect(page.locator(".viewer")).to_have_attribute("data-empty", "")
    page.locator(".past-run").nth(1).click()
    page.wait_for_selector(SHOWN)
    expect(page.locator("#steps input")).to_have_value("20")


def differs_from_the_recordings() -> str:
    """Why the last bits may differ; "" where they do not."""
    names = ("torch", "diffusers", "machine", "processor", "cpu_capability")
    return " and ".join(name for name in names if surroundings().get(name) != MADE_WITH[name])


def test_run_repeats_what_is_shown(context, tmp_path):
    """By the bundled model: pixel by pixel, or within rounding where the processor is another."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", MADE_WITH["threads"])
        use_threads(int(MADE_WITH["threads"]))
        assert os.environ["OMP_NUM_THREADS"] == MADE_WITH["threads"]
        server = Server(Engine(device="cpu"), tmp_path)
        with opening(context, server.url) as open_page:
            page = open_page()
            page.wait_for_selector(SHOWN)
            wait_for(page, f"!({STALE})")
            for key, calls in (("one_noise", 39), ("penultimate", 9)):
                if key != "one_noise":
                    open_tab(page, "learn")
                    page.locator(f".cards [data-id='{example_id(key)}']").click()
                    expect(page.locator("#steps input")).to_have_value("5")
                    wait_for(page, f"!({STALE})")
                    page.wait_for_selector(SHOWN)
                scrub_to(page, calls - 1)
                shown = np.array(page.evaluate(PIXELS))
                run_to_end(page)
                assert not page.evaluate(STALE)
                assert facts(page, "a")["call"] == f"{calls} of {calls}"
                made = np.array(page.evaluate(PIXELS))
                most = 2 if differs_from_the_recordings() else 0
                assert np.abs(made - shown).max() <= most, differs_from_the_recordings()
        server.page.close(verbose=False)
    torch.set_num_threads(threads)
