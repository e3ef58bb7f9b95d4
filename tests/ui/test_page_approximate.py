"""Frames that a stop has left as linear colours say so, each as long as it is one of them."""

import pytest
from reading import run_to_end, scrub_to, wait_for

pytestmark = pytest.mark.browser

CALLS = 12  # that the run makes before it is stopped
EXACT = 5
SIDE = 256
BADGES = "[...document.querySelectorAll('.pane .approximate')]"
LEFT = f"{4 * (CALLS - EXACT)} of {4 * CALLS} frames are approximate, by linear colours"
WHERE = "document.querySelector('#progress .where')"


@pytest.fixture
def stopping(engine):
    engine.hold_at, engine.exact_calls = CALLS, EXACT
    yield engine
    engine.exact_calls, engine.full_side = None, 0


def stop(page) -> None:
    page.click("#run")
    wait_for(page, f"samplerExplorer.call === {CALLS}")
    page.click("#stop")
    wait_for(page, "samplerExplorer.state === 'cancelled'")
    page.wait_for_selector(".viewer:not([data-fetching])")


def badges(page) -> list[bool]:
    return [each.is_visible() for each in page.locator(".pane .approximate").all()]


def test_each_frame_says_whether_it_is_approximate(open_page, stopping):
    page = open_page()
    stop(page)
    for view in ("denoised", "noisy"):
        page.check(f"input[name=view][value={view}]", force=True)
        for call in (CALLS - 1, EXACT, EXACT - 1, 0):
            scrub_to(page, call)
            assert badges(page) == [call >= EXACT] * 2
    page.check("input[name=view][value=change]", force=True)
    for call in (CALLS - 1, EXACT, EXACT - 1):  # of what changed since the call before
        scrub_to(page, call)
        assert badges(page) == [call >= EXACT] * 2


def test_a_frame_in_full_size_is_not_approximate(open_page, stopping):
    stopping.full_side = SIDE
    page = open_page()
    stop(page)
    scrub_to(page, EXACT)
    wait_for(page, f"document.querySelector('.pane canvas').width >= {SIDE}")
    wait_for(page, f"{BADGES}.every((one) => one.hidden)")
    page.check("input[name=view][value=change]", force=True)  # which is made of the small frames
    wait_for(page, f"{BADGES}.every((one) => !one.hidden)")


def test_the_next_run_is_exact(open_page, stopping):
    page = open_page()
    stop(page)
    assert badges(page) == [True, True]
    stopping.hold_at = None
    run_to_end(page)
    scrub_to(page, EXACT)
    assert badges(page) == [False, False]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_bar_shows_the_whole_sentence_of_a_stop(open_page, stopping, width):
    page = open_page(width=width, height=844)
    page.evaluate("document.querySelector('#run').click()")
    wait_for(page, f"samplerExplorer.call === {CALLS}")
    page.evaluate("document.querySelector('#stop').click()")
    wait_for(page, "samplerExplorer.state === 'cancelled'")
    assert page.evaluate(f"{WHERE}.textContent").endswith(f". {LEFT}")
    assert page.evaluate(f"{WHERE}.scrollWidth <= {WHERE}.clientWidth")


def test_the_sentence_goes_when_every_frame_has_come_in_full_size(open_page, stopping):
    stopping.full_side = SIDE
    page = open_page()
    stop(page)
    wait_for(page, rf"/^Stopped after call {CALLS} of \d+$/.test({WHERE}.textContent)")
