"""A run as a page of its own, from disk in a browser: it fetches nothing and runs no text."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from made_runs import SIDE, made_frames, made_run, made_settings, made_trajectory
from PIL import Image
from playwright.sync_api import Page, expect

from explorer.capture.frames import LaneFrames
from explorer.records import RecordedRun
from explorer.records.exports.web_page import web_page

HOSTILE = (
    '</script><img src=x onerror="window.hurt=1"><!--<script>window.hurt=2</script> "\'&\u2028'
)


@pytest.fixture
def opened(context, tmp_path) -> Iterator[Callable[[RecordedRun], Page]]:
    """A function that writes a run's page, opens it, and returns it; nothing may go wrong in it."""
    wrong: list[str] = []

    @contextmanager
    def page_of() -> Iterator[Page]:
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.on("request", lambda request: fetched(request.url))
        yield page
        page.close()

    def fetched(url: str) -> None:
        if not url.startswith(("data:", tmp_path.as_uri())):
            wrong.append(f"fetched {url[:80]}")

    with page_of() as page:

        def open_page(run: RecordedRun) -> Page:
            (tmp_path / "run.html").write_bytes(web_page(run))
            page.goto(Path(tmp_path / "run.html").as_uri())
            return page

        yield open_page
    assert wrong == []


def pixel(page: Page, lane: int) -> list[int]:
    """The colour at the top left of a lane's canvas, once its picture is drawn."""
    canvas = page.locator("canvas").nth(lane)
    expect(canvas).to_have_attribute("width", str(SIDE))
    read = "canvas => [...canvas.getContext('2d').getImageData(2, 2, 1, 1).data].slice(0, 3)"
    return canvas.evaluate(read)


def test_the_frames_of_both_lanes_under_the_scrubber(opened):
    run = made_run()
    page = opened(run)
    expect(page.locator("h1")).to_have_text(run.settings["prompt"])
    expect(page.locator("output")).to_have_text("step 3, call 5 of 5")
    for call in (1, 3):
        page.locator("input[type=range]").fill(str(call))
        expect(page.locator("output")).to_have_text(
            f"step {call // 2 + 1}\u00bd, call {call + 1} of 5"
        )
        for lane in range(2):
            wanted = run.lanes[lane].sheets["denoised"].frames()[call][2, 2]
            assert np.abs(pixel(page, lane) - wanted.astype(int)).max() <= 3
    page.get_by_label("noisy", exact=True).check()
    wanted = run.lanes[1].sheets["noisy"].frames()[3][2, 2]
    assert np.abs(pixel(page, 1) - wanted.astype(int)).max() <= 3
    expect(page.locator("figcaption").nth(1)).to_contain_text("approximate")
    expect(page.locator("figcaption").nth(1)).to_contain_text("sigma 3.654, timestep 699")


def test_the_plot_has_every_call_and_goes_where_it_is_clicked(opened):
    page = opened(made_run())
    assert page.locator(".plot .call, .plot .midpoint").count() == 10
    expect(page.locator(".plot .cursor")).to_have_count(2)
    box = page.locator(".plot .call").first.bounding_box()
    page.mouse.click(box["x"] + 1, box["y"] + 40)
    expect(page.locator("output")).to_have_text("step 1, call 1 of 5")
    assert page.locator(".plot .cursor").first.get_attribute("cx") == page.locator(
        ".plot .call"
    ).first.get_attribute("cx")


def test_it_plays_and_answers_to_the_keyboard(opened):
    page = opened(made_run())
    page.get_by_role("button", name="Play").press("Enter")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.get_by_role("button", name="Play")).to_be_visible()  # at the end
    page.locator("input[type=range]").press("ArrowLeft")
    expect(page.locator("output")).to_have_text("step 2\u00bd, call 4 of 5")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screen_readers_and_weak_eyes_can_use_it(opened, scheme):
    page = opened(made_run())
    page.emulate_media(color_scheme=scheme)
    page.locator("summary").click()
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found] == []


def test_texts_stay_texts(opened):
    settings = made_settings(prompt=HOSTILE, negative_prompt=HOSTILE)
    lanes = [replace(made_trajectory(settings, lane), label=HOSTILE) for lane in range(2)]
    frames = [made_frames(lane) for lane in range(2)]
    page = opened(RecordedRun.of(lanes, frames, model=HOSTILE, message=HOSTILE))
    expect(page.locator("h1")).to_have_text(HOSTILE)
    expect(page.locator("figcaption").first).to_contain_text(HOSTILE)
    page.locator("summary").click()
    expect(page.locator("dd").first).to_have_text(HOSTILE)
    assert page.evaluate("window.hurt") is None
    assert page.locator("body img").count() == 0
    assert page.locator("script").count() == 2
    assert page.title().startswith("</script><img src=x")


def test_a_run_without_calls_or_pictures_says_so(opened):
    settings = made_settings()
    empty = replace(
        made_trajectory(settings, 0), calls=(), final=None, images=None, state="cancelled"
    )
    page = opened(RecordedRun.of([empty]))
    expect(page.locator(".panes")).to_have_text("The run ended before its first call.")
    expect(page.locator(".facts")).to_contain_text("stopped")


def test_two_lanes_of_39_calls_stay_below_three_megabytes():
    """Noise of 16 x 16, as latents are, enlarged to 128 px: real frames have less detail."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (39, 16, 16, 3)).astype(np.uint8)
    large = np.stack([np.asarray(Image.fromarray(each).resize((128, 128))) for each in coarse])
    settings = made_settings()
    lanes = [made_trajectory(settings, lane) for lane in range(2)]
    run = RecordedRun.of(lanes, [LaneFrames(denoised=large, noisy=large)] * 2)
    assert 9e5 < len(web_page(run)) < 3e6
