"""A lane as a file, and the switch to run as A1111 does, in the browser."""

import json

import pytest
from reading import choose, fill, in_turn, open_fold, open_tab, part

from explorer.views.lists import largest_file

pytestmark = pytest.mark.browser

FILE = "#scheduler_file"


def take(page, text: str) -> None:
    page.fill(f"{FILE} textarea", text)
    page.click(f"{FILE} .take")


def told(page, words: str) -> None:
    status = "document.querySelector('#scheduler_file [role=status]').textContent"
    page.wait_for_function(f"words => {status}.includes(words)", arg=words)


def a_pasted_file_is_taken_over_and_what_is_not_known_is_named(page, tmp_path):
    config = {"_class_name": "PNDMScheduler", "use_karras_sigmas": True, "skip_prk_steps": True}
    take(page, json.dumps(config))
    told(page, "left out: skip_prk_steps")
    told(page, "PNDMScheduler is not among the samplers here")
    page.wait_for_selector("text=DPM2 Karras >> visible=true")
    assert page.locator("#a_schedule_type select").evaluate(
        "box => box.selectedOptions[0].text"
    ) == ("Karras")


def a_hostile_file_is_shown_as_text(page, tmp_path):
    take(page, json.dumps({"beta_end": 0.01, "rho": 7, "<img src=x onerror=window.hit=1>": 1}))
    told(page, "left out: <img src=x onerror=window.hit=1>")
    assert page.evaluate("window.hit") is None


REFUSED = {
    "": "Paste the file's text",
    "{": "Not taken over: this is not JSON",
    '{"beta_end": 3}': "Not taken over: beta_end: Beta end must be",
    '{"_class_name": "EDMEulerScheduler", "beta_end": 0.5}': "Not taken over: EDMEuler",
}


def a_file_that_will_not_do_is_a_sentence_and_changes_nothing(page, tmp_path):
    for text, sentence in REFUSED.items():
        with part(text):
            take(page, text)
            told(page, sentence)
            assert page.locator("#a_beta_end input").input_value() == "0.012"


def a_file_larger_than_the_server_takes_is_not_sent(page, tmp_path):
    sent = []

    def listen(request) -> None:
        sent.append("component_server" in request.url)

    page.on("request", listen)
    path = tmp_path / "large.json"
    path.write_bytes(b" " * (largest_file() + 1))
    page.set_input_files(f"{FILE} input[type=file]", path)
    told(page, "Not taken over: this file is too large to hold a scheduler's settings.")
    assert not any(sent)
    path.write_bytes(b" " * largest_file())
    page.set_input_files(f"{FILE} input[type=file]", path)
    told(page, "Paste the file's text, or open one.")
    page.remove_listener("request", listen)


def a_lane_is_downloaded_and_opened_again(page, tmp_path):
    choose(page, "#a_schedule_type", "Polyexponential")
    fill(page, "a_rho", "2.5")
    with page.expect_download() as download:
        page.click(f"{FILE} .save")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    config = json.loads(path.read_text())
    assert path.name == "scheduler_config.json"
    assert (config["_class_name"], config["rho"]) == ("KDPM2DiscreteScheduler", 2.5)
    choose(page, "#a_schedule_type", "Automatic")
    page.set_input_files(f"{FILE} input[type=file]", path)
    told(page, "Taken over")
    assert page.locator("#a_rho input").input_value() == "2.5"


def the_switch_runs_as_a1111_does_and_back(page, tmp_path):
    page.wait_for_selector("#calls_table .differences li")
    switch = page.get_by_label("as A1111 / ComfyUI")
    switch.check()
    page.wait_for_function("!document.querySelector('#calls_table .differences li')")
    state = "form => [...document.querySelectorAll(form)].map(box => box.selectedOptions[0].text)"
    boxes = "#a_discard_penultimate_sigma select, #a_interpolation_type select"
    assert sorted(page.evaluate(state, boxes)) == ["log_linear", "on"]
    fill(page, "steps", "10")
    last = "[...document.querySelectorAll('#calls_table tr[data-at]')].at(-2)"
    page.wait_for_function(f"{last}.textContent.startsWith('100.343')")
    switch.uncheck()
    page.wait_for_selector("#calls_table .differences li")
    assert sorted(page.evaluate(state, boxes)) == ["auto", "off"]


def a_text_of_another_program_is_taken_over_in_the_same_box(page, tmp_path):
    take(page, "a car\nSteps: 9, Sampler: DPM2, CFG scale: 4, Seed: 11")
    page.wait_for_function("document.querySelector('#steps input').value === '9'")
    assert page.locator("#prompt textarea").input_value() == "a car"
    assert page.locator(f"{FILE} .message").inner_text() == ""


PARTS = (
    the_switch_runs_as_a1111_does_and_back,
    a_pasted_file_is_taken_over_and_what_is_not_known_is_named,
    a_hostile_file_is_shown_as_text,
    a_file_that_will_not_do_is_a_sentence_and_changes_nothing,
    a_file_larger_than_the_server_takes_is_not_sent,
    a_lane_is_downloaded_and_opened_again,
    a_text_of_another_program_is_taken_over_in_the_same_box,
)


def test_a_lane_and_a_file_become_each_other(open_page, tmp_path):
    page = open_page()
    page.wait_for_selector("#history [data-ready]")
    open_fold(page, "file_group")
    open_tab(page, "table")
    in_turn(page, PARTS, tmp_path)
