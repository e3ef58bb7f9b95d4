"""What a phone shows is whole, has its label, and lies on nothing that scrolls by."""

import pytest
from playwright.sync_api import expect
from reading import at_rest, fill, run_to_end, wait_for

pytestmark = pytest.mark.browser

BEYOND = """() => [...document.querySelectorAll('.panes .facts dl > div')].map((row) => {
    const text = document.createRange();
    text.selectNodeContents(row);
    return text.getBoundingClientRect().right - row.closest('.pane').getBoundingClientRect().right;
})"""
BETWEEN = """() => [...document.querySelectorAll('.panes .facts dl')].map((list) =>
    list.querySelectorAll('dt')[1].getBoundingClientRect().left
        - list.querySelector('dd').getBoundingClientRect().right)"""


@pytest.mark.parametrize("steps", ["20", "150"])
@pytest.mark.parametrize("width", [360, 390])
def test_the_numbers_under_two_pictures_are_whole(open_page, width, steps):
    page = open_page(width=width, height=800)
    page.evaluate("document.querySelector('#settings .toggle-button').click()")
    fill(page, "steps", steps)
    run_to_end(page)
    page.get_by_label("Step", exact=True).press("ArrowLeft")  # a call in the middle of a step
    wait_for(page, "samplerExplorer.frame === samplerExplorer.calls - 2")
    beyond = page.evaluate(BEYOND)
    assert len(beyond) == 8
    assert max(beyond) <= 0.5
    assert min(page.evaluate(BETWEEN)) >= 4  # a call's number and the name of the step
    shown = page.locator(".pane.lane-a [data-fact=call]").inner_text()
    assert shown == {"20": "38 of 39", "150": "298"}[steps]  # the scrubber has the rest


@pytest.mark.parametrize("width", [360, 390])
def test_every_switch_has_its_label_above_its_words(open_page, width):
    page = open_page(width=width, height=800)
    switches = page.locator(".viewer .segments")
    assert switches.count() == 3
    for at in range(3):
        name, words = switches.nth(at).locator("legend"), switches.nth(at).locator("label span")
        assert name.evaluate("(it) => getComputedStyle(it).clipPath") == "none"
        box, first = name.bounding_box(), words.first
        text = first.evaluate(
            "(it) => { const all = document.createRange(); all.selectNodeContents(it.firstChild);"
            " return all.getBoundingClientRect().top; }"
        )
        assert box["height"] > 8 and box["y"] + box["height"] <= text + 2
        assert abs(box["x"] - first.bounding_box()["x"]) < 10
    view, compare = (page.locator(".views .segments").nth(at).bounding_box() for at in (0, 1))
    assert view["y"] == compare["y"]


def test_nothing_is_seen_to_scroll_by_around_the_settings_button(open_keeping_page):
    page = open_keeping_page(width=390, height=700)
    page.wait_for_selector("#past_runs")
    page.click("#tab_doctor")
    seen = set()
    for y in (60, 95, 130, 165, 200):
        page.evaluate(f"scrollTo(0, {y})")
        at_rest(page)
        seen.add(page.screenshot(clip={"x": 0, "y": 0, "width": 108, "height": 48}))
    assert len(seen) == 1


def test_nothing_is_seen_to_scroll_by_above_the_name_in_the_settings(open_page):
    page = open_page(width=390, height=700)
    page.click("#settings .toggle-button")
    page.wait_for_selector("#settings.open")
    at_rest(page)
    seen = set()
    for y in (0, 60, 95, 130, 165, 200):
        page.evaluate(f"document.querySelector('#settings .sidebar-content').scrollTo(0, {y})")
        seen.add(page.screenshot(clip={"x": 0, "y": 0, "width": 240, "height": 44}))
    assert len(seen) == 1


def test_the_bar_says_in_full_how_far_a_run_is(open_page, engine):
    page = open_page(width=360, height=800)
    page.evaluate("document.querySelector('#settings .toggle-button').click()")
    fill(page, "steps", "150")
    engine.hold_at = 100
    page.click("#run")
    where = page.locator("#progress .where")
    expect(where).to_contain_text(" of 299")
    assert where.evaluate("(it) => it.scrollWidth <= it.clientWidth")
    engine.hold_at = None
    wait_for(page, "samplerExplorer.state === 'done'")


def test_what_went_wrong_is_read_across_the_bar_and_run_stays_where_it_is(open_page):
    page = open_page(width=390, height=800)
    page.wait_for_selector("#settings:not(.open)")
    before = page.locator("#run").bounding_box()
    page.evaluate("document.querySelector('#settings .toggle-button').click()")
    page.click("#picture_group .fold-head")
    fill(page, "width", "77")
    page.wait_for_selector("#width_problem")
    page.click("#run")
    wait_for(page, "samplerExplorer.state === 'error'")
    sentence, run = (page.locator(each).bounding_box() for each in ("#progress", "#run"))
    assert sentence["width"] > 340
    assert sentence["y"] + sentence["height"] <= run["y"]
    assert abs(run["y"] - before["y"]) <= 4
    assert run["x"] == before["x"]


def test_a_badge_is_inside_its_picture(open_page):
    page = open_page(width=390, height=800)
    run_to_end(page)
    page.evaluate("document.querySelector('#settings .toggle-button').click()")
    fill(page, "seed", "8")
    page.wait_for_selector(".viewer[data-stale]")
    badge, screen = (
        page.locator(f".pane.lane-a {each}").bounding_box() for each in (".badge", ".screen")
    )
    assert badge["x"] + badge["width"] <= screen["x"] + screen["width"] - 5
    assert badge["height"] < 30  # one line


def test_a_fix_of_the_doctor_is_as_high_as_a_finger_needs(open_page):
    page = open_page(width=390, height=800)
    page.click("#tab_doctor")
    assert page.locator("#doctor .findings button").first.bounding_box()["height"] >= 44
