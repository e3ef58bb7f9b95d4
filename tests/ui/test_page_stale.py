"""Stale things never look new: what the page shows and says goes when its cause goes."""

import json

import pytest
from opened_pages import opening
from playwright.sync_api import expect
from reading import (
    choose,
    fill,
    in_turn,
    open_fold,
    open_tab,
    part,
    progress,
    run_to_end,
    undo_all,
    wait_for,
)

pytestmark = pytest.mark.browser

BADGES = ".pane .badge"


@pytest.fixture(autouse=True)
def bundled(engine):
    yield
    engine.load("bundled")


@pytest.fixture(scope="module")
def ran(context, server, engine):
    """A page with a run on screen, of the settings in its form; tests leave it as it was."""
    with opening(context, server) as open_page:
        yield with_a_run(open_page())


def with_a_run(page):
    page.wait_for_selector("#history [data-ready]")
    fill(page, "seed", "5")
    fill(page, "steps", "4")
    run_to_end(page)
    expect(page.locator(BADGES).first).to_be_hidden()
    return page


CHANGES = {
    "prompt": ("a blue car", "a red sailboat on the sea at sunset with mountains"),
    "cfg_scale": ("5", "3"),
    "seed": ("6", "5"),
    "steps": ("6", "4"),
    "a_beta_end": ("0.02", "0.0120"),  # the same number in another spelling
}


@pytest.mark.parametrize("control", CHANGES)
def test_pictures_of_other_settings_say_so_until_the_settings_are_back(ran, control):
    other, back = CHANGES[control]
    fill(ran, control, other)
    expect(ran.locator(BADGES)).to_have_count(2)
    expect(ran.locator(BADGES).first).to_be_visible()
    expect(ran.locator("#run")).to_have_attribute("data-stale", "")
    for view in ("noisy", "change", "denoised"):
        ran.check(f"input[name=view][value={view}]", force=True)
        expect(ran.locator(BADGES).last).to_be_visible()
    fill(ran, control, back)
    expect(ran.locator(BADGES).first).to_be_hidden()
    expect(ran.locator("#run")).not_to_have_attribute("data-stale", "")


def test_rings_of_another_schedule_are_pale(ran):
    fill(ran, "a_beta_end", "0.02")
    expect(ran.locator("#plot .note")).to_be_visible()
    expect(ran.locator("#plot .mark").first).to_have_css("opacity", "0.4")
    fill(ran, "a_beta_end", "0.012")
    expect(ran.locator("#plot .mark").first).to_have_css("opacity", "1")


def a_new_run_and_an_undo_take_the_badge_away(ran, engine):
    ran.click("#lanes .add")
    expect(ran.locator(BADGES).first).to_be_visible()
    ran.get_by_role("button", name="Undo").click()
    expect(ran.locator(BADGES).first).to_be_hidden()
    fill(ran, "cfg_scale", "8")
    expect(ran.locator(BADGES).first).to_be_visible()
    run_to_end(ran)
    expect(ran.locator(BADGES).first).to_be_hidden()


def a_change_during_a_run_is_not_of_it(ran, engine):
    engine.hold_at = 2
    ran.click("#run")
    wait_for(ran, "samplerExplorer.call === 2")
    fill(ran, "cfg_scale", "9")
    expect(ran.locator(BADGES).first).to_be_visible()
    engine.hold_at = None
    wait_for(ran, "samplerExplorer.state === 'done'")
    expect(ran.locator(BADGES).first).to_be_visible()


def the_seed_of_a_random_run_is_the_seed_of_its_pictures(ran, engine):
    fill(ran, "seed", "-1")
    run_to_end(ran)
    expect(ran.locator(BADGES).first).to_be_hidden()
    ran.locator("#progress .seed").click()
    ran.wait_for_timeout(200)
    expect(ran.locator(BADGES).first).to_be_hidden()
    fill(ran, "seed", "11")
    expect(ran.locator(BADGES).first).to_be_visible()


def a_refusal_is_red_though_the_pictures_are_stale(ran, engine):
    fill(ran, "steps", "0")
    ran.click("#run")
    expect(ran.locator("#progress .where")).to_contain_text("Steps must be")
    expect(ran.locator(BADGES).first).to_be_visible()
    bad = ran.evaluate(
        "(() => { const probe = document.createElement('p'); probe.style.color = 'var(--bad)';"
        " document.querySelector('#progress').append(probe);"
        " const { color } = getComputedStyle(probe); probe.remove(); return color; })()"
    )
    expect(ran.locator("#progress .where")).to_have_css("color", bad)


def test_the_badge_through_runs_that_are_changed_redrawn_and_refused(open_page, engine):
    """On one page, whose settings each part changes further."""
    page = with_a_run(open_page())
    for each in (
        a_new_run_and_an_undo_take_the_badge_away,
        a_change_during_a_run_is_not_of_it,
        the_seed_of_a_random_run_is_the_seed_of_its_pictures,
        a_refusal_is_red_though_the_pictures_are_stale,
    ):
        with part(each.__name__):
            run_to_end(page)
            expect(page.locator(BADGES).first).to_be_hidden()
            each(page, engine)


# --- each sentence: what brings it, where it stands, what takes it away ---------------------------


def bad_list(page):
    fill(page, "a_sigmas", "14, 3, 5")


def mended_list(page):
    fill(page, "a_sigmas", "")


def refused_run(page):
    fill(page, "steps", "0")
    page.click("#run")
    wait_for(page, "samplerExplorer.state === 'error'")


def broken_file(page):
    open_fold(page, "file_group")
    page.fill(".scheduler-file textarea", "{")
    page.click(".scheduler-file .take")


def taken_file(page):
    open_fold(page, "file_group")
    page.fill(
        ".scheduler-file textarea",
        json.dumps({"_class_name": "KDPM2DiscreteScheduler", "beta_end": 0.02, "colour": 1}),
    )
    page.click(".scheduler-file .take")


def empty_novel(page):
    data = {"name": "novel.txt", "mimeType": "text/plain", "buffer": b"It was a dark night"}
    page.set_input_files("[data-field=trained_betas] input[type=file]", data)


def good_betas(page):
    data = {"name": "betas.txt", "mimeType": "text/plain", "buffer": b"0.001 0.01 0.02 0.04"}
    page.set_input_files("[data-field=trained_betas] input[type=file]", data)


def refused_prompt(page):
    fill(page, "negative_prompt", "a" * 3000)
    page.click("#run")
    wait_for(page, "samplerExplorer.state === 'error'")


SENTENCES = {
    "beside a box": (bad_list, "#a_sigmas_problem", mended_list),
    "below the plot": (bad_list, "#plot .sentence", mended_list),
    "in the bar, of a bad box": (
        refused_run,
        "#progress [data-state=error] .where",
        lambda page: fill(page, "steps", "5"),
    ),
    "in the bar, of a prompt": (
        refused_prompt,
        "#progress [data-state=error] .where",
        lambda page: fill(page, "negative_prompt", ""),
    ),
    "of a prompt": (
        lambda page: fill(page, "prompt", "a" * 3000),
        "#prompt_note .sentence",
        lambda page: fill(page, "prompt", "a red sailboat"),
    ),
    "of the doctor": (
        lambda page: (open_tab(page, "doctor"), fill(page, "a_beta_end", "0.3")),
        "#doctor [data-code=infinite_sigma]",
        lambda page: fill(page, "a_beta_end", "0.012"),
    ),
    "of a settings file that is none": (
        broken_file,
        ".scheduler-file .message",
        lambda page: page.fill(".scheduler-file textarea", "{}"),
    ),
    "of a settings file taken over": (
        taken_file,
        ".scheduler-file .message",
        lambda page: fill(page, "a_beta_end", "0.03"),
    ),
    "of what a settings file lacks": (
        taken_file,
        ".scheduler-file .notes li",
        lambda page: page.get_by_role("button", name="Undo").click(),
    ),
    "of a file without numbers": (empty_novel, "#a_trained_betas_problem", good_betas),
    "of what a model wants": (
        lambda page: choose(page, "#model", "Turbo"),
        "#model_card .settings-note",
        lambda page: fill(page, "steps", "6"),
    ),
    "of a model that did not come": (
        lambda page: choose(page, "#model", "Broken"),
        "#model_card .sentence",
        lambda page: choose(page, "#model", "Turbo"),
    ),
    "of a group": (
        lambda page: (open_fold(page, "picture_group"), fill(page, "batch_size", "4")),
        "#picture_group .summary",
        lambda page: fill(page, "batch_size", "1"),
    ),
    "of the other programs": (
        lambda page: (open_tab(page, "table"), choose(page, "#a_schedule_type", "Karras")),
        ".calls-table .differences li",
        lambda page: page.locator("#calls_table .as-a1111 input").first.check(),
    ),
}


def a_refused_run_leaves_the_bar_ready_once_the_form_is_another(page):
    refused_run(page)
    assert "Steps must be" in progress(page)
    fill(page, "steps", "5")
    wait_for(page, "samplerExplorer.state === 'idle'")
    assert progress(page) == "Ready"


def nothing_is_said_of_the_cost_of_a_list_that_is_none(page):
    open_tab(page, "doctor")
    fill(page, "a_sigmas", "14, 7, 3")
    expect(page.locator("#doctor .cost")).to_contain_text("model calls")
    fill(page, "a_sigmas", "14, pony")
    page.wait_for_selector("#a_sigmas_problem")
    expect(page.locator("#doctor .cost")).to_be_hidden()
    fill(page, "a_sigmas", "14, 7, 3")
    expect(page.locator("#doctor .cost")).to_be_visible()


def test_a_sentence_goes_when_its_cause_goes(open_page):
    """One after the other on one page, each from the settings that it opened with."""
    page = open_page()
    page.wait_for_selector("#history [data-ready]")
    page.wait_for_timeout(300)
    for what, (bring, where, take_away) in SENTENCES.items():
        with part(what):
            bring(page)
            page.wait_for_function(
                "query => [...document.querySelectorAll(query)].some((each) => each.textContent)",
                arg=where,
            )
            page.wait_for_timeout(300)  # what comes with it
            assert any(page.locator(where).all_inner_texts()), "it must stay while its cause does"
            take_away(page)
            gone(page, where)
            undo_all(page)
    in_turn(
        page,
        (
            a_refused_run_leaves_the_bar_ready_once_the_form_is_another,
            nothing_is_said_of_the_cost_of_a_list_that_is_none,
        ),
    )


def gone(page, where: str) -> None:
    page.wait_for_function(
        "query => [...document.querySelectorAll(query)].every((each) => !each.textContent)",
        arg=where,
    )
