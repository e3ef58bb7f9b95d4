"""After a run every call comes in full size: shown where it is decoded, within a stated memory."""

import pytest
from fake_engine import full_colour
from reading import fill, run_to_end, scrub_to, wait_for

pytestmark = pytest.mark.browser

SIDE = 1024
MOST_BYTES = 32e6  # of decoded pictures, as bitmaps.js says


@pytest.fixture
def full_size(engine):
    engine.full_side = SIDE
    engine.asked.clear()
    yield engine
    engine.full_side = 0


def pixel(page, lane: str) -> list[int]:
    return page.evaluate(
        "(lane) => [...document.querySelector(`.pane.lane-${lane} canvas`)"
        ".getContext('2d').getImageData(5, 5, 1, 1).data].slice(0, 3)",
        lane,
    )


def wait_for_colour(page, lane: str, colour: tuple[int, ...]) -> None:
    page.wait_for_function(
        "([lane, colour]) => { const data = document.querySelector(`.pane.lane-${lane} canvas`)"
        ".getContext('2d').getImageData(5, 5, 1, 1).data;"
        " return colour.every((value, at) => Math.abs(value - data[at]) < 6); }",
        arg=[lane, list(colour)],
    )


def test_a_long_run_is_shown_in_full_size_within_the_memory_that_is_stated(open_page, full_size):
    page = open_page()
    fill(page, "steps", "40")
    run_to_end(page)
    assert full_size.asked == [([78, 78], "denoised")]
    wait_for(page, "samplerExplorer.largeFrames.files === 2 * 2 * 79")
    for call in (60, 20, 40):
        scrub_to(page, call)
        wait_for_colour(page, "a", full_colour(0, call, "denoised"))
        wait_for_colour(page, "b", full_colour(1, call, "denoised"))
        # at rest the picture is whole, those beside it are as large as the screen shows them
        wait_for(page, f"document.querySelector('.pane canvas').width === {SIDE}")
        wait_for(page, "samplerExplorer.largeFrames.decoded >= 2 * (1 + 2 * 12)")
        assert page.evaluate("samplerExplorer.largeFrames.bytes") <= MOST_BYTES
    drawn = page.evaluate(SCRUB)
    assert drawn["moved"] == 79  # every call was the one on screen in one animation frame
    assert 0 < drawn["most"] <= MOST_BYTES
    page.check("input[name=view][value=noisy]", force=True)
    scrub_to(page, 30)
    wait_for_colour(page, "a", full_colour(0, 30, "noisy"))


# Move to the next call in every animation frame, and look at what is decoded.
SCRUB = """async () => {
  const range = document.querySelector(".transport input[type=range]");
  const intervals = [];
  let [moved, most, before] = [0, 0, performance.now()];
  for (let call = 0; call <= Number(range.max); call++) {
    range.value = call;
    range.dispatchEvent(new Event("input", { bubbles: true }));
    const now = await new Promise(requestAnimationFrame);
    intervals.push(now - before);
    before = now;
    moved += samplerExplorer.frame === call;
    most = Math.max(most, samplerExplorer.largeFrames.bytes);
  }
  intervals.sort((a, b) => a - b);
  return { moved, most, p95: intervals[Math.floor(intervals.length * 0.95)] };
}"""


def test_a_new_run_takes_the_large_pictures_away(open_page, full_size):
    page = open_page()
    run_to_end(page)
    wait_for(page, "samplerExplorer.largeFrames.files > 0")
    full_size.full_side = 0
    run_to_end(page)
    assert page.evaluate("samplerExplorer.largeFrames.files") == 0
    assert page.evaluate("document.querySelector('.pane canvas').width") == 64
