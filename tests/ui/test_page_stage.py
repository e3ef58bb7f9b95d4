"""The page is one screen: what stands where, whatever it holds, and what a phone keeps in sight."""

import pytest
from reading import fill, open_tab, part, run_to_end, wait_for

pytestmark = pytest.mark.browser

PLACES = """() => Object.fromEntries(["#bar", "#viewer", ".transport", "#tabs", "#panels"].map(
    (one) => { const { top, bottom, right } = document.querySelector(one).getBoundingClientRect();
    return [one, { top, bottom, right }]; }))"""
SIZES = [(1280, 900), (1280, 600), (1920, 1080)]
NOT_INSIDE = """() => { const tabs = document.querySelector('#tabs').getBoundingClientRect().top;
    const parts = [...document.querySelectorAll('#viewer :is(.pane, dd, .transport, .views)')];
    return parts.filter((one) => one.checkVisibility())
        .filter((one) => one.getBoundingClientRect().bottom > tabs + 0.5)
        .map((one) => one.outerHTML.slice(0, 80)); }"""


def set_lanes(page, count: int) -> None:
    """Give the page so many lanes, by its own buttons."""
    page.evaluate(
        """(count) => { const now = () => document.querySelectorAll('.lane-lines li').length;
            while (now() < count) document.querySelector('#lanes .add').click();
            while (now() > count) document.querySelector('.lane-lines .remove').click(); }""",
        count,
    )


def resize(page, size: tuple[int, int]) -> None:
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function(f"innerWidth === {width} && innerHeight === {height}")


def test_nothing_scrolls_and_nothing_above_the_tabs_moves(open_page):
    """One page in windows of all sizes: opening it costs seconds, as do its runs."""
    page, before = open_page(), {}
    for size in SIZES:
        resize(page, size)
        before[size] = places = page.evaluate(PLACES)
        assert places["#viewer"]["top"] >= 0 and places["#panels"]["bottom"] <= size[1]
        plot = page.locator("#plot").bounding_box()
        assert plot["height"] >= 120 and plot["y"] + plot["height"] <= size[1]
    for lanes in (6, 5, 4, 3, 1, 2):
        set_lanes(page, lanes)
        run_to_end(page)
        wait_for(page, f"document.querySelectorAll('.pane').length === {lanes}")
        for size in SIZES:
            resize(page, size)
            for tab in ("lanes", "doctor", "table", "learn", "schedule"):
                page.evaluate(f"document.querySelector('#tab_{tab}').click()")
                assert page.evaluate(PLACES) == before[size], (lanes, tab, size)
            assert page.evaluate(NOT_INSIDE) == [], (lanes, size)
    fill(page, "a_beta_end", "0.5")  # a finding
    page.wait_for_selector("#tabs .worst[data-severity=error]")
    for size in SIZES:
        resize(page, size)
        assert page.evaluate(PLACES) == before[size]
        assert page.evaluate(
            "document.documentElement.scrollHeight <= innerHeight"
            " && document.documentElement.scrollWidth <= innerWidth"
        )


def test_beside_the_open_sidebar_a_narrow_column_holds_its_parts(open_page):
    page = open_page(width=800, height=768)
    for lanes in (2, 6):
        set_lanes(page, lanes)
        run_to_end(page)
        wait_for(page, f"document.querySelectorAll('.pane').length === {lanes}")
        for width in (800, 1024):
            resize(page, (width, 768))
            assert page.evaluate(NOT_INSIDE) == [], (lanes, width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_low_window_scrolls_rather_than_shrink_to_nothing(open_page):
    page = open_page(width=900, height=360)
    places = page.evaluate(PLACES)
    assert page.locator("#plot").bounding_box()["height"] >= 60
    assert places["#panels"]["bottom"] <= 700
    with part("a panel scrolls inside"):
        resize(page, (1280, 600))
        open_tab(page, "lanes")
        page.locator("#panel_lanes").evaluate("(panel) => panel.scrollTo(0, panel.scrollHeight)")
        assert page.evaluate("document.querySelector('#panel_lanes').scrollTop") > 100
        assert page.evaluate("scrollY") == 0
    with part("a tab stays open over a reload"):
        open_tab(page, "doctor")
        page.reload()
        page.wait_for_selector("#panel_doctor[data-open]")
        assert page.evaluate("document.querySelector('#panel_schedule').inert")


def test_on_a_phone_pictures_and_scrubber_stay_at_the_top_and_run_at_the_foot(open_page):
    page = open_page(width=390, height=844)
    for lanes in (1, 2, 6):
        with part(f"{lanes} lanes"):
            set_lanes(page, lanes)
            page.evaluate("scrollTo(0, 0)")
            page.evaluate("document.querySelector('#tab_schedule').click()")
            run_to_end(page)
            stay_in_sight_on_a_phone(page, lanes)
    with part("a row of six pictures scrolls sideways by keys too"):
        page.wait_for_selector(".panes[data-lanes='6'][tabindex='0']")
        page.locator(".panes").press("ArrowRight")
        page.wait_for_function("document.querySelector('.panes').scrollLeft > 0")
        page.locator(".pane.lane-f .enlarge").focus()
        last = page.locator(".pane.lane-f .screen").bounding_box()
        assert last["x"] + last["width"] <= 390


def stay_in_sight_on_a_phone(page, lanes: int) -> None:
    wait_for(page, f"document.querySelectorAll('.pane').length === {lanes}")
    for tab in ("schedule", "doctor", "lanes"):
        page.evaluate(f"document.querySelector('#tab_{tab}').click()")
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        assert page.evaluate("document.documentElement.scrollWidth") == 390, tab
        for query in (
            ".pane .screen",
            ".transport [type=range]",
            "#run",
            "#settings .toggle-button",
        ):
            box = page.locator(query).first.bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= 844, (tab, query)
        scrubber = page.locator(".transport [type=range]").bounding_box()
        assert scrubber["y"] + scrubber["height"] < page.locator("#bar").bounding_box()["y"] - 150
    stuck = page.evaluate("document.querySelector('#viewer').getBoundingClientRect().bottom")
    assert stuck < (0.55 if lanes == 2 else 0.47) * 844
    open_tab(page, "table")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    assert (
        page.evaluate("document.querySelector('#viewer').getBoundingClientRect().bottom") == stuck
    )
    heads = page.locator(".calls-table thead th").first.bounding_box()
    assert stuck <= heads["y"] < 844 - 250  # of the table, whose rows are below them
