"""The page goes on where a redraw broke off on the server, or did not reach it."""

import pytest
from reading import curve, fill

from explorer.settings import LaneSettings
from explorer.ui import settings_events
from explorer.views.answers import UNEXPECTED

pytestmark = pytest.mark.browser

SENTENCE = "document.querySelector('#plot .sentence').textContent"


def goes_on(page) -> None:
    """The next change is drawn, examined, and said nothing of."""
    fill(page, "steps", "6")
    page.wait_for_function(f"{SENTENCE} === ''")
    page.wait_for_function("document.querySelector('#doctor .cost').textContent.includes('22')")
    assert curve(page, 0) == pytest.approx(LaneSettings().schedule(6).sigma.tolist())


def test_a_redraw_that_breaks_off_is_told_and_the_next_is_drawn(open_page, monkeypatch):
    page = open_page()
    with monkeypatch.context() as patch:
        patch.setattr(settings_events, "plot_payload", lambda *_: 1 / 0)
        fill(page, "steps", "7")
        page.wait_for_function(f"text => {SENTENCE} === text", arg=UNEXPECTED)
    goes_on(page)


def test_a_change_that_the_server_does_not_take_is_told_and_the_next_is_drawn(open_page):
    page, refused = open_page(), []

    def refuse_once(route):
        if refused:
            return route.continue_()
        refused.append(route.request.url)
        return route.fulfill(status=413, json={"error": None})

    page.route("**/run/predict*", refuse_once)
    fill(page, "steps", "7")
    page.wait_for_function(f"{SENTENCE}.includes('did not take this change')")
    assert refused
    goes_on(page)
