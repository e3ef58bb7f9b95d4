"""The tab Table in a real browser: it follows the cursor, moves it, and is copied."""

import csv
import io

import numpy as np
import pytest
from playwright.sync_api import expect
from reading import choose, fill, open_tab, run_to_end, scrub_to, state, wait_for

from explorer.settings import LaneSettings

pytestmark = pytest.mark.browser

DPM2 = LaneSettings().schedule(20)
DPM2_A = LaneSettings(sampler="dpm2_a").schedule(20)
COLUMNS = ["sigma", "next", "mid", "down", "up", "timestep", "alpha-bar", "log SNR"]


@pytest.fixture(scope="module")
def opened(context, server):
    from conftest import opening

    with opening(context, server) as open_page:
        page = open_page()
        open_tab(page, "table")
        page.wait_for_selector(".calls-table tr[data-at]")
        run_to_end(page)
        yield page


@pytest.fixture
def table(opened):
    """A page with a run of the defaults, whose lane A is shown."""
    fill(opened, "steps", "20")
    wait_for(opened, "document.querySelector('.calls-table .whose').hidden")
    show(opened, "A DPM2")
    return opened


def show(page, name: str) -> None:
    """Choose a lane, or all."""
    page.locator(".calls-table .whose-lane").get_by_text(name, exact=True).click(timeout=5000)


def row(page, step: str) -> list[str]:
    """The texts of a step's row, which is scrolled to: the others are not in the page."""
    calls = 2 * int(step.rstrip("½")) - 2
    page.evaluate(f"document.querySelector('.calls-table .scroll').scrollTop = {calls * 24}")
    head = page.get_by_role("rowheader", name=step, exact=True)
    head.wait_for(timeout=5000)
    return page.locator(".calls-table tbody tr").filter(has=head).locator("td").all_inner_texts()


def current(page) -> list[str]:
    return page.locator(".calls-table tr[aria-selected=true] th").all_inner_texts()


def is_in_sight(page) -> bool:
    """Whether the chosen row is in the panel, below the head."""
    return page.evaluate(
        """() => {
            const line = document.querySelector('.calls-table tr[aria-selected=true]');
            const scroll = document.querySelector('.calls-table .scroll');
            const head = document.querySelector('.calls-table thead th');
            if (!line) return false;
            const [own, all] = [line, scroll].map((each) => each.getBoundingClientRect());
            const above = head.getBoundingClientRect().bottom;
            return own.top >= above - 1 && own.bottom <= all.bottom + 1;
        }"""
    )


def test_a_row_is_a_call_with_the_levels_of_its_step(table):
    heads = table.locator(".calls-table thead th").all_inner_texts()
    assert [head for head in heads if head != "A1111"] == ["step", *COLUMNS]
    at = heads.index("A1111") - 1
    cells = row(table, "1")
    cells.pop(at)
    levels = DPM2.sigma, DPM2.sigma_next, DPM2.sigma_mid, DPM2.sigma_down, DPM2.sigma_up
    np.testing.assert_allclose(
        [float(cell) for cell in cells[:5]], [each[0] for each in levels], rtol=1e-4
    )
    assert float(cells[5]) == pytest.approx(DPM2.timestep[0], abs=0.01)
    assert float(cells[7]) == pytest.approx(-2 * np.log(DPM2.sigma[0]), rel=1e-4)
    half = row(table, "1½")
    half.pop(at)
    assert [bool(cell) for cell in half] == [True, *[False] * 4, True, True, True]


def test_the_row_of_the_call_on_screen_is_marked_and_in_sight(table):
    for frame, step in ((0, "1"), (37, "19½"), (20, "11")):
        scrub_to(table, frame)
        wait_for(
            table, f"document.querySelector('tr[aria-selected=true] th')?.textContent === '{step}'"
        )
        assert is_in_sight(table)
    assert table.evaluate("[scrollX, scrollY]") == [0, 0]  # only the rows have scrolled


def test_a_click_and_the_arrow_keys_move_the_run(table):
    scrub_to(table, 0)
    row(table, "3")
    table.get_by_role("rowheader", name="3", exact=True).click()
    wait_for(table, "samplerExplorer.frame === 4")
    grid = table.get_by_role("grid", name="Model calls, a row each")
    grid.focus()
    for key, frame in (("ArrowDown", 5), ("PageDown", 15), ("ArrowUp", 14), ("End", 38)):
        table.keyboard.press(key)
        wait_for(table, f"samplerExplorer.frame === {frame}")
    assert is_in_sight(table)
    described = grid.get_attribute("aria-activedescendant")
    assert table.locator(f"#{described} th").inner_text() == current(table)[0] == "20"
    table.keyboard.press("Home")
    wait_for(table, "samplerExplorer.frame === 0")


def test_lanes_stand_side_by_side(table):
    show(table, "side by side")
    scrub_to(table, 6)
    marked = table.locator(".calls-table td[data-current]")
    lanes = {cell.get_attribute("data-lane") for cell in marked.all()}
    assert lanes == {"0", "1"}
    cells = row(table, "4")
    down = [float(cells[at]) for at in range(len(cells)) if heads(table)[at + 1].endswith("down")]
    np.testing.assert_allclose(down, [DPM2.sigma_down[3], DPM2_A.sigma_down[3]], rtol=1e-4)


def heads(page) -> list[str]:
    return page.locator(".calls-table thead th").all_inner_texts()


def test_after_a_change_it_is_still_the_run_and_says_so(table):
    fill(table, "steps", "7")
    whose = table.locator(".calls-table .whose")
    expect(whose).to_be_visible()
    expect(whose).to_contain_text("run on screen")
    assert row(table, "20")[0].startswith("0.029")
    fill(table, "steps", "20")
    expect(whose).to_be_hidden()


def test_the_switch_to_run_as_a1111_can_be_taken_back_beside_a_run(table):
    switch = table.get_by_label("as A1111 / ComfyUI")
    switch.check()
    expect(table.locator(".calls-table .whose")).to_be_visible()
    expect(switch).to_be_checked()
    switch.uncheck()
    expect(table.locator(".calls-table .whose")).to_be_hidden()


def test_before_a_run_it_is_the_plan_and_rows_can_be_chosen(open_page):
    page = open_page()
    open_tab(page, "table")
    page.wait_for_selector(".calls-table tr[data-at]")
    fill(page, "steps", "5")
    page.get_by_role("rowheader", name="end", exact=True).wait_for()
    page.wait_for_function("document.querySelectorAll('.calls-table tr[data-at]').length === 10")
    page.get_by_role("rowheader", name="2½", exact=True).click()
    assert current(page) == ["2½"]
    page.locator(".calls-table table").press("ArrowDown")
    assert current(page) == ["3"]
    assert state(page)["frame"] == -1


def test_a_sampler_without_such_levels_has_a_dash_and_a_reason(open_page):
    page = open_page()
    open_tab(page, "table")
    choose(page, "#a_sampler", "Euler")
    page.wait_for_function(
        "document.querySelector('.calls-table tr[data-at]')?.textContent.includes('–')"
    )
    cells = row(page, "1")
    assert [cells[at] for at in (2, 3, 4)] == ["–"] * 3
    assert "" not in cells
    reason = page.locator(".calls-table tr[data-at] td").nth(2).get_attribute("title")
    assert "one model call a step" in reason
    assert page.get_by_role("rowheader", name="1½", exact=True).count() == 0


def test_a_thousand_steps_are_a_few_rows_in_the_page(open_page):
    page = open_page()
    open_tab(page, "table")
    fill(page, "steps", "1000")
    grid = page.locator(".calls-table table")
    expect(grid).to_have_attribute("aria-rowcount", "2001")
    assert page.locator(".calls-table tr[data-at]").count() < 80
    grid.press("End")
    wait_for(page, "document.querySelector('tr[aria-selected=true] th')?.textContent === '1000'")
    assert is_in_sight(page)
    assert page.locator(".calls-table tr[data-at]").count() < 80


def test_the_file_has_every_call_of_every_lane(table):
    with table.expect_download() as download:
        table.click(".calls-table .csv")
    assert download.value.suggested_filename == "model-calls.csv"
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert len(rows) == 78
    for lane, schedule in (("A", DPM2), ("B", DPM2_A)):
        own = [each for each in rows if each["lane"] == lane]
        np.testing.assert_array_equal([float(each["sigma"]) for each in own], schedule.call_sigma)
        ups = [float(each["sigma_up"]) for each in own[::2]]
        np.testing.assert_array_equal(ups, schedule.sigma_up)
        assert own[1]["call_of_step"] == "second"


def test_the_sigmas_are_copied_as_other_programs_take_them(table):
    table.evaluate(
        """() => { window.copied = [];
            navigator.clipboard.write = () => Promise.reject(new Error());
            navigator.clipboard.writeText = (text) => Promise.resolve(copied.push(text)); }"""
    )
    for entry in ("Table", "ComfyUI", "diffusers"):
        table.click(".calls-table .copy")
        table.get_by_role("menuitem", name=entry).click()
        expect(table.locator(".calls-table .said")).to_have_text("Copied")
    whole, comfy, python = table.evaluate("copied")
    assert len(whole.splitlines()) == 40
    assert whole.splitlines()[0].split("\t") == [
        "step", "sigma", "sigma_next", "sigma_mid", "sigma_down", "sigma_up", "timestep",
        "alpha_bar", "log_snr",
    ]  # fmt: skip
    sigmas = [float(word) for word in comfy.split(", ")]
    np.testing.assert_allclose(sigmas, [*DPM2.sigma, 0], rtol=1e-6)
    np.testing.assert_allclose(
        [float(word) for word in python.strip("[]").split(", ")], sigmas[:-1]
    )


def test_where_a_browser_copies_nothing_the_text_is_there_to_copy(table):
    table.evaluate(
        """() => { const refuse = () => Promise.reject(new Error());
            navigator.clipboard.write = navigator.clipboard.writeText = refuse; }"""
    )
    table.click(".calls-table .copy")
    table.get_by_role("menuitem", name="ComfyUI").click()
    box = table.get_by_label("Text to copy").locator("visible=true")
    expect(box).to_be_visible()
    assert box.input_value().endswith(", 0")
    table.keyboard.press("Escape")


def test_all_of_six_lanes_can_be_chosen(open_page):
    page = open_page(width=1280, height=900)
    for _ in range(4):
        page.click(".lanes .add")
    open_tab(page, "table")
    page.wait_for_function("document.querySelectorAll('.whose-lane label').length === 7")
    right = page.locator(".calls-table").evaluate("(it) => it.getBoundingClientRect().right")
    for at in range(7):
        box = page.locator(".whose-lane label").nth(at).bounding_box()
        assert box["x"] + box["width"] <= right + 1, at
