"""The page on a phone, in the dark, and without the network."""

from urllib.parse import urlparse

import pytest
from playwright.sync_api import expect
from reading import fill, in_turn, open_fold, part, run_to_end, wait_for

from explorer.hosting.files import PLOTLY

pytestmark = pytest.mark.browser


def test_no_request_leaves_the_machine(context, open_page):
    seen = []
    context.on("request", lambda request: seen.append(request.url))
    page = open_page()
    run_to_end(page)
    hosts = {urlparse(url).hostname for url in seen if not url.startswith(("data:", "blob:"))}
    assert hosts == {"127.0.0.1"}
    assert any(urlparse(url).path.endswith(f"/{PLOTLY}") for url in seen)
    with part("the plot in the light"):
        wears_the_theme(page)
    with part("a long sentence"):
        a_long_sentence_of_a_finished_run_is_whole(page)


def a_long_sentence_of_a_finished_run_is_whole(page):
    cut = page.evaluate(
        "(() => { const where = document.querySelector('#progress .where');"
        " where.textContent = 'The server could not write this run. '.repeat(8);"
        " return where.scrollWidth > where.clientWidth; })()"
    )
    assert not cut


# --- on a phone ----------------------------------------------------------------------------------


def the_settings_are_closed_and_run_is_in_reach(page):
    page.wait_for_selector("#settings:not(.open)")
    page.wait_for_function("document.querySelector('#settings').getBoundingClientRect().right <= 0")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#run").bounding_box()["y"] < 844
    page.click("#settings .toggle-button")
    page.wait_for_selector("#settings.open")
    run_to_end(page)  # Run is above the open settings, and closes them
    page.wait_for_selector("#settings:not(.open)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def a_refused_run_leaves_the_settings_open_at_what_is_wrong(page):
    page.click("#settings .toggle-button")
    fill(page, "steps", "20")
    open_fold(page, "picture_group")
    fill(page, "width", "77")
    page.wait_for_selector("#width_problem")
    page.locator("#settings .sidebar-content").evaluate("(it) => it.scrollTo(0, it.scrollHeight)")
    page.click("#run")
    wait_for(page, "samplerExplorer.state === 'error'")
    expect(page.locator("#width_problem")).to_be_in_viewport(ratio=1)
    assert page.locator("#settings.open").count() == 1
    fill(page, "width", "64")
    run_to_end(page)
    page.wait_for_selector("#settings:not(.open)")


def what_the_plot_says_lies_below_its_drawing_and_names_the_setting(page):
    before = page.locator("#plot").bounding_box()
    page.evaluate("document.querySelector('#settings .toggle-button').click()")
    open_fold(page, "picture_group")
    fill(page, "width", "77")
    sentence = page.locator("#plot .sentence")
    expect(sentence).to_have_text("Not redrawn while a setting is wrong: Width.")
    tops = sentence.bounding_box()["y"], page.locator("#plot .area").bounding_box()
    assert tops[0] >= tops[1]["y"] + tops[1]["height"]
    assert page.locator("#plot").bounding_box()["height"] == before["height"]


def test_on_a_phone_run_and_what_it_says_are_in_reach(open_page):
    in_turn(
        open_page(width=390, height=844),
        (
            the_settings_are_closed_and_run_is_in_reach,
            a_refused_run_leaves_the_settings_open_at_what_is_wrong,
            what_the_plot_says_lies_below_its_drawing_and_names_the_setting,
        ),
    )


# --- in the dark, and beside a closed sidebar ----------------------------------------------------


def wears_the_theme(page) -> str:
    """The colour of the plot's text, which is the theme's as that of lane A is."""
    ink, wanted, line, lane = page.evaluate(COLOURS)
    assert (ink, line) == (wanted, lane)
    return ink


COLOURS = """() => {
    const { _fullLayout, _fullData } = document.querySelector('#plot .area');
    const style = getComputedStyle(document.body);
    const first = _fullData.find(({ meta }) => meta.lane === 0);
    return [_fullLayout.font.color, style.getPropertyValue('--ink-2'),
            first.line.color, style.getPropertyValue('--lane-a')];
}"""


def test_the_plot_wears_the_theme_and_the_closed_sidebars_button_is_not_on_run(open_page):
    page = open_page("?__theme=dark", width=844)
    ink = wears_the_theme(page)
    for turn in ("to light", "and back"):
        with part(turn):
            page.evaluate("document.body.classList.toggle('dark')")
            wait_for(
                page, f"document.querySelector('#plot .area')._fullLayout.font.color !== '{ink}'"
            )
            ink = wears_the_theme(page)
    page.click("#settings .toggle-button")
    page.wait_for_selector("#settings:not(.open)")
    for width in (844, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function(f"innerWidth === {width}")
        with part(f"the sidebar's button, {width} pixels"):
            the_closed_sidebars_button_is_not_on_run(page)


def the_closed_sidebars_button_is_not_on_run(page):
    run, button = (page.locator(each) for each in ("#run", "#settings .toggle-button"))
    wait_for(
        page,  # the column has come to rest
        "(() => { const { left } = document.querySelector('#run').getBoundingClientRect();"
        " const rests = left === window.lastLeft; window.lastLeft = left;"
        " return rests && left < 100; })()",
    )
    assert run.bounding_box()["x"] >= button.bounding_box()["x"] + button.bounding_box()["width"]


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (1280, 600), (900, 700)])
def test_a_long_refusal_can_be_read_and_covers_nothing(open_page, width, height):
    page = open_page(width=width, height=height)
    page.click("#picture_group .fold-head")
    fill(page, "width", "77")
    page.wait_for_selector("#width_problem")
    page.click("#run")
    wait_for(page, "samplerExplorer.state === 'error'")
    where = page.locator("#progress .where")
    where.evaluate(
        "(it) => (it.textContent = 'Lower the steps, the batch size or lanes. '.repeat(8))"
    )
    box, bar = where.bounding_box(), page.locator("#bar").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= bar["y"] + bar["height"]
    where.hover()
    page.mouse.wheel(0, 500)  # its end can be reached
    page.wait_for_function(
        "(() => { const it = document.querySelector('#progress .where');"
        " return it.scrollTop + it.clientHeight >= it.scrollHeight - 1; })()"
    )
