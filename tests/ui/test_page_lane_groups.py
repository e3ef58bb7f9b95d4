"""Lanes that run one after another: what is shown of one that has not begun, or never did."""

import pytest
from reading import choose, facts, open_tab, state, wait_for

pytestmark = pytest.mark.browser

UNDER = ".comparison .under"
# Does a canvas show nothing but the faint dots of a lane without a picture? Pictures are opaque.
IS_BLANK = """(query) => { const canvas = document.querySelector(query);
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.every((value, at) => at % 4 !== 3 || value < 80); }"""


@pytest.fixture
def grouped(open_page, engine):
    """A page whose lane A makes 20 calls before lane B makes its 39; its errors are in a list."""
    page = open_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    choose(page, "#a_sampler", "Euler")
    yield page, engine
    assert errors == []


def hold(page, engine, call: int, lane: int = 0) -> None:
    engine.hold_at = call
    page.click("#run")
    wait_for(page, f"samplerExplorer.call === {call}")
    if lane:
        engine.hold_at = None
    page.wait_for_selector(".viewer[data-scrubbing]")


def compare(page, mode: str) -> None:
    page.check(f"input[name=compare][value={mode}]", force=True)


def scrub(page, call: int) -> None:
    page.get_by_label("Step", exact=True).fill(str(call))


def test_one_looks_back_at_the_lane_that_runs_before_the_longest_begins(grouped):
    page, engine = grouped
    engine.pace = 0.1
    hold(page, engine, 14)
    engine.pace = 0.005
    scrub(page, 4)
    page.wait_for_function(
        "parseInt(document.querySelector('.pane.lane-a [data-fact=call]').textContent) <= 5"
    )
    assert facts(page, "b")["call"] == "0 of 39"


def test_a_lane_that_never_began_is_blank_in_every_comparison(grouped):
    page, engine = grouped
    engine.hold_at = None
    page.click("#run")  # a whole run before: its pictures must not stay
    wait_for(page, "samplerExplorer.state === 'done'")
    compare(page, "slider")
    page.wait_for_function(f"!({IS_BLANK})('{UNDER}')")
    hold(page, engine, 10)
    page.wait_for_function(IS_BLANK, arg=UNDER)
    page.click("#stop")
    wait_for(page, "samplerExplorer.state === 'cancelled'")
    page.wait_for_selector(".viewer:not([data-fetching])")
    page.wait_for_function(IS_BLANK, arg=UNDER)
    compare(page, "difference")
    for view in ("denoised", "noisy", "change", "latent"):
        page.check(f"input[name=view][value={view}]", force=True)
        scrub(page, 3)
        page.wait_for_function(IS_BLANK, arg=UNDER)


def test_the_dialog_of_a_lane_that_never_began_says_so(grouped):
    page, engine = grouped
    hold(page, engine, 10)
    page.click("#stop")
    wait_for(page, "samplerExplorer.state === 'cancelled'")
    page.wait_for_selector(".viewer:not([data-fetching])")
    page.get_by_role("button", name="Enlarge the picture of lane A").press("Enter")
    page.keyboard.press("ArrowDown")
    where = page.get_by_role("dialog").locator(".where")
    page.wait_for_function(
        "document.querySelector('.enlarged .where').textContent === 'before its first call'"
    )
    page.wait_for_function(IS_BLANK, arg=".enlarged canvas")
    for key in ("ArrowRight", "End", "Home", "ArrowLeft"):
        page.keyboard.press(key)
    assert where.inner_text() == "before its first call"
    page.keyboard.press("ArrowUp")
    page.wait_for_function(
        "document.querySelector('.enlarged .where').textContent.startsWith('step ')"
    )


def test_who_looks_back_at_the_first_lane_stays_there_when_the_run_ends(grouped):
    page, engine = grouped
    engine.pace = 0.1
    hold(page, engine, 14)
    engine.hold_at = None
    wait_for(page, "samplerExplorer.frame === 19 || samplerExplorer.state === 'done'")
    page.get_by_role("button", name="Enlarge the picture of lane A").press("Enter")
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "parseInt(document.querySelector('.pane.lane-a [data-fact=call]').textContent) <= 14"
    )
    engine.pace = 0.005
    wait_for(page, "samplerExplorer.state === 'done'")
    page.wait_for_selector(".viewer:not([data-fetching])")
    assert facts(page, "a")["call"] != "20 of 20"


def test_the_plot_and_the_table_look_back_while_a_run_goes_on(grouped):
    page, engine = grouped
    engine.pace = 0.1
    hold(page, engine, 14)
    engine.pace = 0.005
    call = "parseInt(document.querySelector('.pane.lane-a [data-fact=call]').textContent)"
    page.wait_for_function(f"{call} === 14")
    box = page.locator("#plot .nsewdrag").bounding_box()
    page.mouse.click(box["x"] + 0.1 * box["width"], box["y"] + box["height"] / 2)
    page.wait_for_function(f"{call} <= 4")
    page.mouse.click(box["x"] + 0.95 * box["width"], box["y"] + box["height"] / 2)
    page.wait_for_function(f"{call} === 14")  # what is not made yet is the newest
    open_tab(page, "table")
    page.click("#calls_table tbody tr[data-at='2'] td >> nth=0")
    page.wait_for_function(f"{call} <= 4")
    assert state(page)["state"] == "running"
    open_tab(page, "schedule")
