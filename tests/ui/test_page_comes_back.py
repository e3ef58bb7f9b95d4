"""A page finds its run again at every moment of it: reloaded, left and returned to, in another tab,
over a line that was cut, and before a server that knows nothing of it."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cut_line import CutLine
from fake_engine import FakeEngine
from playwright.sync_api import Page, expect
from reading import fill, run_to_end, scrub_to, wait_for

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
def let_go(servers) -> Iterator[None]:
    """No test leaves a run held for the next one."""
    yield
    for each in servers:
        go_on(each.engine)


def go_on(engine: FakeEngine) -> None:
    engine.hold_at, engine.hold_in = None, ""
    if engine.lock._ticket:
        engine.lock.release()
        engine.lock._ticket = None


def ready(page: Page) -> None:
    page.wait_for_selector("#plot .nsewdrag")
    page.wait_for_selector("#history [data-ready]")
    page.wait_for_selector("#stop[aria-disabled]")


def open_tab(context, line) -> Page:
    """Another tab of the same browser."""
    page = context.new_page()
    page.goto(line.url + SAME)
    page.wait_for_selector("#stop[aria-disabled]")
    return page


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
            if self.state == "done":  # the curves are known to be those of the run
                expect(page.locator("#plot .note")).to_be_hidden()


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
    moment.reach(tab, servers[0].engine)

    tab.reload()
    moment.expect(tab)

    tab.goto("about:blank")
    tab.go_back()
    moment.expect(tab)

    other = open_tab(context, line)
    moment.expect(other)

    line.cut()
    if moment.state == "running":
        expect(tab.locator("#progress .where")).to_contain_text("connection to the server is lost")
    line.join(servers[0].port)
    moment.expect(tab)

    go_on(servers[0].engine)
    if moment.state == "running":
        for page in (tab, other):
            wait_for(page, "samplerExplorer.state === 'done'")
            assert said(page).startswith("39 calls per lane")
    other.close()


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.name)
def test_a_restarted_server_has_the_runs_that_had_ended(servers, line, tab, moment):
    moment.reach(tab, servers[0].engine)
    fill(tab, "negative_prompt", f"typed {moment.name}")
    tab.evaluate("window.before = true")

    line.cut()  # as a server that was killed: no stream ends as it should
    servers.reverse()
    line.join(servers[0].port)

    if moment.state == "running":
        wait_for(tab, "!window.before")  # Gradio reloads the page
    else:
        tab.reload()  # without a stream that broke, Gradio may take a minute to see it
    ready(tab)
    if moment.state == "running":
        expect(tab.locator("#progress .where")).to_have_text(GONE)
        expect(tab.locator("#run")).to_have_attribute("aria-disabled", "false")
        expect(tab.locator("#stop")).to_have_attribute("aria-disabled", "true")
    else:
        moment.expect(tab)
    expect(tab.locator("#negative_prompt textarea")).to_have_value(f"typed {moment.name}")


def test_a_run_that_never_came_to_the_server_costs_not_the_one_before_it(tab):
    fill(tab, "prompt", "a red sailboat")
    run_to_end(tab)
    tab.evaluate(
        """for (const store of [localStorage, sessionStorage]) {
            const kept = JSON.parse(store["sampler-explorer.run"]);
            kept.newest = { ...kept.newest, id: "0".repeat(32), at: 0 };
            store["sampler-explorer.run"] = JSON.stringify(kept);
        }"""
    )
    for sentence in (GONE, "39 calls per lane"):
        tab.reload()
        ready(tab)
        expect(tab.locator("#progress .where")).to_contain_text(sentence)
        assert tab.evaluate("samplerExplorer.state") == "done"


def test_stop_in_another_tab_stops_the_run(context, servers, line, tab):
    servers[0].engine.hold_at = 7
    fill(tab, "prompt", "a red sailboat")
    tab.click("#run")
    wait_for(tab, "samplerExplorer.call === 7")
    other = open_tab(context, line)
    wait_for(other, "samplerExplorer.call === 7")
    other.click("#stop")
    for page in (other, tab):
        wait_for(page, "samplerExplorer.state === 'cancelled'")
        assert said(page) == "Stopped after call 7 of 39"
    other.close()


ASLEEP = """(is) => {
    Object.defineProperty(document, "hidden", { value: is, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_phone_that_wakes_sees_what_its_run_has_become(servers, line, tab):
    fill(tab, "prompt", "a red sailboat")
    servers[0].engine.hold_at = 9
    tab.click("#run")
    wait_for(tab, "samplerExplorer.call === 9")
    tab.evaluate(ASLEEP, True)
    line.cut()
    servers[0].engine.hold_at = 30
    tab.wait_for_timeout(2000)
    line.join(servers[0].port)
    tab.evaluate(ASLEEP, False)
    wait_for(tab, "samplerExplorer.call === 30")
    go_on(servers[0].engine)
    wait_for(tab, "samplerExplorer.state === 'done'")


def test_a_link_to_settings_goes_before_the_last_run(context, servers, line):
    page = open_tab(context, line)
    run_to_end(page)
    other = open_tab(context, line)
    wait_for(other, "samplerExplorer.state === 'done'")
    other.close()
    page.goto(f"{line.url}?s=1.x{SAME}")
    ready(page)
    page.wait_for_timeout(500)  # in which another page would have come back to the run
    assert page.evaluate("samplerExplorer.state") == "idle"
    page.close()


def test_a_run_that_was_lost_is_found_without_a_reload(context, servers, line):
    engine = servers[0].engine
    page = open_tab(context, line)
    ready(page)
    page.evaluate("window.before = true")
    engine.hold_at = 6
    page.click("#run")
    wait_for(page, "samplerExplorer.call === 6")
    page.route("**/app_id", lambda route: route.abort())
    expect(page.locator("#progress .where")).to_contain_text("connection to the server is lost")
    engine.hold_at = 8
    page.unroute("**/app_id")
    wait_for(page, "samplerExplorer.state === 'running' && samplerExplorer.call === 8")
    go_on(engine)
    wait_for(page, "samplerExplorer.state === 'done'")
    assert page.evaluate("window.before")
    page.close()


def test_a_run_whose_stream_breaks_is_watched_in_another_way(context, servers, line):
    """Gradio's stream alone is broken; Gradio calls the run failed, and reloads the page."""
    page = open_tab(context, line)
    ready(page)
    fill(page, "prompt", "a stream that breaks")
    page.route("**/queue/data*", lambda route: route.abort())
    page.click("#run")
    until = time.monotonic() + 30
    while "a stream that breaks" not in servers[0].engine.starts:  # till then an older run is told
        assert time.monotonic() < until, "the run has not begun"
        page.wait_for_timeout(50)
    expect(page.locator("#progress .where")).to_contain_text("39 calls per lane")
    page.close()


NO_STORAGE = """
for (const store of ["localStorage", "sessionStorage"]) {
    const get = () => { throw new DOMException("no", "SecurityError"); };
    Object.defineProperty(window, store, { get });
}
Object.defineProperty(document, "cookie", { get: () => "", set() {} });
"""


def test_a_visitor_without_cookies_and_storage_comes_back_too(context, servers, line):
    engine = servers[0].engine
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script(NO_STORAGE)
    page.goto(line.url)
    ready(page)
    engine.hold_at = 4
    page.click("#run")
    wait_for(page, "samplerExplorer.call === 4")
    page.reload()
    page.wait_for_selector("#stop[aria-disabled=false]")
    wait_for(page, "samplerExplorer.call === 4")
    go_on(engine)
    wait_for(page, "samplerExplorer.state === 'done'")
    scrub_to(page, 3)
    other = context.new_page()  # which knows of nothing
    other.add_init_script(NO_STORAGE)
    other.goto(line.url)
    ready(other)
    assert other.evaluate("samplerExplorer.state") == "idle"
    run_to_end(other)
    for each in (page, other):
        each.close()
    assert errors == []
