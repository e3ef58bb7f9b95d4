"""One server with the fake engine, one Chromium, and pages that are ready for use."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from fake_engine import FakeEngine
from opened_pages import opening
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright
from reading import choose, fill, run_to_end, wait_for

from explorer.assets import asset
from explorer.hosting.access import Access
from explorer.hosting.run_store import RunStore
from explorer.records.examples import Examples
from explorer.settings.limits import LIMITS

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 30_000  # a condition's patience on a busy machine; nothing is timed
START_MS = 120_000  # of a browser whose files are not in memory, on a machine with other work
expect.set_options(timeout=WAIT_MS)
# Every page that is opened is a new visitor's, who has kept nothing, but for a second tab of one.
NEW_VISITOR = """
if (!sessionStorage.getItem("opened by a test")) {
    if (location.hash !== "#same-visitor") localStorage.clear();
    sessionStorage.setItem("opened by a test", "yes");
}
"""


@pytest.fixture(scope="session")
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture(scope="session")
def keeping_engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture(autouse=True)
def let_go(engine, keeping_engine) -> Iterator[None]:
    """No test leaves a run held for the next one."""
    engine.hold_at = keeping_engine.hold_at = None
    yield
    engine.hold_at = keeping_engine.hold_at = None


@pytest.fixture(scope="session")
def server(engine) -> Iterator[str]:
    """The address of the page."""
    from explorer import ui

    page = ui.build(engine, replace(LIMITS, grace_s=3))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    yield url
    page.close(verbose=False)


@pytest.fixture(scope="session")
def keeping_server(keeping_engine, tmp_path_factory) -> Iterator[str]:
    """The address of a page whose server keeps runs, and has the recorded examples."""
    from explorer import ui

    store = RunStore(tmp_path_factory.mktemp("runs"), examples=Examples(asset("examples")))
    page = ui.build(keeping_engine, replace(LIMITS, grace_s=3), store=store)
    options = ui.launch_options(access=Access(frames=("*",)))  # WebKit's phone is a frame
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **options)
    yield url
    page.close(verbose=False)


@pytest.fixture(scope="session")
def context(tmp_path_factory) -> Iterator[BrowserContext]:
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert chromium, f"the page's tests need a browser: one of {', '.join(CHROMIUM)}"
    with sync_playwright() as playwright:
        # With a profile of its own the browser keeps compiled scripts: pages open in half the time.
        # So they do in one process for all pages, as long as one is open: see `open_page`.
        profile = tmp_path_factory.mktemp("profile")
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium,
            args=["--process-per-site"],
            ignore_https_errors=True,  # of a proxy whose certificate nobody vouches for
            timeout=START_MS,
        )
        context.set_default_timeout(WAIT_MS)
        context.add_init_script(NEW_VISITOR)
        yield context
        context.close()


@pytest.fixture
def open_page(context, server, shared_page) -> Iterator[Callable[..., Page]]:
    """A function that opens the page, `open_page(query="", width=1280, height=800)`.

    The shared page is open beside it, in whose process this one opens sooner.
    """
    with opening(context, server) as open_page:
        yield open_page


@pytest.fixture
def open_keeping_page(context, keeping_server) -> Iterator[Callable[..., Page]]:
    """Likewise, from a server that keeps runs and has examples."""
    with opening(context, keeping_server) as open_page:
        yield open_page


@pytest.fixture(scope="session")
def shared_page(context, server) -> Iterator[Page]:
    """Opening a page costs seconds, so most tests share one."""
    with opening(context, server) as open_page:
        yield open_page()


@pytest.fixture
def page(shared_page, engine) -> Page:
    """The shared page, at rest and with the defaults in its text and number boxes."""
    shared_page.bring_to_front()  # behind another page it would get one frame a second
    wait_for(shared_page, "samplerExplorer.state !== 'running'")
    for control, text in DEFAULTS.items():
        fill(shared_page, control, text)
    shared_page.wait_for_function("document.querySelector('#plot .sentence').textContent === ''")
    return shared_page


DEFAULTS = {
    "prompt": "a red sailboat on the sea",
    "negative_prompt": "",
    "steps": "20",
    "cfg_scale": "7",
    "seed": "7",
    "a_beta_end": "0.012",
    "a_trained_betas": "",
}


@pytest.fixture(scope="module")
def recorded(context, server, engine) -> Iterator[Page]:
    """A page after a run whose lanes have different schedules; tests only scrub in it."""
    with opening(context, server) as open_page:
        page = open_page()
        page.uncheck("#same input")
        choose(page, "#b_schedule_type", "Karras")
        run_to_end(page)
        yield page
