"""The scrubber after a run: pictures, numbers and the plot's rings move together."""

from itertools import pairwise

import pytest
from reading import curve, facts, picture, scrub_to, state, wait_for

pytestmark = pytest.mark.browser

CALLS = 39  # of 20 steps


@pytest.fixture(autouse=True)
def defaults(recorded):
    """Every test starts from the same switches."""
    recorded.check("input[name=view][value=denoised]", force=True)
    recorded.check("input[name=align][value=step]", force=True)


def test_every_call_has_its_picture_and_numbers(recorded):
    scrub_to(recorded, 0)
    assert facts(recorded, "a") == {
        "call": "1 of 39",
        "step": "1 of 20",
        "sigma": "14.61",
        "timestep": "999",
    }
    seen = set()
    for frame in (0, 13, 27):
        scrub_to(recorded, frame)
        seen.add(picture(recorded, "a"))
    assert len(seen) == 3
    assert facts(recorded, "a")["step"] == "14½ of 20"


@pytest.mark.parametrize(
    ("key", "frame"), [("ArrowRight", 11), ("ArrowLeft", 9), ("Home", 0), ("End", CALLS - 1)]
)
def test_keys_move_the_scrubber(recorded, key, frame):
    scrub_to(recorded, 10)
    recorded.get_by_label("Step", exact=True).press(key)
    wait_for(recorded, f"samplerExplorer.frame === {frame}")


def test_the_scrubber_is_a_slider_that_says_where_it_is(recorded):
    scrub_to(recorded, 13)
    slider = recorded.get_by_role("slider", name="Step", exact=True)
    assert slider.get_attribute("aria-valuetext") == "step 7½, call 14 of 39"


def test_space_plays_to_the_end_and_stops(recorded):
    scrub_to(recorded, CALLS - 4)
    recorded.get_by_label("Step", exact=True).press("Space")
    wait_for(recorded, f"samplerExplorer.frame === {CALLS - 1}")
    recorded.wait_for_selector(".play[aria-label=Play]")


def test_the_last_call_shows_the_finished_picture(recorded):
    scrub_to(recorded, CALLS - 1)
    recorded.wait_for_function("document.querySelector('.pane canvas').width === 64")


def test_views_differ(recorded):
    scrub_to(recorded, 20)
    shown = {}
    for view in ("noisy", "denoised", "change"):
        recorded.check(f"input[name=view][value={view}]", force=True)
        recorded.wait_for_selector(f".pane.lane-a canvas[aria-label*='{view}']")
        shown[view] = picture(recorded, "a")
    assert len(set(shown.values())) == 3


def test_the_first_call_has_no_change(recorded):
    recorded.check("input[name=view][value=change]", force=True)
    scrub_to(recorded, 0)
    grey = recorded.evaluate(
        """() => { const canvas = document.querySelector('.pane canvas');
            const { width, height } = canvas;
            const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
            return data.every((value, i) => value === (i % 4 < 3 ? 128 : 255)); }"""
    )
    assert grey


def test_lanes_align_by_step_or_by_sigma(recorded):
    scrub_to(recorded, 20)
    assert facts(recorded, "b")["call"] == "21 of 39"
    recorded.check("input[name=align][value=sigma]", force=True)
    recorded.wait_for_function(
        "document.querySelector('.lane-b [data-fact=call]').textContent !== '21 of 39'"
    )
    a, b = (float(facts(recorded, lane)["sigma"]) for lane in "ab")
    karras = curve(recorded, 1)
    assert abs(b - a) <= max(high - low for high, low in pairwise(karras))
    assert state(recorded)["frame"] == 20


def ring(page, lane: str) -> dict:
    """The middle of a lane's ring, in pixels of the page."""
    box = page.locator(f"#plot .mark.lane-{lane} b").bounding_box()
    return {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}


def drawn_at(page, call: int) -> dict:
    """Where the plot draws lane A's call, by its own axes."""
    return page.evaluate(
        f"""() => {{ const area = document.querySelector('#plot .area');
            const {{ xaxis, yaxis }} = area._fullLayout;
            const box = area.querySelector('.nsewdrag').getBoundingClientRect();
            const kind = {call} % 2 ? 'midpoint' : 'sigma';
            const isIt = ({{ meta }}) => meta.lane === 0 && meta.kind === kind;
            const {{ x, y }} = area._fullData.find(isIt);
            const at = Math.floor({call} / 2);
            return {{ x: box.left + xaxis.d2p(x[at]), y: box.top + yaxis.d2p(y[at]) }}; }}"""
    )


@pytest.mark.parametrize("axis", ["step", "timestep", "log sigma"])
@pytest.mark.parametrize("frame", [8, 21])
def test_the_rings_follow_the_frames(recorded, axis, frame):
    recorded.locator("#x_axis").select_option(axis.replace(" ", "_"))
    title = {"step": "Step", "timestep": "Timestep", "log sigma": "Sigma, log scale"}[axis]
    recorded.wait_for_function(
        f"document.querySelector('#plot .area')._fullLayout.xaxis.title.text === '{title}'"
    )
    scrub_to(recorded, frame)
    wanted, got = drawn_at(recorded, frame), ring(recorded, "a")
    assert abs(wanted["x"] - got["x"]) < 1.5
    assert abs(wanted["y"] - got["y"]) < 1.5


def test_the_frames_follow_the_plot(recorded):
    scrub_to(recorded, 0)
    target = drawn_at(recorded, 16)
    recorded.mouse.click(target["x"], target["y"])
    wait_for(recorded, "samplerExplorer.frame === 16")
    recorded.mouse.move(target["x"], target["y"])
    recorded.mouse.down()
    target = drawn_at(recorded, 24)
    recorded.mouse.move(target["x"], target["y"], steps=4)
    wait_for(recorded, "samplerExplorer.frame === 24")
    recorded.mouse.up()
    recorded.mouse.move(target["x"] - 200, target["y"])
    assert state(recorded)["frame"] == 24
    assert facts(recorded, "a")["call"] == "25 of 39"
