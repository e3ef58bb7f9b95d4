"""What the form shows that nobody typed: seeds, steps of a list, empty boxes, new lanes."""

import re

import pytest
from playwright.sync_api import expect
from reading import choose, fill, in_turn, open_tab, run_to_end

from explorer.settings import LaneSettings

pytestmark = pytest.mark.browser

# The choices that are wider than the room for them in the menus that are to be seen. What is grey
# is never in a closed menu, unless it is chosen.
CLIPPED = """() => {
    const context = document.createElement('canvas').getContext('2d');
    const menus = [...document.querySelectorAll('.lane-table select')];
    return menus.filter((menu) => menu.checkVisibility()).flatMap((menu) => {
        const { font, paddingLeft, paddingRight } = getComputedStyle(menu);
        context.font = font;
        const room = menu.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
        const shown = [...menu.options].filter((each) => each.selected || !each.disabled);
        const names = shown.map(({ text }) => text);
        return names.filter((name) => context.measureText(name).width > room + 0.5);
    });
}"""


def samplers(page) -> list[str]:
    return page.locator("[data-field=sampler] option:checked").all_inner_texts()


def added_lanes_have_samplers_that_no_lane_has(page, engine):
    for _ in range(4):
        page.click("#lanes .add")
    assert samplers(page) == ["DPM2", "DPM2 a", "Euler", "Euler a", "Heun", "DPM++ 2M"]
    page.locator(".lane-lines .remove").nth(2).click()
    page.click("#lanes .add")
    assert samplers(page)[-1] == "Euler"


def an_added_lane_has_only_what_its_sampler_can_do(page, engine):
    choose(page, "#a_schedule_type", "Beta")
    page.click("#lanes .add")
    assert samplers(page)[-1] == "Euler"  # under "same" the first that has the type
    expect(page.locator("#plot .sentence")).to_have_text("")
    page.get_by_role("button", name="Undo").click()
    page.uncheck("#same input")
    fill(page, "b_sigmas", "14, 7, 3")
    choose(page, "#b_schedule_type", "Karras")
    for _ in range(3):
        page.click("#lanes .add")
    assert samplers(page)[2:] == ["Euler", "Euler a", "Heun"]
    expect(page.locator("#d_schedule_type option:checked")).to_have_text("Automatic")
    expect(page.locator("#d_sigmas textarea")).to_have_value("")
    refused = page.locator("#d_schedule_type option:disabled")
    expect(refused.first).to_have_text("Karras (not Euler a)")
    expect(page.locator("#a_schedule_type option:disabled")).to_have_count(0)
    run_to_end(page)
    assert [lane.sampler for lane in engine.settings.lanes][2:] == ["euler", "euler_a", "heun"]


@pytest.mark.parametrize("width", [1280, 390])
def test_no_choice_of_a_lane_is_cut_off(open_page, width):
    page = open_page(width=width, height=900)
    if width == 390:
        page.click("#settings .toggle-button")
    for lanes in (2, 3, 4, 5, 6):
        if lanes > 2:
            page.click("#lanes .add")
        expect(page.locator(".lane-heads .head")).to_have_count(lanes)
        for same in (True, False):
            page.set_checked("#same input", same)
            assert page.evaluate(CLIPPED) == [], (lanes, same)
        page.set_checked("#same input", True)


def from_three_lanes_on_the_sidebar_shows_one_and_the_tab_shows_all(page, engine):
    page.uncheck("#same input")
    page.click("#lanes .add")
    shown = page.locator(".lane-table [data-field=sampler] .cell:visible")
    expect(shown).to_have_count(1)
    expect(page.locator("#c_sampler")).to_be_visible()
    # A setting that this lane's sampler lacks has no row: a label alone would promise one.
    end = page.locator(".lane-table [data-field=final_sigmas_type]")
    expect(end).to_be_hidden()
    page.click(".lane-lines .lane-b .open")
    expect(page.locator("#b_sampler")).to_be_visible()
    expect(end).to_be_visible()
    expect(page.locator("#b_sampler select")).to_be_focused()
    fill(page, "b_eta", "0.5")
    expect(page.locator(".lane-lines .lane-b .open")).to_have_text("BDPM2 aEta 0.5")
    page.evaluate("document.querySelector('#tab_lanes').click()")
    expect(page.locator("#panel_lanes .lane-table")).to_be_visible()
    expect(shown).to_have_count(3)
    # The one table has moved with its focus, and what is typed there is a change as any other.
    expect(page.locator("#b_eta input")).to_be_focused()
    page.wait_for_timeout(1100)  # what is typed within a second is one change
    page.keyboard.press("End")
    page.keyboard.type("5")
    expect(page.locator("#b_eta input")).to_have_value("0.55")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#b_eta input")).to_have_value("0.5")
    open_tab(page, "table")
    expect(page.locator("#settings .lane-table")).to_be_visible()
    expect(shown).to_have_count(1)


def an_error_of_another_lane_comes_into_sight(page, engine):
    page.uncheck("#same input")
    page.click("#lanes .add")
    fill(page, "b_eta", "1")
    page.evaluate(
        """() => {  // at once: the server's answer comes when the sidebar shows lane C
            const box = document.querySelector("#b_eta input");
            box.value = "-3";
            box.dispatchEvent(new Event("input", { bubbles: true }));
            document.querySelector(".lane-lines .lane-c .open").click();
        }"""
    )
    expect(page.locator("#b_eta_problem")).to_contain_text(re.compile("^B Eta"))  # whose it is
    expect(page.locator("#b_eta")).to_be_visible()


def the_steps_offset_acts_under_the_spacing_that_auto_stands_for(page, engine):
    row = page.locator("[data-field=steps_offset]")
    expect(row).to_be_hidden()
    choose(page, "#b_sampler", "DDIM")
    expect(row).to_be_visible()
    assert row.get_attribute("data-idle") is None
    assert "auto of DDIM" in page.locator("#help_steps_offset").inner_text()
    choose(page, "#b_sampler", "UniPC")
    expect(row).to_be_hidden()


def steps_say_where_they_come_from(page, engine):
    steps, note = page.locator("#steps input"), page.locator("#steps .from-list")
    fill(page, "a_sigmas", "14, 7, 3")
    expect(note).to_have_text("3, from the list")
    expect(steps).not_to_be_editable()
    page.uncheck("#same input")
    fill(page, "b_sigmas", "14, 7")
    expect(note).to_have_text("A: 3, B: 2, from their lists")
    fill(page, "a_sigmas", "")
    expect(note).to_have_text("B: 2, from its list")
    expect(steps).to_be_editable()
    fill(page, "b_sigmas", "")
    expect(note).to_have_count(0)


def empty_boxes_show_the_number_that_is_taken(page, engine):
    choose(page, "#a_schedule_type", "Karras")
    ends = [page.locator(f"#a_{name} input") for name in ("rho", "sigma_min", "sigma_max")]
    for box, number in zip(ends, ("7", "0.0292", "14.61"), strict=True):
        expect(box).to_have_value("")
        expect(box).to_have_attribute("placeholder", number)
    expect(page.locator("#a_s_tmax input")).to_have_attribute("placeholder", "no limit")
    fill(page, "a_beta_end", "0.02")
    top = LaneSettings(beta_end=0.02).schedule(20).training_sigma[-1]
    expect(ends[2]).to_have_attribute("placeholder", f"{top:.4g}")
    choose(page, "#a_schedule_type", "Polyexponential")
    expect(ends[0]).to_have_attribute("placeholder", "1")
    ends[0].press_sequentially("0.5")
    expect(ends[0]).to_have_value("0.5")
    ends[0].fill("")
    ends[0].blur()
    run_to_end(page)
    assert engine.settings.lanes[0].rho == 0


def tips_say_what_code_calls_a_setting(page, engine):
    told = {
        name: page.locator(f"#help_{name}").inner_text()
        for name in ("s_noise", "s_churn", "s_tmin", "s_tmax", "sigmas", "final_sigmas_type")
    }
    assert all(f"In code: {name}." in text for name, text in told.items()), told
    assert "In code" not in page.locator("#help_beta_end").inner_text()


def the_seed_is_fixed_drawn_and_let_loose(page, engine):
    seed = page.locator("#seed input")
    lock = page.get_by_role("button", name="The same seed for every run")
    expect(seed).to_have_value("7")
    expect(lock).to_have_attribute("aria-pressed", "true")
    run_to_end(page)
    assert engine.settings.seed == 7
    page.get_by_role("button", name="Draw another seed").click()
    expect(seed).not_to_have_value("7")
    drawn = seed.input_value()
    run_to_end(page)
    assert engine.settings.seed == int(drawn)
    lock.click()
    expect(lock).to_have_attribute("aria-pressed", "false")
    expect(seed).to_have_value("-1")
    run_to_end(page)
    first = engine.settings.seed
    assert page.locator("#progress .seed").inner_text() == f"seed {first}"
    run_to_end(page)
    assert engine.settings.seed != first
    lock.click()  # keeps the newest
    expect(seed).to_have_value(str(engine.settings.seed))
    fill(page, "seed", "-1")
    expect(lock).to_have_attribute("aria-pressed", "false")


def test_what_an_empty_box_shows_is_lighter_than_what_is_typed(shared_page):
    wrong = shared_page.evaluate(
        """() => { const ink = document.createElement('p');
            ink.style.color = 'var(--ink-3)';
            document.querySelector('.gradio-container').append(ink);
            const wanted = getComputedStyle(ink).color;
            ink.remove();
            return [...document.querySelectorAll('[placeholder]')]
                .filter((box) => getComputedStyle(box, '::placeholder').color !== wanted)
                .map((box) => box.outerHTML); }"""
    )
    assert wrong == []


def the_ring_of_a_menu_is_around_its_whole_box(page, engine):
    page.locator("#model input").focus()
    page.keyboard.press("Shift")  # a ring is for those who use the keyboard
    box, inside = page.evaluate(
        """() => ['#model .container > .wrap', '#model input'].map((each) =>
            getComputedStyle(document.querySelector(each)).outlineStyle)"""
    )
    assert (box, inside) == ("solid", "none")


def two_lanes_leave_the_names_of_their_settings_room(page, engine):
    open_tab(page, "lanes")
    for field in ("discard_penultimate_sigma", "timestep_spacing", "round_timesteps"):
        name = page.locator(f"#panel_lanes [data-field={field}] .name")
        assert name.evaluate("(it) => it.getClientRects().length") == 1, field
    open_tab(page, "schedule")


PARTS = (
    tips_say_what_code_calls_a_setting,
    the_ring_of_a_menu_is_around_its_whole_box,
    two_lanes_leave_the_names_of_their_settings_room,
    added_lanes_have_samplers_that_no_lane_has,
    from_three_lanes_on_the_sidebar_shows_one_and_the_tab_shows_all,
    an_error_of_another_lane_comes_into_sight,
    the_steps_offset_acts_under_the_spacing_that_auto_stands_for,
    steps_say_where_they_come_from,
    an_added_lane_has_only_what_its_sampler_can_do,
    empty_boxes_show_the_number_that_is_taken,
    the_seed_is_fixed_drawn_and_let_loose,
)


def test_the_form_shows_what_nobody_typed(open_page, engine):
    in_turn(open_page(width=1280, height=900), PARTS, engine)
