"""A page finds its run again at every moment of it: reloaded, left and returned to, in another tab,
over a line that was cut, and before a server that knows nothing of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cut_line import CutLine
from fake_engine import FakeEngine
from playwright.sync_api import Page, expect
from reading import fill, wait_for

from explorer import ui
from explorer.hosting.run_store import RunStore
from explorer.settings.limits import LIMITS

pytestmark = pytest.mark.browser

SAME = "#same-visitor"  # this tab keeps what another one has stored
CALLS = 39
GONE = "The last run is gone: the server does not have it any more"


class Server:
    """A server of this process with an engine that stops where it is told to."""

    def __init__(self, folder: Path | None):
        self.engine = FakeEngine(pace=0.002)
        self.page = ui.build(self.engine, replace(LIMITS, grace_s=30), RunStore(folder))
        self.page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
        self.port = self.page.server_port


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[list[Server]]:
    """Two of them with one history, as a server before and after its restart."""
    folder = tmp_path_factory.mktemp("runs")
    both = [Server(folder), Server(folder)]
    yield both
    for server in both:
        server.page.close(verbose=False)


@pytest.fixture(scope="module")
def line(servers) -> Iterator[CutLine]:
    line = CutLine(servers[0].port)
    yield line
    line.close()


@pytest.fixture(scope="module")
def tab(context, line) -> Iterator[Page]:
    page = context.new_page()
    page.goto(line.url + SAME)
    ready(page)
    yield page
    page.close()


@pytest.fixture(autouse=True)
def at_the_first_server(servers, line) -> Iterator[None]:
    line.join(servers[0].port)
    yield
    for each in servers:
        each.engine.hold_at, each.engine.hold_in = None, ""


def ready(page: Page) -> None:
    page.wait_for_selector("#plot .nsewdrag")
    page.wait_for_selector("#history [data-ready]")
    page.wait_for_selector("#stop[aria-disabled]")


def said(page: Page) -> str:
    return page.locator("#progress .where").inner_text()


class Moment:
    """A moment of a run: how it is reached, how a page shows it, and how the run goes on."""

    def __init__(self, name: str, shown: str, state: str = "running", **held):
        self.name, self.shown, self.state, self.held = name, shown, state, held

    def reach(self, page: Page, engine: FakeEngine) -> None:
        fill(page, "prompt", "[nan]" if self.name == "after an error" else "a red sailboat")
        for name, value in self.held.items():
            setattr(engine, name, value)
        if self.name == "queued":
            assert engine.lock.acquire(20)
        page.click("#run")
        if self.name == "after Stop":
            wait_for(page, "samplerExplorer.call === 5")
            page.click("#stop")
        self.expect(page)

    def expect(self, page: Page) -> None:
        """The page shows it, and its buttons are those of it."""
        expect(page.locator("#progress .where")).to_contain_text(self.shown)
        wait_for(page, f"samplerExplorer.state === '{self.state}'")
        goes_on = self.state == "running"
        expect(page.locator("#run")).to_have_attribute("aria-disabled", str(goes_on).lower())
        expect(page.locator("#stop")).to_have_attribute("aria-disabled", str(not goes_on).lower())
        if "call " in self.shown and goes_on:  # its pictures, numbers and plan are those of the run
            facts = page.locator(".pane.lane-b [data-fact=call]")
            expect(facts).to_have_text(f"{self.held['hold_at']} of {CALLS}")
            expect(page.locator(".pane.lane-a canvas")).to_have_js_property("width", 64)
        elif not goes_on:
            expect(page.get_by_label("Step", exact=True)).to_be_enabled()

    def go_on(self, engine: FakeEngine) -> None:
        engine.hold_at, engine.hold_in = None, ""
        if engine.lock._ticket:
            engine.lock.release()
            engine.lock._ticket = None


MOMENTS = [
    Moment("queued", "Waiting for another run"),
    Moment("loading", "Loading the model", hold_in="loading"),
    Moment("before the first call", "Waiting", hold_at=0),
    Moment("the first call", "call 1 of 39", hold_at=1),
    Moment("in the middle", "call 19 of 39", hold_at=19),
    Moment("the last call", "call 38 of 39", hold_at=38),
    Moment("making frames", "Making frames", hold_in="frames"),
    Moment("done", "39 calls per lane", "done"),
    Moment("after Stop", "Stopped after call 5 of 39", "cancelled", hold_at=5),
    Moment("after an error", "NaN in step 4", "error"),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.name)
def test_a_page_comes_back_to_its_run(context, servers, line, tab, moment):
    engine = servers[0].engine
    moment.reach(tab, engine)

    tab.reload()
    moment.expect(tab)

    tab.goto("about:blank")
    tab.go_back()
    moment.expect(tab)

    line.cut()
    if moment.state == "running":
        expect(tab.locator("#progress .where")).to_contain_text("connection to the server is lost")
    line.join(servers[0].port)
    moment.expect(tab)

    moment.go_on(engine)
    if moment.state == "running":
        wait_for(tab, "samplerExplorer.state === 'done'")
        assert said(tab).startswith("39 calls per lane")
