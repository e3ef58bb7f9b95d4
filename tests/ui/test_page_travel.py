"""Settings that survive the page and travel: the kept form, links, what is dropped or pasted."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from below_a_path import below
from fake_engine import IDENTITIES
from made_runs import made_trajectory
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Page, expect
from reading import choose, fill, in_turn, open_fold, open_tab, wait_for
from test_page_access import violations

from explorer import ui
from explorer.assets import asset
from explorer.hosting.run_store import RunStore
from explorer.records.examples import Examples
from explorer.records.permalinks import read_permalink, write_permalink
from explorer.records.pictures import lane_png
from explorer.settings import LaneSettings, RunSettings

pytestmark = pytest.mark.browser

A1111 = (
    "a boat\nNegative prompt: fog\nSteps: 25, Sampler: DPM2 a, Schedule type: Karras, "
    "CFG scale: 6.5, Seed: 42, Size: 512x768, Model: other, Clip skip: 2, Version: v1.10.1"
)
SETTINGS = RunSettings(
    prompt="a <img src=x onerror=window.hit=1> ${window.hit=2} boat",
    steps=12,
    model="bundled",
    lanes=(LaneSettings(schedule_type="karras", rho=5), LaneSettings(sampler="euler")),
)
FORM = "JSON.parse(localStorage['sampler-explorer.form']).form"


@pytest.fixture(autouse=True)
def bundled(engine):
    """A page opens with the model that is resident, whoever chose it."""
    yield
    engine.load("bundled")


def ready(page: Page) -> Page:
    page.wait_for_selector("#history [data-ready]")
    return page


def holds(page: Page, prompt: str, steps: str, lanes: int) -> None:
    expect(page.locator("#prompt textarea")).to_have_value(prompt)
    expect(page.locator("#steps input")).to_have_value(steps)
    expect(page.locator(".lane-heads .head")).to_have_count(lanes)


def holds_defaults(page: Page) -> None:
    holds(page, "a red sailboat on the sea at sunset with mountains", "20", 2)


def report(page: Page):
    shown = page.locator(".report")
    expect(shown).to_be_visible()
    return shown


def kept(page: Page, condition: str) -> None:
    wait_for(page, f"'sampler-explorer.form' in localStorage && {FORM}.{condition}")


def give(page: Page, target: str, how: str, text: str = "", **files: bytes) -> None:
    """Drop or paste files, by name, or a text on an element as the browser reports it."""
    page.evaluate(
        """([target, how, text, files]) => {
            const data = new DataTransfer();
            for (const [name, type, content] of files) {
                const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
                data.items.add(new File([bytes], name, { type }));
            }
            if (text) data.setData("text/plain", text);
            const more = { bubbles: true, cancelable: true };
            const element = document.querySelector(target);
            const fire = (name) =>
                element.dispatchEvent(new DragEvent(name, { ...more, dataTransfer: data }));
            if (how === "drop") fire("dragover"), fire("drop");
            else {
                const paste = new ClipboardEvent("paste", { ...more, clipboardData: data });
                element.dispatchEvent(paste);
            }
        }""",
        [
            target,
            how,
            text,
            [
                (name.replace("_", "."), kind(name), base64.b64encode(content).decode())
                for name, content in files.items()
            ],
        ],
    )


def kind(name: str) -> str:
    ends = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg", "json": "", "txt": ""}
    return ends.get(name.rpartition("_")[2], "application/octet-stream")


def picture(text: str = "", file: str = "PNG") -> bytes:
    data, more = io.BytesIO(), {}
    image = Image.fromarray(np.random.default_rng(1).integers(0, 255, (300, 300, 3), np.uint8))
    if text and file == "PNG":
        more["pnginfo"] = PngInfo()
        more["pnginfo"].add_text("parameters", text)
    elif text:
        more["exif"] = Image.Exif()
        comment = b"UNICODE\0" + text.encode("utf-16-be")
        more["exif"].get_ifd(0x8769)[0x9286] = comment
    image.save(data, file, **more)
    return data.getvalue()


# --- the form is kept ----------------------------------------------------------------------------


def test_the_form_outlives_the_tab_and_one_undo_brings_the_defaults_back(open_page, engine):
    page = ready(open_page())
    fill(page, "prompt", "a car")
    fill(page, "steps", "9")
    page.click("#lanes .add")
    choose(page, "#model", "Turbo")
    expect(page.locator("#steps input")).to_have_value("4")  # as that model wants
    kept(page, "model === 'turbo'")
    page.close()
    engine.load("bundled")  # as after a restart

    page = ready(open_page("#same-visitor"))
    holds(page, "a car", "4", 3)
    expect(page.locator("#model_card .facts")).to_contain_text("512")  # loaded as when chosen
    expect(page.locator(".report")).to_be_hidden()  # nothing to be said
    assert page.evaluate("samplerExplorer.state") == "idle"
    page.click("#history .undo")
    holds_defaults(page)
    expect(page.locator("#model_card .facts")).to_contain_text("128 × 128")
    expect(page.locator("#history .undo")).to_be_disabled()
    page.click("#history .redo")
    holds(page, "a car", "4", 3)


def test_no_default_is_seen_that_is_about_to_be_replaced(context, open_page, server):
    page = ready(open_page())
    fill(page, "prompt", "a car")
    kept(page, "prompt === 'a car'")
    page = context.new_page()
    page.add_init_script("""
        window.seen = [];
        const look = () => {
            const box = document.querySelector("#prompt textarea");
            const settings = document.querySelector(".sidebar-content");
            if (box && getComputedStyle(settings).opacity === "1") seen.push(box.value);
            requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
    """)
    page.goto(f"{server}#same-visitor")
    wait_for(page, "window.seen.length > 5")
    assert page.evaluate("[...new Set(seen)]") == ["a car"]
    page.close()


def test_a_model_that_is_still_being_loaded_leaves_what_was_brought_back(open_page, engine):
    """As after a restart of a server whose model is not on its disk yet."""
    page = ready(open_page())
    fill(page, "prompt", "a car")
    fill(page, "steps", "9")
    fill(page, "a_beta_end", "0.02")
    kept(page, "lanes.lanes[0].beta_end === '0.02'")
    known = IDENTITIES.pop("bundled")
    engine.resident = ""
    engine.slow.set()
    try:
        page = ready(open_page("#same-visitor"))
        holds(page, "a car", "9", 2)
        expect(page.locator("#model_card .loading")).to_contain_text("Loading")
    finally:
        IDENTITIES["bundled"] = known
        engine.slow.clear()
    expect(page.locator("#model_card .facts")).to_contain_text("128 × 128")
    page.wait_for_timeout(300)
    holds(page, "a car", "9", 2)
    expect(page.locator("#a_beta_end input")).to_have_value("0.02")


def test_a_server_that_has_just_started_loads_the_model_that_is_brought_back(open_page, engine):
    """It would load its first one for a new page, half a second after that came up."""
    page = ready(open_page())
    choose(page, "#model", "Turbo")
    expect(page.locator("#steps input")).to_have_value("4")
    kept(page, "steps === 4")
    engine.resident = ""
    page = ready(open_page("#same-visitor"))
    expect(page.locator("#model_card .facts")).to_contain_text("512")
    page.wait_for_timeout(1000)
    expect(page.locator("#model input")).to_have_value("Turbo")
    assert engine.resident == "turbo"
    expect(page.locator("#steps input")).to_have_value("4")


def test_a_form_of_another_version_is_mended_and_what_changed_is_said(open_page):
    page = ready(open_page())
    fill(page, "prompt", "a car")
    kept(page, "prompt === 'a car'")
    page.evaluate(f"""() => {{
        const form = {FORM};
        const gone = "<img src=x onerror=window.hit=1>";
        Object.assign(form, {{ steps: 5000, gone, model: "gone" }});
        delete form.cfg_scale;
        form.lanes.lanes[0].rho = 1e9;
        form.lanes.lanes[0].old = 1;
        const text = JSON.stringify({{ version: "of yesterday", form }});
        const keep = () => sessionStorage.setItem("sampler-explorer.form", text);
        addEventListener("pagehide", keep);  // after the page itself
        document.addEventListener("visibilitychange", keep);
    }}""")
    page.reload()
    holds(ready(page), "a car", "1000", 2)
    expect(page.locator("#cfg_scale input")).to_have_value("3")  # this model's default
    said = report(page).inner_text()
    for piece in (
        "Steps must be a whole number from 1 to 1000; got 5000",
        "gone is no setting of this version",
        "Lane A: Rho must be",
        "Lane A: old is no setting",
        "The model gone is not in the menu here",
    ):
        assert piece in said, said
    assert page.evaluate("window.hit") is None
    page.click("#history .undo")
    holds_defaults(page)


def test_a_start_picture_is_kept_and_sent_again_where_the_server_lost_it(open_page, tmp_path):
    page = ready(open_page())
    path = tmp_path / "red.png"
    Image.new("RGB", (96, 64), "red").save(path)
    page.click("#start_group .fold-head")
    page.set_input_files("#init_image input[type=file]", path)
    page.wait_for_selector("#init_image img")
    kept(page, "init_image")
    uploaded = Path(page.evaluate(f"{FORM}.init_image.path"))
    wait_for(  # in the browser's database
        page,
        """new Promise(async (resolve) => {
            if (!(await indexedDB.databases()).some(({ name }) => name === "sampler-explorer"))
                return resolve(false);
            const opened = indexedDB.open("sampler-explorer", 1);
            opened.onsuccess = () => {
                const all = opened.result.transaction("pictures").objectStore("pictures").count();
                all.onsuccess = () => resolve(all.result > 0);
            };
        })""",
    )
    uploaded.unlink()
    page.reload()
    ready(page).wait_for_selector("#init_image img", state="attached")
    assert uploaded.exists()
    expect(page.locator(".report")).to_be_hidden()

    uploaded.unlink()
    page.evaluate("indexedDB.deleteDatabase('sampler-explorer')")
    page.reload()
    ready(page)
    expect(report(page)).to_contain_text("The start picture was not kept: choose it again.")
    expect(page.locator("#init_image img")).to_have_count(0)


def test_without_storage_all_works_but_the_keeping(context, server):
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script("""
        const get = () => { throw new DOMException("no", "SecurityError"); };
        for (const name of ["localStorage", "sessionStorage", "indexedDB"])
            Object.defineProperty(window, name, { get });
    """)
    page.goto(server)
    fill(ready(page), "prompt", "a car")
    page.click("#lanes .add")
    give(page, "#viewer", "drop", text=A1111)
    expect(report(page)).to_contain_text("Settings from A1111")
    holds(page, "a boat", "25", 1)
    page.click(".copy-link")
    wait_for(page, "location.search.startsWith('?s=1.')")
    page.reload()
    holds(ready(page), "a boat", "25", 1)  # by the link in the address
    page.goto(server)
    holds_defaults(ready(page))
    page.close()
    assert [error for error in errors if "SecurityError" not in error and error != "no"] == []


# --- links ---------------------------------------------------------------------------------------


def test_a_link_wins_over_what_was_kept_until_something_is_made_of_it(open_page, engine):
    page = ready(open_page())
    fill(page, "prompt", "a car")
    kept(page, "prompt === 'a car'")
    runs = len(engine.starts)
    page = ready(open_page(f"?s={write_permalink(SETTINGS)}#same-visitor"))
    holds(page, SETTINGS.prompt, "12", 2)
    expect(page.locator("#a_rho input")).to_have_value("5")
    expect(page.locator("#history .undo")).to_be_enabled()
    expect(report(page)).to_contain_text("Nothing was run: press Run for its pictures.")
    assert page.evaluate("window.hit") is None
    fill(page, "prompt", "a truck")
    kept(page, "prompt === 'a truck'")
    page.reload()
    holds(ready(page), "a truck", "12", 2)
    assert len(engine.starts) == runs  # a link runs nothing
    assert page.evaluate("samplerExplorer.state") == "idle"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<img src=x onerror=window.hit=1>${window.hit=2}", "holds no settings"),
        ("1." + "A" * 20_000, "at most 8,000 characters"),
    ],
)
def test_a_hostile_link_is_a_sentence(open_page, text, sentence):
    """Which sentence it is of all, tests/records/test_permalinks.py knows."""
    page = ready(open_page(f"?s={text}"))
    expect(report(page)).to_contain_text(sentence)
    holds_defaults(page)
    assert page.evaluate("window.hit") is None


@pytest.mark.parametrize("path", ["", "/explorer"])
def test_a_copied_link_is_this_pages_address_wherever_it_stands(context, engine, server, path):
    """At a root of its own, and below a path of another server."""
    if not path:
        copied_and_opened(context, server)
        return
    built = ui.build(engine, store=RunStore(examples=Examples(asset("examples"))))
    options = ui.launch_options() | {"root_path": path}
    _, inner, _ = built.launch(prevent_thread_lock=True, quiet=True, **options)
    try:
        with below(path, inner) as address:
            copied_and_opened(context, address)
            page = context.new_page()
            page.goto(address)
            page.wait_for_selector(".viewer[data-example]:not([data-fetching])")
            page.close()
    finally:
        built.close(verbose=False)


def copied_and_opened(context, address: str) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{address}?__theme=dark")
    fill(ready(page), "prompt", "a car & a boat?")
    choose(page, "#b_sampler", "Euler")
    page.click(".copy-link")
    expect(page.locator(".copy-link")).to_contain_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    assert link.startswith(f"{address}?__theme=dark&s=1.")
    assert read_permalink(link).settings.lanes[1].sampler == "euler"
    fill(page, "prompt", "a truck")
    kept(page, "prompt === 'a truck'")
    page.reload()  # with the link in its address, of which something was made since
    holds(ready(page), "a truck", "20", 2)
    page.close()
    page = context.new_page()
    page.goto(link)
    holds(ready(page), "a car & a boat?", "20", 2)
    assert page.evaluate("document.body.classList.contains('dark')")
    page.close()


def a_form_that_is_wrong_makes_no_link(page: Page) -> None:
    fill(page, "steps", "0")
    page.click(".copy-link")
    expect(report(page)).to_contain_text("Steps must be a whole number from 1 to 1000; got 0.")
    assert "s=" not in page.url


# --- dropped, pasted, opened ---------------------------------------------------------------------


def our_picture_brings_its_run_back_as_one_change(page: Page) -> None:
    trajectory = made_trajectory(SETTINGS, 1)
    give(page, "#viewer", "drop", lane_png=lane_png(trajectory))
    expect(report(page)).to_contain_text("Settings from Sampler Explorer")
    holds(page, SETTINGS.prompt, "12", 2)
    expect(page.locator("#a_rho input")).to_have_value("5")
    assert page.evaluate("window.hit") is None
    page.keyboard.press("Control+z")
    holds_defaults(page)
    expect(page.locator("#history .undo")).to_be_disabled()


def a_text_of_a1111_in_the_prompts_box_is_settings_and_other_text_stays_the_browsers(
    page: Page,
) -> None:
    give(page, "#prompt textarea", "paste", text="Steps: many, no Sampler: a prompt")
    expect(page.locator("#steps input")).to_have_value("20")
    give(page, "#prompt textarea", "paste", text=A1111)
    expect(report(page)).to_contain_text("Settings from A1111")
    expect(page.locator("#prompt textarea")).to_have_value("a boat")
    expect(page.locator("#steps input")).to_have_value("25")


def a_text_of_a1111_is_taken_and_the_rest_is_listed(page: Page) -> None:
    give(page, "#viewer", "paste", text=A1111)
    shown = report(page)
    for piece in (
        "Settings from A1111",
        "Changed: Prompt a boat, Negative prompt fog, Seed 42, Steps 25, CFG scale 6.5",
        "As A1111 runs DPM2 a: Discard penultimate sigma on",
        "It names no RNG",
        "Model: other (not among the models here)",
        "Clip skip: 2 (the text encoder's last layer is used here)",
        "No run depends on: Version.",
    ):
        expect(shown).to_contain_text(piece)
    holds(page, "a boat", "25", 1)
    page.click(".report .close")
    expect(shown).to_be_hidden()
    page.keyboard.press("Control+z")
    holds_defaults(page)
    give(page, "#viewer", "paste", text=A1111)
    shown.get_by_role("button", name="Undo").click()
    expect(shown).to_be_hidden()
    holds_defaults(page)


def every_kind_of_picture_and_file_is_read(page: Page) -> None:
    given = {
        "a_png": picture(A1111),
        "a_jpg": picture(A1111, "JPEG"),
        "a_webp": picture(A1111, "WEBP"),
        "a_txt": A1111.encode(),
        "a_json": json.dumps(replace(SETTINGS, prompt="a boat", steps=25).to_dict()).encode(),
    }
    for name, content in given.items():
        give(page, "#viewer", "drop", "", **{name: content})
        expect(report(page)).to_contain_text("Settings from")
        expect(page.locator("#steps input")).to_have_value("25")
        page.click(".report .close")
        page.keyboard.press("Control+z")
        expect(page.locator("#steps input")).to_have_value("20")
    open_fold(page, "file_group")
    page.set_input_files(
        "#open_settings input[type=file]",
        {"name": "a.png", "mimeType": "image/png", "buffer": given["a_png"]},
    )
    holds(page, "a boat", "25", 1)


def a_picture_without_settings_may_become_the_start_picture(page: Page) -> None:
    give(page, "#viewer", "drop", red_png=picture(), more_png=picture(A1111))
    shown = report(page)
    expect(shown).to_contain_text("There are no settings in this picture.")
    expect(shown).to_contain_text("One file at a time: more.png was left out.")
    shown.get_by_role("button", name="Use it as the start picture").click()
    page.wait_for_selector("#init_image img")
    expect(shown).to_be_hidden()
    page.keyboard.press("Control+z")
    expect(page.locator("#init_image img")).to_have_count(0)


def what_cannot_be_opened_is_a_sentence(page: Page) -> None:
    for files, text, sentence in (
        ({"x_exe": b"MZ"}, "", "x.exe is of no kind that can be opened here"),
        ({"x_txt": b"hello"}, "", "There are no settings in this text."),
        ({"x_json": b"{}"}, "", "There are no settings in this JSON."),
        ({"x_png": b"x"}, "", "This file is no picture that can be read."),
        ({}, "x" * 500_000, "at most 400,000 characters"),
        ({}, "<img src=x onerror=window.hit=1>\nFoo: ${window.hit=1}", "no settings in this text"),
    ):
        give(page, "#viewer", "drop", text=text, **files)
        expect(report(page)).to_contain_text(sentence)
        page.click(".report .close")
    assert page.evaluate("window.hit") is None
    holds_defaults(page)
    expect(page.locator("#history .undo")).to_be_disabled()


def text_boxes_and_the_start_pictures_control_keep_what_is_theirs(page: Page) -> None:
    open_fold(page, "start_group")
    for target, how in (("#a_sigmas textarea", "paste"), ("#prompt textarea", "drop")):
        give(page, target, how, text=A1111)
    give(page, "#init_image button", "drop", a_png=picture(A1111))
    page.wait_for_selector("#init_image img")
    page.wait_for_timeout(300)
    expect(page.locator(".report")).to_be_hidden()
    expect(page.locator("#steps input")).to_have_value("20")


# --- presets -------------------------------------------------------------------------------------


def preset(page: Page, label: str) -> None:
    page.locator(".preset", has=page.get_by_text(label, exact=True)).click()


def a_preset_of_the_field_is_one_change_that_is_said(page: Page) -> None:
    open_fold(page, "presets_group")
    preset(page, "A1111 and ComfyUI, Karras")
    shown = report(page)
    expect(shown).to_contain_text("Changed: Schedule type Karras, Discard penultimate sigma on")
    open_tab(page, "table")
    expect(page.get_by_label("as A1111 / ComfyUI")).to_be_checked()
    preset(page, "Few steps")
    expect(shown).to_contain_text("Changed: Steps 8, Schedule type Automatic")
    expect(page.locator("#steps input")).to_have_value("8")
    for left in ("20", "20"):
        page.locator("#history .undo").click()
        expect(page.locator("#steps input")).to_have_value(left)
    expect(page.locator("#a_schedule_type select")).to_have_value("0")  # Automatic
    expect(page.locator("#history .undo")).to_be_disabled()
    preset(page, "Zero terminal SNR")  # not for this model, which the doctor says
    expect(page.locator("#doctor")).to_contain_text("The model was trained without betas rescaled")


def test_a_users_own_presets_are_kept_renamed_deleted_and_brought_back(open_page, tmp_path):
    page = ready(open_page())
    page.click("#presets_group .fold-head")
    fill(page, "steps", "9")
    name = "mine <img src=x onerror=window.hit=1>"
    page.fill(".save-preset input", name)
    page.click(".save-preset button")
    own = page.locator(".own-presets .preset")
    expect(own).to_have_text([name])
    with page.expect_download() as download:
        page.click(".presets .export")
    file = tmp_path / "presets.json"
    download.value.save_as(file)
    page.close()

    page = ready(open_page("#same-visitor"))
    page.click("#presets_group .fold-head")
    own = page.locator(".own-presets .preset")
    fill(page, "steps", "5")
    fill(page, "prompt", "a car")
    own.click()
    expect(report(page)).to_contain_text("Changed: Steps 9.")
    holds(page, "a car", "9", 2)  # what is drawn stays
    fill(page, "steps", "6")
    page.locator(".own-presets .rename").click()
    page.keyboard.type("other")
    page.keyboard.press("Enter")
    expect(own).to_have_text(["other"])
    expect(own).to_be_focused()
    page.locator(".own-presets .remove").click()
    expect(own).to_have_count(0)
    expect(page.locator(".undo-line .undo")).to_be_focused()
    holds(page, "a car", "6", 2)  # Enter has renamed the preset, and not applied it
    page.keyboard.press("Enter")
    expect(own).to_have_text(["other"])
    expect(own).to_be_focused()
    give(page, "#viewer", "drop", "", presets_json=file.read_bytes())
    expect(report(page)).to_contain_text("1 preset added.")
    expect(own).to_have_text(["other", name])
    page.set_input_files(
        ".presets input[type=file]",
        {"name": "x.json", "mimeType": "application/json", "buffer": b'{"presets": []}'},
    )
    expect(page.locator(".presets > .sentence")).to_have_text(
        "This file holds no presets of this program."
    )
    assert page.evaluate("window.hit") is None


def the_defaults_come_back_by_one_button(page: Page) -> None:
    open_fold(page, "presets_group")
    fill(page, "prompt", "a car")
    page.click("#lanes .add")
    page.uncheck("#same input")
    page.click(".presets .reset")
    holds_defaults(page)
    expect(page.locator("#same input")).to_be_checked()
    expect(report(page)).to_contain_text("Changed: Prompt a red sailboat")
    page.click("#history .undo")
    holds(page, "a car", "20", 3)


PARTS = (
    text_boxes_and_the_start_pictures_control_keep_what_is_theirs,
    our_picture_brings_its_run_back_as_one_change,
    a_text_of_a1111_in_the_prompts_box_is_settings_and_other_text_stays_the_browsers,
    a_text_of_a1111_is_taken_and_the_rest_is_listed,
    every_kind_of_picture_and_file_is_read,
    a_picture_without_settings_may_become_the_start_picture,
    what_cannot_be_opened_is_a_sentence,
    a_form_that_is_wrong_makes_no_link,
    a_preset_of_the_field_is_one_change_that_is_said,
    the_defaults_come_back_by_one_button,
)


def test_what_is_dropped_pasted_and_chosen_becomes_the_form(open_page):
    page = ready(open_page())
    for each in PARTS:
        in_turn(page, [each])
        if page.locator(".report").is_visible():
            page.click(".report .close")
        holds_defaults(page)


# --- how it looks --------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(1280, 600), (390, 844)])
def test_the_report_covers_no_button_of_the_bar_and_moves_nothing(open_page, width, height):
    page = ready(open_page(width=width, height=height))
    places = "[...document.querySelectorAll('#bar, #viewer, #plot')].map((e) => e.offsetTop)"
    before = page.evaluate(places)
    give(page, "#viewer", "paste", text=A1111 + ", Foo: " + "x" * 3000)
    expect(report(page)).to_contain_text("Foo: xxx")
    assert violations(page) == []
    page.keyboard.press("Control+z")
    box, bar = report(page).bounding_box(), page.locator("#bar").bounding_box()
    assert box and bar
    assert box["y"] + box["height"] <= bar["y"] or box["y"] >= bar["y"] + bar["height"]
    assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] >= 0
    holds_defaults(page)
    page.wait_for_timeout(300)
    assert page.evaluate(places) == before
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for button in ("#run", "#stop", ".copy-link"):
        inside = page.locator(button).bounding_box()
        assert inside and inside["x"] >= 0 and inside["x"] + inside["width"] <= width
