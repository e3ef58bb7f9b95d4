"""A lane as a file, and the switch to run as A1111 does, in the browser."""

import json

import pytest
from reading import choose, fill, open_tab

from explorer.views.lists import largest_file

pytestmark = pytest.mark.browser

FILE = "#scheduler_file"


@pytest.fixture
def fresh(open_page):
    """A page of its own, whose settings file is open."""
    page = open_page()
    page.click("#file_group > .fold-head, #file_group .fold-head >> nth=0")
    open_tab(page, "table")
    return page


def take(page, text: str) -> None:
    page.fill(f"{FILE} textarea", text)
    page.click(f"{FILE} .take")


def told(page, words: str) -> None:
    status = "document.querySelector('#scheduler_file [role=status]').textContent"
    page.wait_for_function(f"words => {status}.includes(words)", arg=words)


def test_a_pasted_file_is_taken_over_and_what_is_not_known_is_named(fresh):
    config = {"_class_name": "PNDMScheduler", "use_karras_sigmas": True, "skip_prk_steps": True}
    take(fresh, json.dumps(config))
    told(fresh, "left out: skip_prk_steps")
    told(fresh, "PNDMScheduler is not among the samplers here")
    fresh.wait_for_selector("text=DPM2 Karras >> visible=true")
    assert fresh.locator("#a_schedule_type select").evaluate(
        "box => box.selectedOptions[0].text"
    ) == ("Karras")


def test_a_hostile_file_is_shown_as_text(fresh):
    take(fresh, json.dumps({"beta_end": 0.01, "rho": 7, "<img src=x onerror=window.hit=1>": 1}))
    told(fresh, "left out: <img src=x onerror=window.hit=1>")
    assert fresh.evaluate("window.hit") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Paste the file's text"),
        ("{", "Not taken over: this is not JSON"),
        ('{"beta_end": 3}', "Not taken over: beta_end: Beta end must be"),
        ('{"_class_name": "EDMEulerScheduler", "beta_end": 0.5}', "Not taken over: EDMEuler"),
    ],
)
def test_a_file_that_will_not_do_is_a_sentence_and_changes_nothing(fresh, text, sentence):
    take(fresh, text)
    told(fresh, sentence)
    assert fresh.locator("#a_beta_end input").input_value() == "0.012"


def test_a_file_larger_than_the_server_takes_is_not_sent(fresh, tmp_path):
    sent = []
    fresh.on("request", lambda request: sent.append("component_server" in request.url))
    path = tmp_path / "large.json"
    path.write_bytes(b" " * (largest_file() + 1))
    fresh.set_input_files(f"{FILE} input[type=file]", path)
    told(fresh, "Not taken over: this file is too large to hold a scheduler's settings.")
    assert not any(sent)
    path.write_bytes(b" " * largest_file())
    fresh.set_input_files(f"{FILE} input[type=file]", path)
    told(fresh, "Paste the file's text, or open one.")


def test_a_lane_is_downloaded_and_opened_again(fresh, tmp_path):
    choose(fresh, "#a_schedule_type", "Polyexponential")
    fill(fresh, "a_rho", "2.5")
    with fresh.expect_download() as download:
        fresh.click(f"{FILE} .save")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    config = json.loads(path.read_text())
    assert path.name == "scheduler_config.json"
    assert (config["_class_name"], config["rho"]) == ("KDPM2DiscreteScheduler", 2.5)
    choose(fresh, "#a_schedule_type", "Automatic")
    fresh.set_input_files(f"{FILE} input[type=file]", path)
    told(fresh, "Taken over")
    assert fresh.locator("#a_rho input").input_value() == "2.5"


def test_the_switch_runs_as_a1111_does_and_back(fresh):
    fresh.wait_for_selector("#calls_table .differences li")
    switch = fresh.get_by_label("as A1111 / ComfyUI")
    switch.check()
    fresh.wait_for_function("!document.querySelector('#calls_table .differences li')")
    state = "form => [...document.querySelectorAll(form)].map(box => box.selectedOptions[0].text)"
    boxes = "#a_discard_penultimate_sigma select, #a_interpolation_type select"
    assert sorted(fresh.evaluate(state, boxes)) == ["log_linear", "on"]
    fill(fresh, "steps", "10")
    last = "[...document.querySelectorAll('#calls_table tr[data-at]')].at(-2)"
    fresh.wait_for_function(f"{last}.textContent.startsWith('100.343')")
    switch.uncheck()
    fresh.wait_for_selector("#calls_table .differences li")
    assert sorted(fresh.evaluate(state, boxes)) == ["auto", "off"]
