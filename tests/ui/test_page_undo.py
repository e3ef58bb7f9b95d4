"""Undo and redo of every change of the form, in a browser; and a form that outlives a reload.

The history itself, which knows no page, is tested in tests/page/undo.test.mjs.
"""

import json

import pytest
from PIL import Image
from playwright.sync_api import expect
from reading import choose, fill, open_tab, part, undo_all, wait_for
from test_page_settings import drag

pytestmark = pytest.mark.browser

FORM = """() => {
    const box = (query) => document.querySelector(query);
    return {
        prompt: box('#prompt textarea').value,
        negative: box('#negative_prompt textarea').value,
        steps: box('#steps input').value,
        seed: box('#seed input').value,
        width: box('#width :is(input, textarea)').value,
        model: box('#model input').value,
        cfg: box('#cfg_scale input').value,
        picture: Boolean(box('#init_image img')),
        same: box('#same input').checked,
        pins: document.querySelectorAll('.pinned').length,
        lanes: [...document.querySelectorAll('#lanes .cell :is(input, select, textarea)')].map(
            (each) => [each.closest('.cell').id, each.value]),
    };
}"""


@pytest.fixture(autouse=True)
def bundled(engine):
    """A page opens with the model that is resident, whoever chose it."""
    yield
    engine.load("bundled")


def form(page) -> dict:
    return page.evaluate(FORM)


def wait_for_form(page, wanted: dict) -> None:
    page.wait_for_function(
        f"wanted => JSON.stringify(({FORM})()) === wanted",
        arg=json.dumps(wanted, separators=(",", ":"), ensure_ascii=False),
    )


def can_undo(page) -> None:
    expect(page.locator("#history .undo")).to_be_enabled()


def add_picture(page, tmp_path):
    path = tmp_path / "red.png"
    Image.new("RGB", (96, 64), "red").save(path)
    page.click("#start_group .fold-head")
    page.set_input_files("#init_image input[type=file]", path)
    page.wait_for_selector("#init_image img")


def edit_points(page):
    open_tab(page, "schedule")
    button = page.get_by_role("button", name="Edit points")
    if button.get_attribute("aria-pressed") != "true":
        button.click()


def insert_point(page, tmp_path):
    edit_points(page)
    page.get_by_role("button", name="Insert", exact=True).click()
    wait_for(page, "document.querySelector('#a_sigmas textarea').value !== ''")


def drag_point(page, tmp_path):
    edit_points(page)
    box = page.locator(".grip.lane-a").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 12, steps=6)
    page.mouse.move(x, y - 30, steps=6)
    page.mouse.up()
    wait_for(page, "document.querySelector('#a_sigmas textarea').value !== ''")


def take_file(page, tmp_path):
    page.click("#file_group .fold-head")
    page.fill(".scheduler-file textarea", '{"beta_end": 0.02, "use_karras_sigmas": true}')
    page.click(".scheduler-file .take")
    wait_for(page, "document.querySelector('#a_beta_end input').value === '0.02'")


def mend(page, tmp_path):
    open_tab(page, "doctor")
    page.locator("#doctor .fix").first.click()


def choose_turbo(page, tmp_path):
    choose(page, "#model", "Turbo")
    wait_for(page, "document.querySelector('#steps input').value === '4'")


def pin(page, tmp_path):
    open_tab(page, "schedule")
    page.get_by_role("button", name="Pin this").click()


def reset(page, tmp_path):
    fill(page, "a_beta_end", "0.03")
    expect(page.locator(".lane-heads .reset").first).to_be_enabled()
    page.locator(".lane-heads .reset").first.click()
    wait_for(page, "document.querySelector('#a_beta_end input').value === '0.012'")


CHANGES = {  # what a person does, and how many entries it is
    "text": (lambda page, _: fill(page, "prompt", "a blue car"), 1),
    "number": (lambda page, _: fill(page, "steps", "7"), 1),
    "size": (
        lambda page, _: (page.click("#picture_group .fold-head"), fill(page, "width", "64")),
        1,
    ),
    "number of a lane": (lambda page, _: fill(page, "a_beta_end", "0.02"), 1),
    "menu of a lane": (lambda page, _: choose(page, "#a_schedule_type", "Karras"), 1),
    "model and what it fills in": (choose_turbo, 1),
    "lane added": (lambda page, _: page.click("#lanes .add"), 1),
    "lane removed": (lambda page, _: page.locator(".lane-lines .remove").last.click(), 1),
    "lane reset": (reset, 2),
    "same settings": (lambda page, _: page.uncheck("#same input"), 1),
    "label dragged": (lambda page, _: drag(page, "#steps [data-testid=block-info]", 50), 1),
    "point dragged": (drag_point, 1),
    "point inserted": (insert_point, 1),
    "settings file": (take_file, 1),
    "as other programs": (
        lambda page, _: (
            open_tab(page, "table"),
            page.locator("#calls_table .as-a1111 input").first.check(),
        ),
        1,
    ),
    "start picture": (add_picture, 1),
    "schedule pinned": (pin, 1),
    "example": (lambda page, _: page.locator(".examples button").nth(2).click(), 1),
}


def test_every_change_of_the_form_is_undone_and_done_again(open_page, tmp_path):
    """One after the other on one page, each from the settings that it opened with."""
    page = open_page()
    page.wait_for_selector("#history [data-ready]")
    page.wait_for_timeout(300)  # the model that is loaded with the page
    before = form(page)
    for what, (change, entries) in CHANGES.items():
        with part(what):
            change(page, tmp_path)
            can_undo(page)
            page.wait_for_timeout(300)  # whatever comes with it, such as a model's settings
            after = form(page)
            take_back(page, entries, before)
            for _ in range(entries):
                page.keyboard.press("Control+Shift+Z")
            wait_for_form(page, after)
            expect(page.locator("#history .redo")).to_be_disabled()
            take_back(page, entries, before)


def take_back(page, entries: int, before: dict) -> None:
    """By so many presses, and no more are possible."""
    for _ in range(entries):
        can_undo(page)
        page.keyboard.press("Control+z")
    wait_for_form(page, before)
    expect(page.locator("#history .undo")).to_be_disabled()


def an_undo_after_pinning_takes_the_pins_and_leaves_the_lane(page, engine):
    pins, heads = page.locator(".pinned"), page.locator(".lane-heads .head")
    page.click("#lanes .add")
    wait_for(page, "document.querySelector('#plot .area').data.some(({meta}) => meta.lane === 2)")
    page.get_by_role("button", name="Pin this").click()
    expect(pins).to_have_count(3)
    page.keyboard.press("Control+z")
    expect(pins).to_have_count(0)
    page.wait_for_timeout(300)
    expect(heads).to_have_count(3)
    page.keyboard.press("Control+z")
    expect(heads).to_have_count(2)


def the_two_buttons_do_as_the_keys(page, engine):
    fill(page, "steps", "9")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#steps input")).to_have_value("20")
    page.get_by_role("button", name="Redo").click()
    expect(page.locator("#steps input")).to_have_value("9")


def what_is_undone_reaches_the_server(page, engine):
    choose_turbo(page, None)
    page.wait_for_function(
        "document.querySelector('#model_card .facts').textContent.includes('512')"
    )
    page.keyboard.press("Control+z")
    expect(page.locator("#model_card .facts")).to_contain_text("128 × 128")
    expect(page.locator("#doctor .cost")).to_contain_text("39 model calls each (78 in all)")
    assert engine.resident == "bundled"


def typing_is_one_entry_and_boxes_do_not_undo_by_themselves(page, engine):
    page.locator("#prompt textarea").fill("")
    can_undo(page)
    page.wait_for_timeout(1200)
    page.locator("#prompt textarea").press_sequentially("a boat", delay=20)
    page.keyboard.press("Control+z")
    expect(page.locator("#prompt textarea")).to_have_value("")
    page.keyboard.press("Control+z")
    expect(page.locator("#prompt textarea")).not_to_have_value("")


def an_undo_before_gradio_reports_the_typed_text_takes_it_back(page, engine):
    prompt, steps = page.locator("#prompt textarea"), page.locator("#steps input")
    before = prompt.input_value()
    fill(page, "steps", "9")
    can_undo(page)
    page.evaluate("""() => {  // in one task: no event of Gradio comes between
        const box = document.querySelector("#prompt textarea");
        box.focus();
        box.value = "a boat";
        box.dispatchEvent(new Event("input", { bubbles: true }));
        box.dispatchEvent(new KeyboardEvent("keydown", { key: "z", ctrlKey: true, bubbles: true }));
    }""")
    expect(prompt).to_have_value(before)
    expect(steps).to_have_value("9")
    page.keyboard.press("Control+z")
    expect(steps).to_have_value("20")
    expect(prompt).to_have_value(before)


def text_that_is_no_part_of_the_form_keeps_its_own_undo(page, engine):
    fill(page, "steps", "9")
    page.click("#file_group .fold-head")
    box = page.locator(".scheduler-file textarea")
    box.press_sequentially("{}")
    page.keyboard.press("Control+z")
    expect(box).not_to_have_value("{}")
    expect(page.locator("#steps input")).to_have_value("9")


def a_reload_keeps_what_the_form_held(page):
    fill(page, "prompt", "a car")
    page.uncheck("#same input")
    fill(page, "b_beta_end", "0.02")
    page.click("#lanes .add")
    page.wait_for_timeout(200)
    held = form(page)
    page.reload()
    page.wait_for_selector("#history [data-ready]")
    wait_for_form(page, held)


PARTS = [
    an_undo_after_pinning_takes_the_pins_and_leaves_the_lane,
    the_two_buttons_do_as_the_keys,
    what_is_undone_reaches_the_server,
    typing_is_one_entry_and_boxes_do_not_undo_by_themselves,
    an_undo_before_gradio_reports_the_typed_text_takes_it_back,
    text_that_is_no_part_of_the_form_keeps_its_own_undo,
]


def test_undo_takes_back_what_it_should_and_no_more(open_page, engine):
    """Each part begins with the settings that the page opened with: undoing brings them back."""
    page = open_page()
    page.wait_for_selector("#history [data-ready]")
    page.wait_for_timeout(300)  # the model that is loaded with the page
    before = form(page)
    for each in PARTS:
        with part(each.__name__):
            each(page, engine)
            undo_all(page)
            wait_for_form(page, before)
    a_reload_keeps_what_the_form_held(page)
