"""Runs in a real browser: to the end, stopped, broken, left; and the scrubber after them."""

import threading

import pytest
from reading import facts, progress, run_to_end, scrub_to, state, wait_for

pytestmark = pytest.mark.browser

CALLS = 39  # of 20 steps


def free(lock: threading.Lock) -> bool:
    """Whether the device becomes free while nothing but the test's patience passes."""
    taken = lock.acquire(timeout=20)
    if taken:
        lock.release()
    return taken


def test_a_run_goes_to_its_end(open_page):
    page = open_page()
    assert state(page) == {"state": "idle", "call": 0, "calls": 0, "frame": -1}
    run_to_end(page)
    assert state(page) == {"state": "done", "call": CALLS, "calls": CALLS, "frame": CALLS - 1}
    assert progress(page).startswith("39 calls per lane in ")


def test_progress_names_step_and_call(page, engine):
    engine.hold_at = 8
    page.click("#run")
    wait_for(page, "samplerExplorer.call === 8")
    assert state(page) == {"state": "running", "call": 8, "calls": CALLS, "frame": 7}
    assert progress(page) == "step 4½ of 20, call 8 of 39"
    assert page.locator("#progress .note").inner_text().endswith(" left")
    assert facts(page, "a")["step"] == "4½ of 20"


def test_run_says_running_at_once(page, engine):
    engine.hold_at = 0
    after_click = page.evaluate(
        "() => { document.querySelector('#run').click(); return samplerExplorer.state }"
    )
    assert after_click == "running"
    assert page.locator("#run").get_attribute("aria-disabled") == "true"


def test_stop_keeps_the_calls_so_far(page, engine):
    engine.hold_at = 9
    page.click("#run")
    wait_for(page, "samplerExplorer.call === 9")
    page.click("#stop")
    wait_for(page, "samplerExplorer.state === 'cancelled'")
    assert state(page) == {"state": "cancelled", "call": 9, "calls": CALLS, "frame": 8}
    assert page.get_by_label("Step", exact=True).get_attribute("max") == "8"
    told = progress(page), facts(page, "a")["call"], page.locator("#viewer output").inner_text()
    assert told == ("Stopped after call 9 of 39", "9 of 39", "step 5, call 9 of 39")
    scrub_to(page, 3)
    assert facts(page, "a")["call"] == "4 of 39"
    assert free(engine.lock)


def test_stop_before_the_first_frame(page, engine):
    engine.hold_at = 0
    page.click("#run")
    page.click("#stop")
    wait_for(page, "samplerExplorer.state === 'cancelled'")
    assert state(page)["call"] == 0
    assert free(engine.lock)
    engine.hold_at = None
    run_to_end(page)


def test_stop_while_another_run_has_the_device(page, engine):
    with engine.lock:
        page.click("#run")
        page.wait_for_function(
            "document.querySelector('#progress .where').textContent.includes('another run')"
        )
        page.click("#stop")
        wait_for(page, "samplerExplorer.state === 'cancelled'")


def test_closing_the_tab_frees_the_device(open_page, engine):
    page = open_page()
    engine.hold_at = 5
    page.click("#run")
    wait_for(page, "samplerExplorer.call === 5")
    made = engine.calls_made
    page.close()
    assert free(engine.lock)
    assert engine.calls_made == made


def test_a_second_run_starts_afresh(page, engine):
    run_to_end(page)
    scrub_to(page, 4)
    page.fill("#steps input", "5")
    engine.hold_at = 0
    page.click("#run")
    page.wait_for_selector(".viewer[data-waiting]")
    assert page.get_by_label("Step", exact=True).is_disabled()
    engine.hold_at = None
    wait_for(page, "samplerExplorer.state === 'done'")
    assert state(page) == {"state": "done", "call": 9, "calls": 9, "frame": 8}
    assert page.get_by_label("Step", exact=True).get_attribute("max") == "8"
    assert facts(page, "b")["call"] == "9 of 9"


def test_a_double_click_is_one_run(page, engine):
    before = engine.calls_made
    page.dblclick("#run")
    wait_for(page, "samplerExplorer.state === 'done'")
    assert engine.calls_made == before + CALLS


def test_nan_ends_the_run_with_a_sentence_and_keeps_its_calls(page):
    page.fill("#prompt textarea", "[nan]")
    page.click("#run")
    wait_for(page, "samplerExplorer.state === 'error'")
    assert "NaN in step 4" in progress(page)
    scrub_to(page, 6)


def test_an_error_is_a_sentence_and_the_page_goes_on(page):
    page.fill("#prompt textarea", "[boom]")
    page.click("#run")
    wait_for(page, "samplerExplorer.state === 'error'")
    assert "failed unexpectedly (RuntimeError)" in progress(page)
    page.fill("#prompt textarea", "a sailboat")
    run_to_end(page)


def test_a_run_that_cannot_start_leaves_the_last_one(page):
    run_to_end(page)
    page.fill("#steps input", "0")
    page.click("#run")
    wait_for(page, "samplerExplorer.state === 'error'")
    assert "Steps must be a whole number" in progress(page)
    scrub_to(page, 5)
    page.click("#run")  # and the same answer once more is an answer
    wait_for(page, "samplerExplorer.state === 'error'")
