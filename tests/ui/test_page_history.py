"""The history above the pictures: runs opened as they were, named, starred, deleted, searched."""

import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import opening
from fake_engine import FakeEngine
from PIL import Image
from playwright.sync_api import expect
from reading import facts, fill, picture, run_to_end, scrub_to, wait_for
from test_page_access import small_targets, violations
from test_page_steady import WATCH, shifts, total

from explorer.hosting.run_store import RunStore
from explorer.records import History

pytestmark = pytest.mark.browser
KEPT = '"shown":{"id":'  # a run that the browser comes back to
HOSTILE = "a <img src=x onerror=window.hit=1> boat ${window.hit=1}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> History:
    return History(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def site(runs):
    """A server that keeps runs, and its engine."""
    from explorer import ui

    engine = FakeEngine()
    page = ui.build(engine, store=RunStore(runs.root))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    yield url, engine
    page.close(verbose=False)


@pytest.fixture(scope="module")
def shared(context, site):
    """One page for most tests, and what an empty history showed in it."""
    with opening(context, site[0]) as open_page:
        page = open_page(height=900)
        page.wait_for_selector(".past-runs[data-known]")
        yield page, page.locator(".past-runs").inner_text(), page.evaluate(HEIGHT)


HEIGHT = "document.documentElement.scrollHeight"


@pytest.fixture(scope="module")
def kept(shared, runs, tmp_path_factory) -> Path:
    """Two runs of the page: the newer one has a hostile prompt."""
    page = shared[0]
    run_with(page, 1, prompt="a red sailboat", steps="8")
    run_with(page, 2, prompt=HOSTILE, steps="12", seed="5")
    return shutil.copytree(runs.folder, tmp_path_factory.mktemp("kept") / "runs")


@pytest.fixture
def page(shared, site, kept, runs):
    """The page with these two runs in its history, whatever tests have done to it."""
    site[1].hold_at = None
    page = shared[0]
    wait_for(page, "samplerExplorer.state !== 'running'")
    if not runs.root.is_dir():
        runs.root.unlink()
    shutil.rmtree(runs.folder, ignore_errors=True)
    shutil.copytree(kept, runs.folder)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(".past-run[data-starred]")).to_have_count(0)
    expect(page.locator(".past-run[data-problem]")).to_have_count(0)
    expect(page.locator(".past-run")).to_have_count(2)
    return page


@pytest.fixture
def open_another(context, site):
    with opening(context, site[0]) as open_page:
        yield open_page


def run_with(page, count: int, **controls: str) -> None:
    """A run to its end, and its thumbnail among `count`."""
    for control, text in controls.items():
        fill(page, control, text)
    run_to_end(page)
    expect(page.locator(".past-run")).to_have_count(count)


def open_run(page, at: int) -> None:
    page.locator(".past-run").nth(at).click()
    expect(page.locator(".past-run").nth(at)).to_have_attribute("aria-current", "true")
    page.wait_for_selector(".viewer:not([data-fetching])")


def said(page) -> str:
    return page.locator(".said .text").inner_text()


def test_an_empty_history_is_one_quiet_line(shared):
    assert shared[1].strip() == "Finished runs are kept here."
    assert shared[2] == 900  # nothing scrolls


def test_a_finished_run_is_kept_and_stands_first(page, runs):
    assert [entry.prompt for entry in runs] == [HOSTILE, "a red sailboat"]
    assert page.locator(".past-run img").count() == 2
    run_with(page, 3, prompt="a third one")
    expect(page.locator(".past-run").first).to_have_attribute("aria-current", "true")
    assert page.evaluate("window.hit") is None


def test_a_click_opens_a_run_as_it_was_and_nothing_is_computed(page, site):
    made = site[1].calls_made
    open_run(page, 0)
    newest = picture(page, "a")
    open_run(page, 1)
    expect(page.locator("#prompt textarea")).to_have_value("a red sailboat")
    expect(page.locator("#steps input")).to_have_value("8")
    expect(page.locator("#progress .where")).to_have_text("15 calls per lane")
    assert facts(page, "a")["call"] == "15 of 15"
    scrub_to(page, 4)
    assert facts(page, "b")["step"] == "3 of 8"
    wait_for(page, "document.querySelector('#plot .area').data[0].x.length === 8")
    page.wait_for_timeout(300)  # the settings have settled
    assert not page.evaluate("document.querySelector('.viewer').hasAttribute('data-stale')")
    fill(page, "steps", "9")
    page.wait_for_selector(".viewer[data-stale]")
    fill(page, "steps", "8")
    page.wait_for_selector(".viewer:not([data-stale])")
    open_run(page, 0)
    scrub_to(page, 22)
    assert picture(page, "a") == newest
    expect(page.locator("#prompt textarea")).to_have_value(HOSTILE)
    expect(page.locator("#seed input")).to_have_value("5")
    assert page.evaluate("window.hit") is None
    assert site[1].calls_made == made


def test_opening_is_one_step_of_undo(page):
    open_run(page, 0)
    expect(page.locator("#prompt textarea")).to_have_value(HOSTILE)
    page.wait_for_selector(".viewer:not([data-stale])")
    open_run(page, 1)
    expect(page.locator("#prompt textarea")).to_have_value("a red sailboat")
    page.click(".undo")
    expect(page.locator("#prompt textarea")).to_have_value(HOSTILE)
    expect(page.locator("#steps input")).to_have_value("12")
    expect(page.locator("#seed input")).to_have_value("5")
    page.wait_for_selector(".viewer[data-stale]")
    page.click(".redo")
    expect(page.locator("#steps input")).to_have_value("8")
    page.wait_for_selector(".viewer:not([data-stale])")


def test_a_reload_brings_the_opened_run_back_as_the_chosen_one(page, open_another):
    another = open_another("#same-visitor")
    open_run(another, 1)
    another.reload()
    expect(another.locator(".past-run").nth(1)).to_have_attribute("aria-current", "true")
    expect(another.locator("#progress .where")).to_contain_text("15 calls per lane")
    expect(another.locator("#prompt textarea")).to_have_value("a red sailboat")


def test_a_run_is_named_and_starred(page, runs):
    open_run(page, 1)
    name = page.get_by_label("Name of the run")
    name.fill("  <b>low</b>  sun ")
    name.press("Enter")
    page.click(".past-runs .star")
    expect(page.locator(".past-runs .star")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".past-run[data-starred]")).to_have_count(1)
    label = page.locator(".past-run").nth(1).get_attribute("aria-label")
    assert label.startswith("starred, <b>low</b> sun, DPM2 and DPM2 a, ")
    entry = list(runs)[1]
    assert (entry.name, entry.starred) == ("<b>low</b> sun", True)
    name.fill("never")
    name.press("Escape")
    expect(name).to_have_value("<b>low</b> sun")
    expect(name).to_be_focused()  # the keyboard goes on to the star
    expect(page.locator(".past-runs [role=status]")).to_have_text("Named <b>low</b> sun.")


def test_a_deleted_run_on_screen_says_so_and_is_not_come_back_to(page):
    open_run(page, 0)
    page.click(".past-runs .delete")
    save = page.locator(".save-button")
    expect(save).to_have_attribute("title", re.compile("^This run is deleted"))
    assert KEPT not in page.evaluate("localStorage['sampler-explorer.run']")
    page.click(".past-runs .again")
    expect(save).to_have_attribute("title", "")
    assert KEPT in page.evaluate("localStorage['sampler-explorer.run']")


def test_on_a_phone_all_runs_can_be_reached_and_a_deleted_one_brought_back(
    runs, page, open_another
):
    newest = next(iter(runs))
    for at in range(40):
        id = f"{at:032x}"
        shutil.copytree(runs.folder / newest.id, runs.folder / id)
        manifest = runs.folder / id / "run.json"
        manifest.write_text(manifest.read_text().replace(newest.id, id))
    phone = open_another(width=390, height=844)
    items = phone.locator(".past-run")
    expect(items.nth(20)).to_be_attached()
    assert items.count() < 42
    phone.evaluate("document.querySelector('.past-runs').scrollLeft = 1e6")
    expect(items).to_have_count(42)
    items.nth(30).click()
    phone.evaluate("document.querySelector('.past-runs').scrollLeft = 0")
    items.nth(0).click()
    phone.evaluate("document.querySelectorAll('.past-run')[30].click()")
    expect(phone.locator(".past-run[aria-current]")).to_have_count(1)
    expect(items.nth(30)).to_have_attribute("aria-current", "true")
    right, name = phone.evaluate(
        """[".past-run[aria-current]", ".past-runs .chosen"].map((query, at) =>
            document.querySelector(query).getBoundingClientRect()[at ? "left" : "right"])"""
    )
    assert right <= name + 1  # the chosen run stands beside its name, not below it
    phone.evaluate("document.querySelector('.past-runs').scrollLeft = 0")
    expect(phone.get_by_label("Search prompts and settings of runs")).to_be_in_viewport(ratio=1)
    items.nth(1).click()
    phone.click(".past-runs .delete")
    expect(phone.locator(".past-runs .again")).to_be_in_viewport(ratio=1)
    left = phone.evaluate("document.querySelector('.past-runs .said').getBoundingClientRect().left")
    assert left > 200  # not where the fixed button of the settings covers it


def test_runs_are_searched(page):
    query = page.get_by_label("Search prompts and settings of runs")
    query.fill("SAILBOAT")
    expect(page.locator(".past-run")).to_have_count(1)
    query.fill("elephant")
    expect(page.locator(".past-runs .quiet")).to_have_text("No run has these words.")
    query.fill("")
    expect(page.locator(".past-run")).to_have_count(2)


def test_the_keyboard_moves_opens_deletes_and_brings_back(page, runs):
    page.locator(".past-run").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".past-run").nth(1)).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator("#prompt textarea")).to_have_value(HOSTILE)
    page.locator(".past-run").first.focus()
    page.keyboard.press("Delete")
    expect(page.locator(".past-run")).to_have_count(1)
    expect(page.locator(".past-runs .said")).to_contain_text("Deleted.")
    assert len(runs) == 1
    expect(page.locator(".past-runs .again")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".past-run")).to_have_count(2)
    expect(page.locator(".past-run").first).to_be_focused()
    assert len(runs) == 2


def test_while_a_run_goes_on_none_is_opened(page, site):
    site[1].hold_at = 3
    page.click("#run")
    wait_for(page, "samplerExplorer.call === 3")
    page.locator(".past-run").nth(1).click()
    expect(page.locator(".past-runs .said")).to_contain_text("A run is under way")
    assert page.evaluate("samplerExplorer.state") == "running"
    site[1].hold_at = None
    wait_for(page, "samplerExplorer.state === 'done'")
    expect(page.locator(".past-run")).to_have_count(3)
    assert said(page) == ""


def test_what_cannot_be_opened_says_why_and_breaks_nothing(page, runs, open_another):
    newer, sound = (entry.id for entry in runs)
    damaged, lost = "0" * 32, "1" * 32  # which the server's memory does not have
    for id in (damaged, lost):
        shutil.copytree(runs.folder / sound, runs.folder / id)
    (runs.folder / damaged / "run.json").write_text("{")
    later = json.loads((runs.folder / newer / "run.json").read_text()) | {"version": 9}
    (runs.folder / newer / "run.json").write_text(json.dumps(later))
    (runs.folder / lost / "lane-a.png").unlink()
    strange = "<img src=x onerror=window.hit=1>"
    (runs.folder / strange).mkdir()
    another = open_another(width=390, height=844)
    expect(another.locator(".past-run")).to_have_count(5)
    expect(another.locator(".past-run[data-problem]")).to_have_count(3)
    assert another.evaluate("document.documentElement.scrollWidth") <= 390
    sentences = set()
    for id in (damaged, newer, lost, strange):
        another.locator(f'.past-run[data-id="{id}"]').click()
        expect(another.locator(".said .text")).not_to_have_text("")
        sentences.add(said(another))
        another.locator(f'.past-run[data-id="{sound}"]').click()
        expect(another.locator(".said .text")).to_have_text("")
    for words in ("is damaged", "newer Sampler Explorer", "lane-a.png is missing", "is no run"):
        assert any(words in sentence for sentence in sentences), (words, sentences)
    assert not any(str(runs.root) in sentence for sentence in sentences)
    assert another.evaluate("window.hit") is None
    assert another.evaluate("samplerExplorer.state") == "done"


def test_a_zip_is_opened_as_a_run(page, runs, site, tmp_path):
    older = list(runs)[1]
    made = runs.open(older.id).save(tmp_path / "a boat.zip")
    fill(page, "prompt", "something else")
    chooser = page.locator("input[type=file][accept*='.zip']")
    chooser.set_input_files(made)
    expect(page.locator(".past-run")).to_have_count(3)
    expect(page.locator("#prompt textarea")).to_have_value("a red sailboat")
    expect(page.locator("#progress .where")).to_have_text("15 calls per lane")
    wrong = tmp_path / "<b>wrong.zip"
    wrong.write_bytes(made.read_bytes()[:-900])
    chooser.set_input_files(wrong)
    report = page.locator(".report")
    expect(report.locator(".title")).to_have_text("<b>wrong.zip was not opened")
    expect(report.locator(".sentence")).to_contain_text("The .zip is no .zip, or not all of one.")
    report.locator(".close").click()
    assert len(runs) == 3


def test_a_run_from_a_picture_comes_back_with_it(page, site, tmp_path):
    path = tmp_path / "start.png"
    Image.new("RGB", (80, 64), "teal").save(path)
    page.set_input_files("#init_image input[type=file]", path)
    wait_for(page, "document.querySelector('#start_group .summary').textContent !== ''")
    run_with(page, 3)
    began = site[1].settings.init_image
    open_run(page, 1)
    wait_for(page, "document.querySelector('#start_group .summary').textContent === ''")
    open_run(page, 0)
    wait_for(page, "document.querySelector('#start_group .summary').textContent !== ''")
    page.wait_for_selector(".viewer:not([data-stale])")
    run_with(page, 4)
    assert site[1].settings.init_image == began
    page.evaluate("document.querySelector('[aria-label=\"Remove Image\"]').click()")
    wait_for(page, "document.querySelector('#start_group .summary').textContent === ''")


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (1280, 600), (390, 844)])
def test_nothing_jumps_when_the_runs_come(page, context, open_another, width, height):
    context.add_init_script(f"if (!window.shifts) {{ {WATCH} }}")
    another = open_another(width=width, height=height)
    expect(another.locator(".past-run")).to_have_count(2)
    wait_for(another, "document.querySelector('#doctor .cost').textContent !== ''")
    loading = shifts(another)
    assert total(loading) < 0.05, [each for each in loading if each["value"] > 0.005]
    another.evaluate("document.querySelector('.past-run').click()")
    another.wait_for_selector(".viewer:not([data-empty], [data-fetching])")
    expect(another.locator(".past-run").first).to_have_attribute("aria-current", "true")
    assert another.evaluate("document.documentElement.scrollWidth") <= width
    assert another.evaluate(
        f"document.querySelector('#plot').getBoundingClientRect().top < {height}"
    )
    assert violations(another) == []
    assert small_targets(another) == []


def test_a_folder_that_has_gone_costs_no_run(page, runs):
    shutil.rmtree(runs.root)
    runs.root.write_text("")
    run_to_end(page)
    assert "not saved" in page.locator("#progress .where").inner_text()
    expect(page.locator(".past-runs .quiet")).to_have_text("Finished runs are kept here.")
