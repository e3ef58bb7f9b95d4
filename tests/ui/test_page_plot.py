"""The plot in a real browser: its curves, pinned schedules, and points that are moved by hand."""

import re

import numpy as np
import pytest
from opened_pages import opening
from playwright.sync_api import expect
from reading import choose, curve, fill, part, wait_for

from explorer.plots.curves import alpha_bar, log_snr
from explorer.settings import LaneSettings

pytestmark = pytest.mark.browser

DPM2 = LaneSettings().schedule(20)
TITLES = {
    "sigma": "Sigma",
    "log SNR": "log SNR",
    "alpha-bar": "alpha-bar",
    "step size": "Step in log sigma",
    "noise": "New noise",
}


@pytest.fixture(scope="module")
def opened(context, server):
    with opening(context, server) as open_page:
        yield open_page()


@pytest.fixture
def plot(opened):
    """A page that shows the defaults' sigmas by step, without pins, in view mode."""
    opened.bring_to_front()  # behind another page it would get one frame a second
    if opened.get_by_role("button", name="Edit points").get_attribute("aria-pressed") == "true":
        opened.click(".legend .edit")
    while opened.locator(".legend .pinned .remove").count():
        opened.click(".legend .pinned .remove >> nth=0")
    show(opened, "sigma")
    switch(opened, "y_axis", "log")
    for hidden in opened.locator(".legend .key[aria-pressed=false]").all():
        hidden.click()
    choose(opened, "#a_sampler", "DPM2")
    fill(opened, "a_sigmas", "")
    fill(opened, "steps", "20")
    wait_for_points(opened, 0, DPM2.sigma)
    return opened


def switch(page, control: str, word: str) -> None:
    page.locator(f"#{control}").select_option(label=word)


def show(page, word: str) -> None:
    """Choose a curve, and wait until its axis is there."""
    switch(page, "quantity", word)
    wait_for(page, f"{LAYOUT}.yaxis.title.text === '{TITLES[word]}'")


LAYOUT = "document.querySelector('#plot .area')._fullLayout"


def wait_for_points(page, lane: int, values, kind: str = "sigma") -> None:
    page.wait_for_function(
        """([lane, kind, values]) => {
            const isIt = ({ meta }) => meta.lane === lane && meta.kind === kind;
            const { y } = document.querySelector('#plot .area')._fullData.find(isIt) ?? { y: [] };
            const near = (value, at) =>
                Math.abs(value - values[at]) < 1e-5 * Math.abs(values[at]) + 1e-9;
            return y.length === values.length && Array.from(y).every(near);
        }""",
        arg=[lane, kind, list(map(float, values))],
    )


def place(page, lane: int, at: int, kind: str = "sigma") -> tuple[float, float]:
    """Where the plot draws one of a lane's points, in pixels of the page."""
    return tuple(
        page.evaluate(
            f"""() => {{ const area = document.querySelector('#plot .area');
            const {{ xaxis, yaxis }} = area._fullLayout;
            const box = area.querySelector('.nsewdrag').getBoundingClientRect();
            const isIt = ({{ meta }}) => meta.lane === {lane} && meta.kind === '{kind}';
            const {{ x, y }} = area._fullData.find(isIt);
            return [box.left + xaxis.d2p(x[{at}]), box.top + yaxis.d2p(y[{at}])]; }}"""
        )
    )


def pinned(page) -> list[str]:
    return page.locator(".legend .pinned .toggle span").all_inner_texts()


# --- curves --------------------------------------------------------------------------------------


def test_every_curve_is_drawn_for_every_lane(plot):
    show(plot, "log SNR")
    wait_for_points(plot, 0, log_snr(DPM2.sigma), "log SNR")
    show(plot, "alpha-bar")
    wait_for_points(plot, 1, [*alpha_bar(DPM2.sigma), 1], "alpha-bar")
    show(plot, "step size")
    wait_for_points(plot, 0, np.log(DPM2.sigma[:-1] / DPM2.sigma[1:]), "step size")
    show(plot, "noise")
    wait_for_points(plot, 0, [0] * 19, "new in this step")
    assert curve(plot, 1, "new since the start")[-1] > 0.99


def test_a_curve_follows_the_form(plot):
    show(plot, "log SNR")
    fill(plot, "steps", "9")
    wait_for_points(plot, 0, log_snr(LaneSettings().schedule(9).sigma), "log SNR")


def test_the_scale_is_offered_where_it_acts(plot):
    show(plot, "alpha-bar")
    expect(plot.locator("#y_axis")).to_be_disabled()
    assert plot.evaluate(f"{LAYOUT}.yaxis.type") == "linear"
    show(plot, "step size")
    expect(plot.locator("#y_axis")).to_be_enabled()
    switch(plot, "y_axis", "linear")
    wait_for(plot, f"{LAYOUT}.yaxis.type === 'linear'")


def test_the_marks_of_the_curve_are_named(plot):
    keys = plot.locator(".legend .mark-keys li")
    assert keys.all_inner_texts() == ["sigma", "midpoint", "down", "up (noise)"]
    show(plot, "noise")
    assert keys.all_inner_texts() == ["new in this step", "new since the start"]


def test_the_rings_stand_on_the_chosen_curve(recorded):
    for word in ("alpha-bar", "log SNR"):
        show(recorded, word)
        box = recorded.locator("#plot .mark.lane-a b").bounding_box()
        wanted = recorded.evaluate(
            f"""() => {{ const area = document.querySelector('#plot .area');
            const {{ xaxis, yaxis }} = area._fullLayout;
            const box = area.querySelector('.nsewdrag').getBoundingClientRect();
            const {{ x, y }} = area._fullData.find(
                ({{ meta }}) => meta.lane === 0 && meta.kind === '{word}');
            return [box.left + xaxis.d2p(x[19]), box.top + yaxis.d2p(y[19])]; }}"""
        )
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        assert np.allclose(middle, wanted, atol=1.5)
    show(recorded, "step size")
    assert recorded.locator("#plot .mark.lane-a b").is_hidden()
    show(recorded, "sigma")


# --- legend --------------------------------------------------------------------------------------


def drawn(page) -> list[list]:
    """The owners and kinds of the lines that are drawn."""
    return page.evaluate(
        "document.querySelector('#plot .area').data.map(({ meta }) => [meta.lane, meta.kind])"
    )


def test_a_press_hides_a_lane_and_shows_it_again(plot):
    key = plot.get_by_role("button", name="Lane B, DPM2 a")
    expect(key).to_have_attribute("aria-pressed", "true")
    key.click()
    expect(key).to_have_attribute("aria-pressed", "false")
    assert {lane for lane, _ in drawn(plot)} == {0}
    fill(plot, "steps", "9")  # it stays hidden in another schedule
    wait_for_points(plot, 0, LaneSettings().schedule(9).sigma)
    assert {lane for lane, _ in drawn(plot)} == {0}
    key.click()
    assert {lane for lane, _ in drawn(plot)} == {0, 1}


def test_menus_buttons_and_keys_stand_in_one_row(plot):
    parts = [plot.locator(f".legend {part}").bounding_box() for part in (".menus", ".keys")]
    middles = [box["y"] + box["height"] / 2 for box in parts]
    assert abs(middles[0] - middles[1]) < 4
    assert parts[0]["x"] + parts[0]["width"] < parts[1]["x"]


def test_a_press_hides_a_kind_of_marks(plot):
    key = plot.get_by_role("button", name="midpoint")
    key.click()
    assert "midpoint" not in {kind for _, kind in drawn(plot)}
    assert key.is_visible()
    key.click()
    assert [1, "midpoint"] in drawn(plot)


def test_a_lane_that_is_pointed_at_stands_out(plot):
    opacity = """lane => document.querySelector('#plot .area')._fullData
        .filter(({ meta }) => meta.lane === lane)
        .map(({ uid }) => Number(getComputedStyle(
            document.querySelector(`#plot .scatterlayer .trace${uid}`)).opacity))"""
    plot.hover(".lane-keys .lane-b")
    wait_for(plot, f"({opacity})(0).every((each) => each < 0.2)")
    assert all(each >= 0.5 for each in plot.evaluate(opacity, 1))
    plot.hover("#plot .below")
    wait_for(plot, f"({opacity})(0).every((each) => each === 1)")


# --- reading -------------------------------------------------------------------------------------


def read(page) -> list[list[str]]:
    """The numbers at the pointer, row by row."""
    return [
        row.locator("th, td").all_inner_texts() for row in page.locator("#plot .readout tr").all()
    ]


def test_the_pointer_tells_all_lanes_at_one_place(plot):
    plot.mouse.move(*place(plot, 0, 4))
    plot.wait_for_selector("#plot .readout")
    ancestral = LaneSettings(sampler="dpm2_a").schedule(20)
    head, first, second = read(plot)
    assert head == ["", "step", "sigma", "mid", "down", "up", "timestep"]
    assert (first[:2], second[:2]) == (["A", "5"], ["B", "5"])
    for row, schedule in ((first, DPM2), (second, ancestral)):
        levels = schedule.sigma, schedule.sigma_mid, schedule.sigma_down, schedule.sigma_up
        told = [float(text) for text in row[2:6]]
        np.testing.assert_allclose(told, [each[4] for each in levels], rtol=1e-3)
        assert float(row[6]) == pytest.approx(schedule.timestep[4], abs=0.01)
    plot.keyboard.press("Escape")
    plot.wait_for_selector("#plot .readout", state="hidden")
    plot.mouse.move(*place(plot, 0, 4, "midpoint"))
    plot.wait_for_selector("#plot .readout")
    assert read(plot)[1][:2] == ["A", "5½"]
    plot.mouse.move(0, 0)
    plot.wait_for_selector("#plot .readout", state="hidden")


def test_the_keys_read_the_curves_and_say_so(plot):
    reader = plot.get_by_role("slider", name="Read the curves")
    plot.focus(".mark-keys li:last-child button")
    for _ in range(20):
        plot.keyboard.press("Tab")
        if reader.evaluate("reader => reader === document.activeElement"):
            break
    expect(reader).to_have_attribute("aria-valuetext", re.compile("^step 1. A: sigma 14.6.*B: "))
    plot.keyboard.press("ArrowRight")
    expect(reader).to_have_attribute("aria-valuetext", re.compile("^step 1½. A: "))
    plot.keyboard.press("End")
    expect(reader).to_have_attribute("aria-valuetext", re.compile("^step 20. A: "))
    plot.keyboard.press("Escape")
    plot.wait_for_selector("#plot .readout", state="hidden")


def test_a_hidden_lane_is_not_told(plot):
    plot.click(".lane-keys .lane-a")
    plot.mouse.move(*place(plot, 1, 4))
    plot.wait_for_selector("#plot .readout")
    assert [row[0] for row in read(plot)] == ["", "B"]


# --- relative to lane A --------------------------------------------------------------------------


@pytest.fixture
def relative(plot):
    """The same page, drawn relative to lane A."""
    button = plot.get_by_role("button", name="relative to A")
    button.click()
    wait_for(plot, f'{LAYOUT}.yaxis.title.text.endsWith("/ A\'s")')
    yield plot
    if button.get_attribute("aria-pressed") == "true":
        button.click()
    wait_for(plot, f"{LAYOUT}.yaxis.title.text === 'Sigma'")


def test_lanes_are_drawn_relative_to_a(relative):
    wait_for_points(relative, 0, [1] * 20)
    wait_for_points(relative, 1, [1] * 20)
    relative.mouse.move(*place(relative, 1, 3, "midpoint"))
    relative.wait_for_selector("#plot .readout")
    ratio = LaneSettings(sampler="dpm2_a").schedule(20).sigma_mid[3] / DPM2.sigma_mid[3]
    head, _, second = read(relative)
    assert head[2] == "/ A"
    assert float(second[2]) == pytest.approx(ratio, rel=1e-3)
    assert relative.locator(".legend .edit").is_disabled()


def test_other_parts_of_the_page_choose_the_curve(plot):
    plot.evaluate(
        """async () => {
            const { emit } = await import(`${window.gradio_config.root}/page/shared/signals.js`);
            emit('curve', { quantity: 'noise', x: 'timestep', y: 'nonsense', relative: true });
        }"""
    )
    wait_for(plot, f'{LAYOUT}.yaxis.title.text === "New noise minus A\'s"')
    assert plot.locator("#x_axis").input_value() == "timestep"
    assert plot.locator("#y_axis").input_value() == "log"
    plot.get_by_role("button", name="relative to A").click()
    switch(plot, "x_axis", "by step")


# --- pins ----------------------------------------------------------------------------------------


def test_pinned_schedules_stay_when_the_form_moves_on(plot):
    plot.click(".legend .pin")
    assert pinned(plot) == ["DPM2, 20 steps", "DPM2 a, 20 steps"]
    wait_for(plot, f"{PINS}.length === 2")
    fill(plot, "steps", "8")
    wait_for_points(plot, 0, LaneSettings().schedule(8).sigma)
    kept = plot.evaluate(f"Array.from({PINS}[0].y)")
    np.testing.assert_allclose(kept, DPM2.sigma)
    show(plot, "log SNR")
    wait_for(plot, f"{PINS}.length === 2 && {PINS}[0].y[0] < 0")


PINS = "document.querySelector('#plot .area').data.filter(({ meta }) => 'pin' in meta)"


def test_a_pin_is_hidden_and_removed_by_a_click(plot):
    plot.click(".legend .pin")
    wait_for(plot, f"{PINS}.length === 2")
    toggle = plot.locator(".legend .toggle").first
    toggle.click()
    wait_for(plot, f"{PINS}.length === 1")
    assert toggle.get_attribute("aria-pressed") == "false"
    toggle.click()
    wait_for(plot, f"{PINS}.length === 2")
    plot.get_by_role("button", name="Remove DPM2, 20 steps", exact=True).click()
    assert pinned(plot) == ["DPM2 a, 20 steps"]
    wait_for(plot, f"{PINS}.length === 1")
    fill(plot, "steps", "5")
    wait_for_points(plot, 0, LaneSettings().schedule(5).sigma)
    plot.click(".legend .pin")
    plot.get_by_role("button", name="Remove all").click()
    assert pinned(plot) == []
    wait_for(plot, f"{PINS}.length === 0")


def test_the_same_schedule_is_pinned_once_and_two_of_a_name_are_told_apart(plot):
    plot.click(".legend .pin")
    plot.click(".legend .pin")
    assert len(pinned(plot)) == 2
    fill(plot, "a_beta_end", "0.02")
    wait_for_points(plot, 0, LaneSettings(beta_end=0.02).schedule(20).sigma)
    plot.click(".legend .pin")
    assert pinned(plot)[2:] == ["DPM2, 20 steps (2)", "DPM2 a, 20 steps (2)"]
    fill(plot, "a_beta_end", "0.012")


HOSTILE = [
    "not json",
    "null",
    '{"0": 1}',
    "[1, null, [], {}]",
    '[{"id": "x", "label": "<img src=x onerror=window.hit=1>", "steps": 1e9, "lane": {}}]',
    '[{"id": "x", "label": "%{y}", "steps": 20, "lane": {"pony": 1}}]',
    '[{"id": "x", "label": {}, "dash": "a", "lane": [], "hidden": 0}]',
    '[{"id": "x", "label": "", "steps": 4, "lane": {"sigmas": [1, 2, "NaN"]}}]',
]


def test_a_broken_store_of_pins_is_a_sentence_at_most_and_whole_pins_outlive_a_reload(open_page):
    page = open_page()
    for stored in HOSTILE:
        with part(stored):
            page.evaluate("text => sessionStorage.setItem('sampler-explorer-pins', text)", stored)
            page.reload()
            page.wait_for_selector("#plot .nsewdrag")
            if '"id"' in stored:
                sentence = page.locator(".legend .pinned .sentence")
                expect(sentence).not_to_be_empty()
                page.click(".legend .pinned .remove")
            assert pinned(page) == []
            assert page.evaluate("window.hit") is None
            np.testing.assert_allclose(curve(page, 0), DPM2.sigma)
    page.click(".legend .pin")
    page.reload()
    page.wait_for_selector("#plot .nsewdrag")
    wait_for(page, f"{PINS}.length === 2")
    assert pinned(page) == ["DPM2, 20 steps", "DPM2 a, 20 steps"]


# --- moving points -------------------------------------------------------------------------------


def own_sigmas(page) -> list[float]:
    """The list in lane A's own field."""
    text = page.locator("#a_sigmas textarea").input_value()
    return [float(word) for word in text.split(",")] if text else []


def edit(page) -> None:
    page.click(".legend .edit")
    page.wait_for_selector(".legend .editing")


def drag(page, start, end) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)


def test_a_point_follows_the_mouse_and_becomes_the_lanes_own_list(plot):
    edit(plot)
    x, y = place(plot, 0, 5)
    drag(plot, (x, y), (x, y - 6))
    moving = f"{SIGMAS}[5] > {DPM2.sigma[5]} * 1.01"
    wait_for(plot, moving)
    assert own_sigmas(plot) == []  # the server is asked at the end
    plot.mouse.up()
    wait_for(plot, "document.querySelector('#a_sigmas textarea').value !== ''")
    moved = own_sigmas(plot)
    assert len(moved) == 20
    assert DPM2.sigma[5] * 1.01 < moved[5] < DPM2.sigma[4]
    np.testing.assert_allclose(np.delete(moved, 5), np.delete(DPM2.sigma, 5), rtol=1e-6)
    expected = LaneSettings(sigmas=tuple(moved)).schedule(20)
    wait_for_points(plot, 0, expected.sigma_mid, "midpoint")
    wait_for_points(plot, 0, expected.sigma)


SIGMAS = """Array.from(document.querySelector('#plot .area')._fullData
    .find(({ meta }) => meta.lane === 0 && meta.kind === 'sigma').y)"""


def test_a_point_stays_between_its_neighbours(plot):
    edit(plot)
    x, y = place(plot, 0, 5)
    drag(plot, (x, y), (x, y - 150))
    plot.mouse.up()
    wait_for(plot, "document.querySelector('#a_sigmas textarea').value !== ''")
    moved = own_sigmas(plot)
    assert moved[4] > moved[5] > 0.999 * moved[4]


def test_a_click_without_a_move_changes_nothing(plot):
    edit(plot)
    plot.mouse.click(*place(plot, 0, 5))
    assert plot.locator(".legend .editing output").inner_text().startswith("A, step 6: sigma")
    assert own_sigmas(plot) == []


def test_a_double_click_removes_a_point_and_brings_one(plot):
    edit(plot)
    plot.mouse.dblclick(*place(plot, 0, 5))
    wait_for(plot, "document.querySelector('#a_sigmas textarea').value !== ''")
    fewer = own_sigmas(plot)
    np.testing.assert_allclose(fewer, np.delete(DPM2.sigma, 5), rtol=1e-6)
    wait_for_points(plot, 0, fewer)
    (left, top), (right, _) = place(plot, 0, 9), place(plot, 0, 10)
    plot.mouse.dblclick((left + right) / 2, top + 40)
    wait_for(plot, f"{SIGMAS}.length === 20")
    more = own_sigmas(plot)
    assert len(more) == 20
    assert fewer[9] > more[10] > fewer[10]


def test_keys_choose_move_remove_and_insert_points(plot):
    edit(plot)
    grip = plot.get_by_role("slider", name="Sigma of lane A, a point at a time")
    grip.focus()
    grip.press("Home")
    for _ in range(3):
        grip.press("ArrowRight")
    assert grip.get_attribute("aria-valuetext").startswith("step 4 of 20, sigma")
    grip.press("ArrowUp")
    grip.press("ArrowUp")
    wait_for(plot, "document.querySelector('#a_sigmas textarea').value !== ''")
    assert own_sigmas(plot)[3] == pytest.approx(DPM2.sigma[3] * 1.02**2, rel=1e-5)
    grip.press("Delete")
    wait_for(plot, f"{SIGMAS}.length === 19")
    grip.press("Insert")
    wait_for(plot, f"{SIGMAS}.length === 20")
    assert len(own_sigmas(plot)) == 20
    grip.press("Escape")
    plot.wait_for_selector(".legend .editing", state="hidden")
    assert grip.is_hidden()


def test_points_are_edited_on_the_sigma_curve_only(plot):
    edit(plot)
    show(plot, "noise")
    plot.wait_for_selector(".legend .editing", state="hidden")
    assert plot.locator(".legend .edit").is_disabled()


def test_in_view_mode_a_drag_moves_no_point(plot):
    x, y = place(plot, 0, 5)
    drag(plot, (x, y), (x, y - 30))
    plot.mouse.up()
    assert own_sigmas(plot) == []
    np.testing.assert_allclose(curve(plot, 0), DPM2.sigma)


def test_a_finger_moves_a_point(context, server):
    touch = context.browser.new_context(has_touch=True, viewport={"width": 390, "height": 844})
    page = touch.new_page()
    page.goto(server)
    page.wait_for_selector("#plot .nsewdrag")
    page.wait_for_selector("#stop[aria-disabled=true]")
    show = "document.querySelector('{}').scrollIntoView({{ block: '{}' }})"
    page.evaluate(
        show.format("#legend", "center")
    )  # the pictures stick to the top, Run to the foot
    page.tap(".legend .edit")
    page.wait_for_selector(".legend .editing")
    page.evaluate(show.format("#plot", "end") + "; scrollBy(0, 90)")
    x, y = place(page, 0, 5)
    client = touch.new_cdp_session(page)
    for kind, down in (("touchStart", 0), ("touchMove", 4), ("touchMove", 9), ("touchEnd", None)):
        points = [] if down is None else [{"x": x, "y": y + down}]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    wait_for(page, "document.querySelector('#a_sigmas textarea').value !== ''")
    assert DPM2.sigma[6] < own_sigmas(page)[5] < DPM2.sigma[5]
    touch.close()
