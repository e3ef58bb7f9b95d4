"""The doctor in a real browser: it follows the form, says the worst beside the tabs, and mends."""

import re

import pytest
from playwright.sync_api import expect
from reading import choose, fill, in_turn, open_tab

pytestmark = pytest.mark.browser

DOCTOR = "#doctor .doctor"
WORST = "#tabs .worst"


def item(page, code: str):
    return page.locator(f"{DOCTOR} [data-code={code}]")


def a_page_begins_calm(page):
    expect(page.locator("#tab_doctor")).to_have_text("Doctor 3")
    expect(page.locator(f"{DOCTOR} .problems li")).to_have_count(0)
    expect(item(page, "terminal_snr")).to_be_hidden()
    expect(page.locator(WORST)).to_contain_text("2 lanes make 39 model calls each (78 in all)")


def the_worst_finding_is_in_sight_and_leads_to_all_of_them(page):
    fill(page, "steps", "10")
    worst = page.locator(WORST)
    expect(worst).to_have_attribute("data-severity", "warning")
    expect(worst).to_contain_text("0.369 to 0.0292")
    expect(page.locator("#tab_doctor .count")).to_have_attribute("data-severity", "warning")
    height = page.locator("#tabs").bounding_box()["height"]
    fill(page, "a_beta_end", "0.3")
    expect(worst).to_have_attribute("data-severity", "error")
    expect(worst).to_contain_text("0.231 is the largest safe beta end")
    assert page.locator("#tabs").bounding_box()["height"] == height
    worst.click()
    expect(page.locator("#tab_doctor")).to_be_focused()
    expect(item(page, "infinite_sigma")).to_be_visible()
    fill(page, "steps", "0")
    expect(worst).to_contain_text("Not redrawn while a setting is wrong: Steps.")


def lanes_have_their_letters_and_the_worst_comes_first(page):
    open_tab(page, "doctor")
    fill(page, "steps", "10")
    warning = page.locator(f"{DOCTOR} .problems .warning")
    expect(warning).to_have_attribute("data-code", "last_step")
    expect(warning.locator(".letters")).to_have_text("B")
    choose(page, "#a_prediction_type", "v_prediction")
    expect(page.locator(f"{DOCTOR} .problems li").first).to_have_attribute(
        "data-code", "prediction_differs"
    )
    expect(item(page, "prediction_differs").locator(".letters")).to_have_text("AB")
    expect(page.locator("#tabs [role=status]")).to_contain_text("warning: The model was trained")


def a_button_mends_all_lanes(page):
    open_tab(page, "doctor")
    fill(page, "a_beta_end", "0.3")
    expect(item(page, "infinite_sigma")).to_contain_text("0.231 is the largest safe beta end")
    item(page, "infinite_sigma").get_by_role("button", name="Beta end 0.231").click()
    expect(item(page, "infinite_sigma")).to_have_count(0)
    expect(page.locator("#a_beta_end input")).to_have_value("0.231")
    item(page, "betas_differ").get_by_role("button", name="Use the model's betas").click()
    expect(item(page, "betas_differ")).to_have_count(0)
    expect(page.locator("#a_beta_end input")).to_have_value("0.012")
    expect(page.locator("#a_trained_betas textarea")).to_have_value("")
    expect(page.locator("#plot .sentence")).to_have_text("")


def a_button_mends_only_the_lanes_that_it_is_about(page):
    open_tab(page, "doctor")
    page.uncheck("#same input")
    choose(page, "#b_schedule_type", "Karras")
    choose(page, "#b_timestep_spacing", "leading")
    shrunk = item(page, "range_shrunk")
    expect(shrunk.locator(".letters")).to_have_text("B")
    choose(page, "#a_timestep_spacing", "trailing")
    shrunk.get_by_role("button", name="Use linspace").click()
    expect(shrunk).to_have_count(0)
    expect(page.locator("#b_timestep_spacing option:checked")).to_have_text("linspace")
    expect(page.locator("#a_timestep_spacing option:checked")).to_have_text("trailing")


def a_button_mends_the_run(page):
    open_tab(page, "doctor")
    fill(page, "a_num_train_timesteps", "10")
    item(page, "steps_beyond_training").get_by_role("button", name="10 steps").click()
    expect(page.locator("#steps input")).to_have_value("10")
    expect(item(page, "steps_beyond_training")).to_have_count(0)


def a_form_that_cannot_be_read_leaves_the_last_findings_pale(page):
    open_tab(page, "doctor")
    said = page.locator(f"{DOCTOR} .findings").all_inner_texts()
    fill(page, "steps", "0")
    page.wait_for_selector("#steps_problem")
    expect(page.locator("#doctor [data-stale]")).to_have_count(1)
    assert page.locator(f"{DOCTOR} .findings").all_inner_texts() == said
    expect(page.locator(f"{DOCTOR} .cost")).to_be_hidden()  # of what cannot run nothing is known
    fill(page, "steps", "20")
    expect(page.locator("#doctor [data-stale]")).to_have_count(0)


def the_seconds_are_told_before_a_run(page):
    open_tab(page, "doctor")
    cost = page.locator(f"{DOCTOR} .cost")
    fill(page, "steps", "6")
    expect(cost).to_contain_text("11 model calls each (22 in all)")
    expect(cost).to_contain_text(re.compile(r"\(22 in all\), about \d+\.\d s,"))


PARTS = (
    a_page_begins_calm,
    the_worst_finding_is_in_sight_and_leads_to_all_of_them,
    lanes_have_their_letters_and_the_worst_comes_first,
    a_button_mends_all_lanes,
    a_button_mends_only_the_lanes_that_it_is_about,
    a_button_mends_the_run,
    a_form_that_cannot_be_read_leaves_the_last_findings_pale,
    the_seconds_are_told_before_a_run,
)


def test_it_follows_the_form_and_mends_it(open_page):
    in_turn(open_page(), PARTS)


def test_on_a_phone_nothing_sticks_out(open_page):
    page = open_page("?__theme=light", width=390, height=844)
    open_tab(page, "doctor")
    expect(item(page, "terminal_snr")).to_be_visible()
    for theme in ("light", "dark"):
        page.evaluate("(is) => document.body.classList.toggle('dark', is)", theme == "dark")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        wide = page.evaluate(
            f"Math.max(...[...document.querySelectorAll('{DOCTOR} *')].map("
            "(part) => part.getBoundingClientRect().right))"
        )
        assert wide <= 390, theme
