"""Size, batch and start picture in a real browser."""

import zlib

import pytest
from PIL import Image
from reading import curve, fill, run_to_end, scrub_to, state

from explorer.settings import LaneSettings, picture_url

pytestmark = pytest.mark.browser

UPLOAD = "#init_image input[type=file]"


@pytest.fixture
def folds(open_page):
    """A page with both groups open."""
    page = open_page()
    for group in ("picture", "start"):
        page.locator(f"#{group}_group .fold-head").click()
    return page


def wait_for_summary(page, group: str, text: str) -> None:
    summary = f"document.querySelector('#{group}_group .summary')"
    page.wait_for_function(f"text => {summary}.textContent === text", arg=text)


def test_groups_are_folded_and_open_for_a_problem(open_page):
    page = open_page()
    assert page.locator("#batch_size").is_hidden()
    head = page.locator("#picture_group .fold-head")
    head.click()
    assert head.get_attribute("aria-expanded") == "true"
    fill(page, "width", "100")
    page.wait_for_selector("#width_problem")
    head.click()
    fill(page, "width", "101")
    page.wait_for_selector("#width_problem", state="visible")
    fill(page, "width", "")
    page.wait_for_selector("#width_problem", state="detached")


def test_size_and_batch_run(folds, engine):
    page = folds
    fill(page, "width", "192")
    fill(page, "batch_size", "4")
    wait_for_summary(page, "picture", "192 × default, 4 pictures")
    run_to_end(page)
    ran = engine.settings
    assert (ran.width, ran.height, ran.batch_size) == (192, 0, 4)
    # Four pictures are one tiled frame.
    assert page.evaluate("document.querySelector('.pane.lane-a canvas').width") == 128


def test_a_run_from_a_picture_counts_the_calls_it_makes(folds, engine, tmp_path):
    page, path = folds, tmp_path / "<img src=x onerror=window.hit=1>.png"
    Image.new("RGB", (80, 64), "teal").save(path)
    page.set_input_files(UPLOAD, path)
    wait_for_summary(page, "start", "from step 6, 29 calls per lane")
    schedule = LaneSettings().schedule(20)
    assert curve(page, 0) == pytest.approx(schedule.sigma[5:].tolist())
    run_to_end(page)
    assert state(page) == {"state": "done", "call": 29, "calls": 29, "frame": 28}
    assert engine.settings.init_image == picture_url(path)
    scrub_to(page, 0)
    assert page.locator(".lane-a [data-fact=step]").inner_text() == "6 of 20"
    fill(page, "strength", "0")
    page.wait_for_selector("#strength_problem")
    fill(page, "strength", "0.75")
    page.wait_for_selector("#strength_problem", state="detached")
    page.get_by_role("button", name="Remove Image").click()
    wait_for_summary(page, "start", "")
    run_to_end(page)
    assert (engine.settings.init_image, engine.settings.nfe) == ("", 39)
    assert page.evaluate("window.hit") is None


def test_a_phones_picture_with_another_one_in_it_is_used(folds, engine, tmp_path):
    path = tmp_path / "photo.jpg"
    first, second = Image.new("RGB", (80, 64), "teal"), Image.new("L", (40, 32))
    first.save(path, "MPO", save_all=True, append_images=[second])
    folds.set_input_files(UPLOAD, path)
    wait_for_summary(folds, "start", "from step 6, 29 calls per lane")
    run_to_end(folds)
    assert engine.settings.init_image == picture_url(path)


@pytest.mark.parametrize("broken", ["text", "large"])
def test_what_is_no_start_picture_is_a_sentence(folds, tmp_path, broken):
    path = tmp_path / "picture.png"
    if broken == "text":
        path.write_text("It was a dark and stormy night")
    else:
        head = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
        size, check = (13).to_bytes(4, "big"), zlib.crc32(head).to_bytes(4, "big")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + size + head + check)
    folds.set_input_files(UPLOAD, path)
    folds.wait_for_selector("#init_image_problem")
    assert "Start picture" in folds.locator("#init_image_problem").inner_text()
    folds.click("#run")
    folds.wait_for_function("samplerExplorer.state === 'error'")
