"""The table of the lanes in a real browser: adding, removing, folding, resetting, being told."""

import json

import pytest
from playwright.sync_api import expect
from reading import (
    choose,
    curve,
    facts,
    fill,
    in_turn,
    open_tab,
    part,
    progress,
    run_to_end,
    scrub_to,
    undo_all,
    unfold,
    wait_for,
)

from explorer.settings import LaneSettings
from explorer.views.lanes import LANE_NAMES

pytestmark = pytest.mark.browser

ADD = "#lanes .add"


def box(page, control: str):
    return page.locator(f"#{control} :is(input, select, textarea)")


def value(page, control: str) -> str:
    return box(page, control).input_value()


def shown(page, control: str) -> str:
    """What a menu of the table shows."""
    return page.locator(f"#{control} option:checked").text_content()


def remove(page, lane: str) -> None:
    page.get_by_role("button", name=f"Remove lane {lane}").click()


def apply(page, lane: int | None, **values) -> None:
    """Ask the form for settings as another part of the page does."""
    page.evaluate(
        """async ([lane, values]) => {
            const files = performance.getEntriesByType('resource').map(({ name }) => name);
            const module = files.find((name) => name.endsWith('/form.js'));
            (await import(module)).applySettings(lane, values);
        }""",
        [lane, values],
    )


def wait_for_points(page, lane: int, count: int) -> None:
    """Until the plot draws so many sigmas of a lane."""
    sigmas = f"({{ meta }}) => meta.lane === {lane} && meta.kind === 'sigma'"
    wait_for(
        page, f"document.querySelector('#plot .area').data.find({sigmas})?.y.length === {count}"
    )


def summary(page, group: str) -> str:
    return page.locator(f"[data-group={group}] .summary").inner_text()


def three_lanes_run(page, engine):
    page.click(ADD)
    page.uncheck("#same input")
    choose(page, "#c_sampler", "DPM2")
    choose(page, "#c_schedule_type", "Karras")
    fill(page, "c_rho", "5")
    run_to_end(page)
    assert engine.settings.lanes == (
        LaneSettings(),
        LaneSettings(sampler="dpm2_a"),
        LaneSettings(schedule_type="karras", rho=5),
    )
    assert page.locator(".pane").count() == 3
    assert facts(page, "c")["call"] == "39 of 39"
    assert page.locator(".pane.lane-c .name").inner_text() == "DPM2 Karras"
    expected = LaneSettings(schedule_type="karras", rho=5).schedule(20)
    assert curve(page, 2) == pytest.approx(expected.sigma.tolist())


def an_added_lane_is_a_copy_of_the_last_one_and_six_are_the_most(page, engine):
    page.uncheck("#same input")
    fill(page, "b_s_noise", "0.5")
    for lane in range(3, len(LANE_NAMES) + 1):
        page.click(ADD)
        assert page.locator(".lane-heads .head").count() == lane
    assert value(page, "f_s_noise") == "0.5"
    assert value(page, "a_s_noise") == "1"
    assert page.locator(ADD).inner_text() == "Six lanes are the most"
    assert page.locator(ADD).get_attribute("aria-disabled") == "true"
    page.click(ADD, force=True)
    assert page.locator(".lane-heads .head").count() == len(LANE_NAMES)
    run_to_end(page)
    assert page.locator(".pane").count() == len(LANE_NAMES)
    assert len(engine.settings.lanes) == len(LANE_NAMES)


def removing_a_lane_moves_the_others_up(page, engine):
    page.click(ADD)
    page.uncheck("#same input")
    choose(page, "#c_sampler", "DPM2 a")
    fill(page, "c_s_churn", "2")
    remove(page, "B")
    assert value(page, "b_s_churn") == "2"
    remove(page, "A")
    assert page.get_by_role("button", name="Remove lane").count() == 0
    assert page.locator("#same").is_hidden()
    wait_for(page, "document.querySelectorAll('.pane').length === 1")
    run_to_end(page)
    assert engine.settings.lanes == (LaneSettings(sampler="dpm2_a", s_churn=2),)


def without_lane_a_the_others_keep_what_they_share(page, engine):
    fill(page, "a_s_churn", "3")
    remove(page, "A")
    assert value(page, "a_s_churn") == "3"
    run_to_end(page)
    assert engine.settings.lanes == (LaneSettings(sampler="dpm2_a", s_churn=3),)


def same_settings_are_one_control_and_a_sampler_each(page, engine):
    page.click(ADD)
    choose(page, "#c_sampler", "DPM2")
    fill(page, "a_midpoint_ratio", "0.4")
    assert page.locator("[data-field=midpoint_ratio] input").count() == 1
    assert page.locator("[data-field=sampler] select").count() == 3
    run_to_end(page)
    assert [lane.midpoint_ratio for lane in engine.settings.lanes] == [0.4] * 3
    assert [lane.sampler for lane in engine.settings.lanes] == ["dpm2", "dpm2_a", "dpm2"]


def a_folded_group_says_what_differs_and_opens_for_a_problem(page, engine):
    assert page.locator("#a_beta_end").is_hidden()
    head = page.locator("[data-group=training] .fold-head")
    assert head.get_attribute("aria-expanded") == "false"
    fill(page, "a_beta_end", "0.02")
    head.click()
    assert page.locator("#a_beta_end").is_hidden()
    assert summary(page, "training") == "Beta end 0.02"
    page.uncheck("#same input")
    assert summary(page, "training") == "A: Beta end 0.02"
    apply(page, 1, beta_start="pony")
    page.wait_for_selector("#b_beta_start_problem", state="visible")
    assert page.locator("#b_beta_start input[aria-invalid=true]").is_visible()
    assert head.get_attribute("aria-expanded") == "true"
    fill(page, "b_beta_start", "8.5e-4")
    page.wait_for_selector("#b_beta_start_problem", state="detached")
    assert summary(page, "training") == "A: Beta end 0.02"


def a_field_that_does_not_apply_is_out_of_sight_but_never_lost(page, engine):
    row = page.locator("[data-field=rho]")
    assert row.is_hidden()
    choose(page, "#a_schedule_type", "Karras")
    assert row.is_visible()
    fill(page, "a_rho", "5")
    choose(page, "#a_schedule_type", "Automatic")
    assert row.is_visible()
    assert row.get_attribute("data-idle") == ""
    assert summary(page, "schedule") == "Rho 5"
    fill(page, "a_rho", "-")  # while it is being typed in, it stays
    assert row.is_visible()
    row.locator(".sentence").wait_for()  # which keeps the row, until the server knows better
    fill(page, "a_rho", "")  # the type's own
    box(page, "a_schedule_type").focus()
    row.wait_for(state="hidden")


def a_field_of_one_sampler_is_shown_to_its_lane(page, engine):
    page.uncheck("#same input")
    assert page.locator("#b_eta input").is_visible()
    assert page.locator("#a_eta input").is_hidden()
    choose(page, "#a_sampler", "DPM2 a")
    assert page.locator("#a_eta input").is_visible()


def a_lane_is_reset_to_what_the_model_has(page, engine):
    page.uncheck("#same input")
    reset = page.get_by_role("button", name="Reset lane B")
    assert reset.count() == 0 or not reset.is_visible()
    fill(page, "b_s_noise", "0.5")
    choose(page, "#b_schedule_type", "Karras")
    choose(page, "#b_sampler", "DPM2")
    reset.click()
    assert value(page, "b_s_noise") == "1"
    assert shown(page, "b_schedule_type") == "Automatic"
    run_to_end(page)
    assert engine.settings.lanes == (LaneSettings(), LaneSettings())


def others_may_ask_for_settings(page, engine):
    page.uncheck("#same input")
    apply(page, 1, sigmas=[10, 2.5, 0.5], schedule_type="karras", steps=9)
    page.wait_for_function("document.querySelector('#b_sigmas textarea').value === '10, 2.5, 0.5'")
    assert value(page, "a_sigmas") == ""
    apply(page, None, s_noise=0.9)
    page.check("#same input")
    apply(page, 1, midpoint_ratio=0.3, sampler="dpm2")
    apply(page, 9, s_churn=1, pony=2)
    wait_for(page, "document.querySelector('#a_midpoint_ratio input').value === '0.3'")
    run_to_end(page)
    assert engine.settings.steps == 9
    assert engine.settings.lanes == (LaneSettings(s_noise=0.9, midpoint_ratio=0.3, s_churn=1),) * 2


def test_others_may_choose_in_a_menu_of_the_run(open_page, engine):
    engine.device, before = "cuda", engine.device
    try:
        page = open_page()
        apply(page, None, rng="gpu")
        wait_for(page, "document.querySelector('#picture_group .summary').textContent !== ''")
        assert page.locator("#picture_group .summary").inner_text() == "GPU noise"
    finally:
        engine.device = before


def typing_keeps_the_caret_and_is_few_updates(page, engine):
    field = box(page, "a_s_noise")
    field.focus()
    field.press("Home")
    field.type("0.0625", delay=5)
    assert page.evaluate("document.activeElement.selectionStart") == 6
    page.wait_for_timeout(400)
    assert page.evaluate("document.activeElement.selectionStart") == 6
    assert value(page, "a_s_noise") == "0.06251"
    sent = []
    page.on("request", lambda request: sent.append(request.url) if is_update(request) else None)
    with page.expect_request(is_update):  # six keys in one task, however slow the machine is
        field.evaluate(
            """(box) => [..."012345"].forEach((digit) => {
                box.value += digit;
                box.dispatchEvent(new Event("input", { bubbles: true }));
            })"""
        )
    page.wait_for_timeout(400)  # nothing tells that no more will come
    assert value(page, "a_s_noise") == "0.06251012345"
    assert 1 <= len(sent) <= 3


def is_update(request) -> bool:
    return "/queue/join" in request.url or "/run/" in request.url


HOSTILE = ["<img src=x onerror=window.hit=1>", "${window.hit=1}{{window.hit=1}}`"]


def what_is_typed_or_asked_for_is_shown_literally(page, engine):
    for text in HOSTILE:
        with part(text):
            shown_literally(page, text)
            undo_all(page)


def shown_literally(page, text: str) -> None:
    page.uncheck("#same input")
    fill(page, "b_beta_end", text)
    apply(page, 0, sigmas=text, sampler=text, beta=text, beta_end=text)
    page.wait_for_selector("#b_beta_end_problem")
    page.wait_for_selector("#a_sigmas_problem")
    page.click(ADD)
    page.wait_for_selector("#b_beta_end_problem")
    unfold(page, "#a_beta_end")
    assert text[:10] in summary(page, "training")
    assert page.evaluate("window.hit") is None
    assert page.locator("img[onerror]").count() == 0


def controls_have_names_help_and_sentences(page, engine):
    unfold(page, "#a_beta_end")
    page.uncheck("#same input")
    field = page.get_by_role("textbox", name="Beta end, lane B")
    described = field.get_attribute("aria-describedby")
    assert page.locator(f"#{described}").text_content().startswith("Last training beta.")
    field.fill("7")
    page.wait_for_selector("#b_beta_end_problem")
    assert field.get_attribute("aria-describedby") == "b_beta_end_problem"
    field.fill("0.02")
    page.wait_for_selector("#b_beta_end_problem", state="detached")
    assert field.get_attribute("aria-describedby") == described
    page.locator("[data-field=beta_end] .label").hover()
    page.wait_for_selector(".tip:popover-open")
    assert "Last training beta." in page.locator(".tip").inner_text()


def test_labels_stay_in_sight_while_many_lanes_scroll_and_the_page_does_not(open_page):
    page = open_page(width=390, height=844)
    page.wait_for_selector("#settings:not(.open)")
    page.click("#settings .toggle-button")
    for _ in range(3):
        page.click(ADD)
    page.uncheck("#same input")
    page.click("#settings .toggle-button")
    open_tab(page, "lanes")
    label = page.locator("[data-field=s_noise] .label")
    table = page.locator("#panel_lanes")
    assert table.evaluate("table => table.scrollWidth > table.clientWidth")
    for left in (0, 9999):
        table.evaluate("(table, left) => { table.scrollLeft = left }", left)
        assert label.bounding_box()["x"] >= 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # A page wider than the screen would move Run out of sight.
    open_tab(page, "table")
    expect(page.locator(".whose-lane label")).to_have_count(6)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    run = page.get_by_role("button", name="Run", exact=True).bounding_box()
    assert run["y"] + run["height"] <= 844


def lanes_of_unequal_length_wait_for_each_other(page, engine):
    page.uncheck("#same input")
    fill(page, "b_sigmas", json.dumps([10, 2, 0.5]))
    wait_for_points(page, 1, 3)
    run_to_end(page)
    assert (facts(page, "a")["call"], facts(page, "b")["call"]) == ("39 of 39", "5 of 5")
    assert page.locator("#viewer .unequal").is_visible()
    slider = page.get_by_label("Step", exact=True)
    assert slider.get_attribute("max") == "38"
    slider.fill("3")
    page.wait_for_function(
        "document.querySelector('.lane-b [data-fact=step]').textContent === '2½ of 3'"
    )
    assert facts(page, "a")["step"] == "2½ of 20"
    assert slider.get_attribute("aria-valuetext") == "A: step 2½, call 4 of 39"
    slider.fill("20")
    page.wait_for_function(
        "document.querySelector('.lane-b [data-fact=step]').textContent === '3 of 3'"
    )


def lanes_that_run_one_after_the_other_are_each_counted(page, engine):
    page.uncheck("#same input")
    fill(page, "a_sigmas", "10 2 0.5")
    wait_for_points(page, 0, 3)
    engine.hold_at = 3
    page.click("#run")
    wait_for(page, "samplerExplorer.call === 3")
    assert facts(page, "a")["call"] == "3 of 5"
    assert facts(page, "b") == {"call": "0 of 39", "step": "0 of 20", "sigma": "", "timestep": ""}
    engine.hold_at = 20
    wait_for(page, "samplerExplorer.call === 20")
    assert (facts(page, "a")["call"], facts(page, "b")["call"]) == ("5 of 5", "20 of 39")
    assert progress(page) == "B: step 10½ of 20, call 20 of 39"
    share = page.locator("#progress progress").get_attribute("value")
    assert float(share) == pytest.approx(25 / 44)
    engine.hold_at = None
    wait_for(page, "samplerExplorer.state === 'done'")
    assert progress(page).startswith("5 and 39 calls per lane in ")


def a_run_stopped_before_a_lanes_turn_keeps_the_others(page, engine):
    page.uncheck("#same input")
    fill(page, "b_sigmas", "10 2 0.5")
    wait_for_points(page, 1, 3)
    engine.hold_at = 9
    page.click("#run")
    wait_for(page, "samplerExplorer.call === 9")
    page.click("#stop")
    wait_for(page, "samplerExplorer.state === 'cancelled'")
    assert page.get_by_label("Step", exact=True).get_attribute("max") == "8"
    scrub_to(page, 4)
    assert (facts(page, "a")["call"], facts(page, "b")["call"]) == ("5 of 39", "0 of 5")
    assert progress(page) == "Stopped after call 9 of 39, lane A"


PARTS = (
    a_folded_group_says_what_differs_and_opens_for_a_problem,
    a_field_that_does_not_apply_is_out_of_sight_but_never_lost,
    a_field_of_one_sampler_is_shown_to_its_lane,
    typing_keeps_the_caret_and_is_few_updates,
    controls_have_names_help_and_sentences,
    what_is_typed_or_asked_for_is_shown_literally,
    removing_a_lane_moves_the_others_up,
    three_lanes_run,
    an_added_lane_is_a_copy_of_the_last_one_and_six_are_the_most,
    without_lane_a_the_others_keep_what_they_share,
    same_settings_are_one_control_and_a_sampler_each,
    a_lane_is_reset_to_what_the_model_has,
    others_may_ask_for_settings,
    lanes_of_unequal_length_wait_for_each_other,
    lanes_that_run_one_after_the_other_are_each_counted,
    a_run_stopped_before_a_lanes_turn_keeps_the_others,
)


def test_the_table_of_the_lanes(open_page, engine):
    in_turn(open_page(), PARTS, engine)
