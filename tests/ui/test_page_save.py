"""The Save menu: what it offers, by mouse and keys, and what becomes of it."""

import io
import json
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Download, Page, expect
from reading import run_to_end, wait_for

from explorer.records.zip_file import read_zip


@pytest.fixture
def menu(recorded) -> Page:
    """A page after a run of two lanes, its menu closed."""
    recorded.keyboard.press("Escape")
    expect(recorded.locator("#save .save-menu")).to_be_hidden()
    return recorded


def entry(page: Page, label: str, hint: str = "", group: int = 0):
    """An entry of the run's group, or of the lane's, which is the second."""
    entries = page.locator("#save .save-menu .group").nth(group).get_by_role("menuitem")
    return entries.filter(has_text=label).filter(has_text=hint).first


def said(page: Page):
    return page.locator("#save .save-menu .said")


def saved(page: Page, *which) -> Download:
    """What an entry downloads."""
    if page.locator("#save .save-menu").is_hidden():
        page.click(".save-button")
    with page.expect_download() as download:
        entry(page, *which).click()
    return download.value


def test_without_a_run_it_says_so(open_page):
    page = open_page(width=390, height=700)
    button = page.locator(".save-button")
    assert button.get_attribute("aria-disabled") == "true"
    assert button.get_attribute("title") == "There is no finished run to save yet."
    button.click(force=True)
    expect(said(page)).to_have_text("There is no finished run to save yet.")
    expect(page.get_by_role("menuitem")).to_have_count(0)
    box, place = page.locator("#save .save-menu").bounding_box(), button.bounding_box()
    assert box["y"] + box["height"] <= place["y"]  # above the bar, which is at the foot
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_keys_move_in_it_and_close_it(menu):
    button = menu.locator(".save-button")
    button.focus()
    menu.keyboard.press("ArrowDown")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(menu.locator(":focus")).to_contain_text("Everything")
    for key, text in {
        "ArrowUp": "ComfyUI",
        "Home": "Everything",
        "t": "Table",
        "ArrowDown": ".webp",
    }.items():
        menu.keyboard.press(key)
        expect(menu.locator(":focus")).to_contain_text(text)
    menu.keyboard.press("Escape")
    expect(menu.locator("#save .save-menu")).to_be_hidden()
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")
    menu.keyboard.press("ArrowUp")
    expect(menu.locator(":focus")).to_contain_text("ComfyUI")
    menu.mouse.click(600, 700)
    expect(menu.locator("#save .save-menu")).to_be_hidden()


def test_it_is_a_menu_to_a_screen_reader(menu):
    menu.click(".save-button")
    found = Axe().run(menu, context=".save").response["violations"]
    assert [each["id"] for each in found] == []
    expect(menu.get_by_role("menu", name="Save")).to_be_visible()
    lanes = menu.get_by_role("menuitemradio")
    assert [each.get_attribute("aria-label") for each in lanes.all()] == [
        *("Lane A, DPM2", "Lane B, DPM2 a Karras"),
    ]


def test_each_file_is_the_runs(menu, tmp_path):
    zipped = saved(menu, "Everything")
    assert zipped.suggested_filename == "sampler-explorer-a-red-sailboat-on-the-sea-7.zip"
    run = read_zip(Path(zipped.path()))
    assert [each.label for each in run] == ["DPM2", "DPM2 a Karras"]
    expect(said(menu)).to_have_text("Saved.")
    page = saved(menu, "A page of its own")
    assert page.suggested_filename.endswith("-7.html")
    assert Path(page.path()).read_bytes().startswith(b"<!doctype html>")
    table = Path(saved(menu, "Table").path()).read_text().splitlines()
    assert len(table) == 1 + 2 * 39
    menu.get_by_role("menuitemradio").nth(1).click()
    expect(menu.get_by_role("menuitemradio").nth(1)).to_have_attribute("aria-checked", "true")
    picture = saved(menu, "Picture", "", 1)
    assert picture.suggested_filename.endswith("-7-b.png")
    assert Path(picture.path()).read_bytes() == run.lanes[1].picture
    config = json.loads(Path(saved(menu, "scheduler_config", "", 1).path()).read_text())
    assert config["use_karras_sigmas"] is True


@pytest.mark.parametrize("kind", ["webp", "mp4"])
def test_an_animation_is_made_in_the_background(menu, kind):
    film = saved(menu, "Animation", f".{kind}")
    assert film.suggested_filename.endswith(f"-7.{kind}")
    expect(said(menu)).to_have_text("Saved.")
    if kind == "webp":
        with Image.open(io.BytesIO(Path(film.path()).read_bytes())) as image:
            with_cursor = image.size
            assert image.n_frames == 40
        cursor = menu.get_by_role("menuitemcheckbox")
        cursor.click()
        expect(cursor).to_have_attribute("aria-checked", "false")
        with Image.open(saved(menu, "Animation", ".webp").path()) as image:
            assert image.size[1] < with_cursor[1]
        cursor.click()


def test_an_animation_shows_how_far_it_is_and_is_stopped(menu):
    menu.route(
        "**/save/jobs/*",
        lambda route: (
            route.fulfill(json=WORKING) if route.request.method == "GET" else route.continue_()
        ),
    )
    menu.click(".save-button")
    entry(menu, "Animation", ".webp").click()
    stop = entry(menu, "Stop the animation")
    expect(stop).to_contain_text("10 of 40")
    menu.keyboard.press("Escape")
    expect(menu.locator(".save-button")).to_have_attribute("data-busy", "")
    assert (
        menu.locator(".save-button").evaluate("b => b.style.getPropertyValue('--made')") == "0.25"
    )
    menu.click(".save-button")
    with menu.expect_request(lambda request: request.method == "DELETE"):
        entry(menu, "Stop the animation").click()
    expect(said(menu)).to_have_text("The animation was stopped.")
    expect(entry(menu, "Animation", ".webp")).to_be_visible()
    menu.unroute("**/save/jobs/*")


WORKING = {"job": "0" * 32, "state": "working", "done": 10, "count": 40, "message": ""}


def test_texts_are_copied_and_say_what_diffusers_lacks(menu):
    menu.context.grant_permissions(["clipboard-read", "clipboard-write"])
    menu.click(".save-button")
    for label, inside in {
        "Copy the settings": '"cfg_scale": 3',
        "Copy for A1111": "Sampler: DPM2",
        "Copy for ComfyUI": "14.61",
        "Copy as Python": "from diffusers import",
    }.items():
        entry(menu, label, "", 0 if "settings" in label else 1).click()
        wait_for(
            menu,
            "document.querySelector('#save .save-menu .said').textContent.startsWith('Copied')",
        )
        assert inside in menu.evaluate("navigator.clipboard.readText()")
    expect(menu.locator("#save .save-menu .missing li")).to_have_count(0)


def test_where_no_page_may_copy_the_text_is_shown_selected(menu):
    menu.route("**/save/python*", lambda route: route.fulfill(json=PYTHON))
    menu.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})"
    )
    menu.click(".save-button")
    entry(menu, "Copy as Python", "", 1).click()
    box = menu.get_by_role("textbox", name="Text to copy")
    expect(box).to_be_focused()
    assert box.evaluate("box => box.value.slice(box.selectionStart, box.selectionEnd)") == "code"
    expect(said(menu)).to_contain_text("the text is selected here")
    expect(menu.locator("#save .save-menu .missing li")).to_have_text(
        "<b>Eta</b> 0.5: no such argument."
    )
    menu.evaluate("delete navigator.clipboard")
    menu.unroute("**/save/python*")


PYTHON = {"text": "code", "missing": ["<b>Eta</b> 0.5: no such argument."]}


def test_a_run_that_the_server_has_forgotten_is_a_sentence(menu):
    forgotten = {"message": "There is no such run, or it is no longer kept."}
    menu.route("**/save/zip*", lambda route: route.fulfill(json=forgotten, status=404))
    menu.click(".save-button")
    entry(menu, "Everything").click()
    expect(said(menu)).to_have_text(forgotten["message"])
    menu.unroute("**/save/zip*")
    menu.route("**/save/zip*", lambda route: route.abort())
    entry(menu, "Everything").click()
    expect(said(menu)).to_have_text("The server cannot be reached.")
    menu.unroute("**/save/zip*")
    menu.locator("input[type=range]").first.evaluate(MOVED)  # by the player, say
    expect(said(menu)).to_have_text("The server cannot be reached.")


MOVED = "range => { range.value = 3; range.dispatchEvent(new Event('input', {bubbles: true})); }"


def test_while_a_run_goes_on_nothing_is_saved(menu, engine):
    engine.hold_at = 5
    menu.click("#run")
    button = menu.locator(".save-button")
    expect(button).to_have_attribute("aria-disabled", "true")
    assert button.get_attribute("title").startswith("A run is going on")
    engine.hold_at = None
    wait_for(menu, "samplerExplorer.state === 'done'")
    expect(button).to_have_attribute("aria-disabled", "false")
    assert button.get_attribute("title") == ""


def test_a_stopped_run_has_no_picture_to_save(menu, engine):
    engine.hold_at = 5
    menu.click("#run")
    wait_for(menu, "samplerExplorer.call === 5")
    menu.click("#stop")
    wait_for(menu, "samplerExplorer.state === 'cancelled'")
    menu.click(".save-button")
    picture = entry(menu, "Picture", "", 1)
    expect(picture).to_have_attribute("aria-disabled", "true")
    expect(picture).to_have_attribute(
        "title", "This lane has no picture: the run ended before it was made."
    )
    assert saved(menu, "Table").suggested_filename.endswith(".csv")
    menu.keyboard.press("Escape")
    engine.hold_at = None
    run_to_end(menu)
