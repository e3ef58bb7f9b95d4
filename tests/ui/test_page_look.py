"""The page on a phone, in the dark, and without the network."""

from urllib.parse import urlparse

import pytest
from reading import run_to_end, wait_for

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


def test_on_a_phone_the_settings_are_closed_and_run_is_in_reach(open_page):
    page = open_page(width=390, height=844)
    page.wait_for_selector("#settings:not(.open)")
    page.wait_for_function("document.querySelector('#settings').getBoundingClientRect().right <= 0")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#run").bounding_box()["y"] < 844
    page.click("#settings .toggle-button")
    page.wait_for_selector("#settings.open")
    run_to_end(page)  # Run is above the open settings, and closes them
    page.wait_for_selector("#settings:not(.open)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_plot_wears_the_theme(open_page, theme):
    page = open_page(f"?__theme={theme}")
    ink, wanted, line, lane = page.evaluate(COLOURS)
    assert (ink, line) == (wanted, lane)
    page.evaluate("document.body.classList.toggle('dark')")
    wait_for(page, f"document.querySelector('#plot .area')._fullLayout.font.color !== '{ink}'")
    ink, wanted, line, lane = page.evaluate(COLOURS)
    assert (ink, line) == (wanted, lane)


COLOURS = """() => {
    const { _fullLayout, _fullData } = document.querySelector('#plot .area');
    const style = getComputedStyle(document.body);
    const first = _fullData.find(({ meta }) => meta.lane === 0);
    return [_fullLayout.font.color, style.getPropertyValue('--ink-2'),
            first.line.color, style.getPropertyValue('--lane-a')];
}"""
