"""A browser or a server that lacks something: the page says what it cannot do, and does the rest.

A plot that cannot be loaded has a file of its own, test_page_without_plot.py, and so has a server
that comes back, test_page_connection.py.
"""

import shutil
from collections.abc import Callable, Iterator
from functools import partial

import httpx
import pytest
from conftest import opening
from fake_engine import FakeEngine
from playwright.sync_api import Page, expect
from reading import picture, run_to_end, scrub_to, wait_for

from explorer.assets import asset
from explorer.hosting.run_store import RunStore
from explorer.records.examples import Examples
from explorer.records.permalinks import write_permalink
from explorer.settings import LaneSettings, RunSettings

pytestmark = pytest.mark.browser

FORBID = """for (const name of ["localStorage", "sessionStorage", "indexedDB"])
    Object.defineProperty(window, name, {
        get() { throw new DOMException("forbidden", "SecurityError"); } });"""


@pytest.fixture
def open_lacking(context, keeping_server) -> Iterator[Callable[..., Page]]:
    """A function that opens the page in a browser that a script has changed before."""
    contexts, errors = [], []

    def open_lacking(script: str) -> Page:
        contexts.append(context.browser.new_context(viewport={"width": 1280, "height": 900}))
        page = contexts[-1].new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.add_init_script(script)
        page.goto(keeping_server)
        page.wait_for_selector("#plot .nsewdrag")
        page.wait_for_selector("#stop[aria-disabled=true]")
        return page

    yield open_lacking
    for each in contexts:
        each.close()
    assert errors == []


def test_without_storage_it_says_so_once_and_all_else_works(open_lacking, keeping_server):
    runs = partial(httpx.get, f"{keeping_server}runs", headers={"x-visitor": "c" * 32})
    before = runs().json()["total"]  # of this machine's user, whose other tests run there too
    page = open_lacking(FORBID)
    report = page.locator(".report")
    expect(report).to_contain_text("This browser stores nothing")
    expect(report).to_contain_text("Save and Copy link keep them")
    run_to_end(page)
    expect(report).to_be_hidden()  # it is read by then
    scrub_to(page, 10)
    page.click(".legend .pin")
    expect(page.locator(".legend .pinned")).to_have_count(2)
    newest = page.locator(".past-run").first  # its visitor is known as long as the tab is
    expect(newest).to_have_attribute("aria-current", "true")
    assert runs().json()["total"] == before + 1
    kept = page.locator(".past-run").count()
    page.reload()
    expect(page.locator(".past-run")).to_have_count(kept)
    page.wait_for_selector("#settings[data-ready]")
    expect(report).to_be_hidden()


def test_of_16_lanes_in_a_link_it_takes_six_and_says_so(open_page):
    lanes = tuple(LaneSettings(sampler="dpm2_a", eta=at / 16) for at in range(16))
    page = open_page(f"?s={write_permalink(RunSettings(prompt='a boat', lanes=lanes, steps=4))}")
    expect(page.locator(".report")).to_contain_text("6 lanes at most: the last 10 are left out")
    run_to_end(page)
    expect(page.locator(".pane")).to_have_count(6)
    wait_for(page, "samplerExplorer.calls === 7")


def test_a_server_that_has_gone_leaves_what_is_here(open_page):
    """Pictures are scrubbed, tabs open, and Save and Run say what they need."""
    page = open_page()
    run_to_end(page)
    page.context.set_offline(True)
    try:
        scrub_to(page, 3)
        first = picture(page, "a")
        scrub_to(page, 30)
        assert picture(page, "a") != first
        page.click(".save-button")
        page.get_by_role("menuitem").first.click()
        expect(page.locator("#save .save-menu .said")).to_have_text("The server cannot be reached.")
        page.keyboard.press("Escape")
        page.click("#run")
        wait_for(page, "samplerExplorer.state === 'error'")
        expect(page.locator("#progress .where")).to_contain_text("server")
        assert picture(page, "a") != ""
    finally:
        page.context.set_offline(False)


# --- a recorded example that is damaged -----------------------------------------------------------


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> Examples:
    """The recorded examples, in a folder that may be damaged."""
    folder = tmp_path_factory.mktemp("assets") / "examples"
    shutil.copytree(asset("examples"), folder)
    return Examples(folder)


@pytest.fixture(scope="module")
def with_examples(examples) -> Iterator[str]:
    """The address of a page whose first visitors are shown an example."""
    from explorer import ui

    page = ui.build(FakeEngine(), store=RunStore(examples=examples))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    yield url
    page.close(verbose=False)


@pytest.mark.parametrize("name", ["run.json", "lane-b-denoised.jpg"])
def test_a_damaged_example_is_a_sentence_and_the_rest_of_the_page_works(
    context, examples, with_examples, name
):
    path = examples.folder / examples.cards[0].id / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    try:
        with opening(context, with_examples) as open_page:
            page = open_page()
            said = page.locator("#progress .where")
            expect(said).to_contain_text("recorded example")
            expect(said).to_contain_text("damaged")
            assert str(examples.folder) not in page.content()
            run_to_end(page)
            scrub_to(page, 3)
    finally:
        path.write_bytes(whole)
