"""What the pictures show: views and their captions, two lanes compared, a picture in full size."""

import pytest
from reading import choose, facts, picture, run_to_end, scrub_to, state, wait_for

pytestmark = pytest.mark.browser

CALLS = 39  # of 20 steps
VIEWS = ("denoised", "noisy", "latent", "change")
CAPTION = ".views .shown"
# The colours of a canvas, without its transparent pixels, at most a few of them.
COLOURS = """(query) => { const canvas = document.querySelector(query);
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) if (data[i + 3]) seen.add(`${data.slice(i, i + 3)}`);
    return [...seen].slice(0, 5); }"""
UNDER = ".comparison .under"


@pytest.fixture(autouse=True)
def as_at_first(request):
    """Every test of the shared page starts from the same switches."""
    if "recorded" in request.fixturenames:
        page = request.getfixturevalue("recorded")
        page.bring_to_front()  # behind another page it would get one frame a second
        if page.get_by_role("dialog").count():
            page.keyboard.press("Escape")
        show(page, "denoised")
        compare(page, "side", (0, 1))


def ask(page, signal: str, detail: object) -> None:
    """Emit a signal, as another part of the page does."""
    page.evaluate(
        "([signal, detail]) => import(`${gradio_config.root}/page/shared/signals.js`)"
        ".then(({ emit }) => emit(signal, detail))",
        [signal, detail],
    )


def show(page, view: str) -> None:
    page.check(f"input[name=view][value={view}]", force=True)


def compare(page, mode: str, lanes=(0, 1)) -> None:
    ask(page, "compare", {"mode": mode, "lanes": list(lanes)})
    page.wait_for_function(f"document.querySelector('input[value={mode}]').checked")
    settled(page)


def settled(page) -> None:
    """Until what was asked for is drawn."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_every_view_says_what_it_shows(recorded):
    scrub_to(recorded, 20)
    for view in VIEWS:
        show(recorded, view)
        recorded.wait_for_function(
            "(view) => document.querySelector('.views .shown').textContent.startsWith(view)",
            arg=view,
        )
    show(recorded, "noisy")
    settled(recorded)
    assert recorded.locator(CAPTION).inner_text().endswith("can make soft blotches")


def test_the_latent_is_its_channels_on_one_scale(recorded):
    scrub_to(recorded, 3)
    show(recorded, "latent")
    recorded.wait_for_function("document.querySelector('.pane canvas').width === 5")
    ends = "/^latent: its 4 channels on one grey scale, black −\\d.* to white \\d.* in all lanes/"
    recorded.wait_for_function(f"{ends}.test(document.querySelector('{CAPTION}').textContent)")
    greys = {lane: recorded.evaluate(COLOURS, f".pane.lane-{lane} canvas") for lane in "ab"}
    assert greys["a"] != greys["b"]
    for grey in [*greys["a"], *greys["b"]]:
        assert len(set(grey.split(","))) == 1
    before = picture(recorded, "a")
    scrub_to(recorded, 8)
    recorded.wait_for_function(
        "(before) => document.querySelector('.pane canvas').toDataURL() !== before", arg=before
    )


def test_latents_that_the_server_has_not_are_a_sentence(open_page, context):
    page = open_page()
    run_to_end(page)
    page.route("**/latents/*", lambda route: route.fulfill(status=404, body='{"message": "Gone."}'))
    show(page, "latent")
    for lane in "ab":
        page.wait_for_selector(f".pane.lane-{lane} .broken:text-is('Gone.')")
    show(page, "denoised")
    page.wait_for_selector(".pane.lane-a .broken", state="hidden")


@pytest.mark.parametrize("view", VIEWS)
def test_a_lane_against_itself_is_grey_everywhere(recorded, view):
    scrub_to(recorded, 17)
    show(recorded, view)
    compare(recorded, "difference", (1, 0))
    recorded.wait_for_function(f"({COLOURS})('{UNDER}').length > 1")
    compare(recorded, "difference", (1, 1))
    recorded.wait_for_function(f"({COLOURS})('{UNDER}').join() === '128,128,128'")


def test_two_lanes_with_the_same_latents_differ_nowhere(open_page):
    page = open_page()
    choose(page, "#b_sampler", "DPM2")
    run_to_end(page)
    compare(page, "difference")
    for view in ("denoised", "noisy", "change"):
        show(page, view)
        for call in (CALLS - 1, 20, 0):
            scrub_and_draw(page, call)
            assert page.evaluate(COLOURS, UNDER) == ["128,128,128"]


def scrub_and_draw(page, call: int) -> None:
    page.get_by_label("Step", exact=True).fill(str(call))
    wait_for(page, f"samplerExplorer.frame === {call}")
    settled(page)


def test_the_menus_choose_the_two_lanes(recorded):
    scrub_to(recorded, 20)
    compare(recorded, "difference")
    caption = recorded.locator(CAPTION)
    assert caption.inner_text() == "A minus B, ×4, of denoised; grey where they are equal"
    recorded.get_by_label("First lane").select_option(index=1)
    recorded.get_by_label("Second lane").select_option(index=0)
    settled(recorded)
    assert caption.inner_text().startswith("B minus A, ×4")
    assert recorded.locator(".views").get_by_text("B−A").is_visible()


def divider(page):
    return page.get_by_role("slider", name="Divider between A and B")


@pytest.mark.parametrize(
    ("key", "percent"),
    [("ArrowRight", 52), ("ArrowLeft", 48), ("PageUp", 60), ("Home", 0), ("End", 100)],
)
def test_keys_move_the_divider(recorded, key, percent):
    compare(recorded, "slider")
    drag(recorded, 0.5)
    divider(recorded).press(key)
    assert divider(recorded).get_attribute("aria-valuenow") == str(percent)
    assert (
        divider(recorded).get_attribute("aria-valuetext") == f"{percent} % A, {100 - percent} % B"
    )


def drag(page, share: float) -> None:
    box = page.locator(".comparison .screen").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2, steps=3)
    page.mouse.up()


def test_the_divider_shows_one_lane_left_of_it_and_the_other_right(recorded):
    scrub_to(recorded, 20)
    recorded.wait_for_function("document.querySelector('.pane.lane-b canvas').width > 0")
    a, b = picture(recorded, "a"), picture(recorded, "b")
    compare(recorded, "slider")
    drag(recorded, 0.25)
    assert divider(recorded).get_attribute("aria-valuenow") == "25"
    canvas = "document.querySelector('.comparison .{}').toDataURL()"
    assert recorded.evaluate(canvas.format("over")) == a
    assert recorded.evaluate(canvas.format("under")) == b
    clip = "getComputedStyle(document.querySelector('.comparison .over')).clipPath"
    assert recorded.evaluate(clip) == "inset(0px 75% 0px 0px)"


def test_comparing_moves_nothing(recorded):
    where = "document.querySelector('.transport').getBoundingClientRect().top"
    tops = set()
    for mode in ("side", "slider", "difference"):
        compare(recorded, mode)
        for view in VIEWS:
            show(recorded, view)
            settled(recorded)
            tops.add(recorded.evaluate(where))
            assert recorded.evaluate("document.querySelector('.views').offsetHeight") == 32
    assert len(tops) == 1


def test_a_picture_opens_in_full_size(recorded):
    scrub_to(recorded, 20)
    recorded.get_by_role("button", name="Enlarge the picture of lane B").press("Enter")
    dialog = recorded.get_by_role("dialog")
    assert dialog.locator("h2").inner_text() == "B DPM2 a Karras"
    assert dialog.locator(".where").inner_text().startswith("step 11, call 21, sigma ")
    width = dialog.locator("canvas").evaluate("(one) => [one.width, one.clientWidth]")
    assert width[1] % width[0] == 0
    assert width[1] > width[0]
    recorded.keyboard.press("ArrowRight")
    wait_for(recorded, "samplerExplorer.frame === 21")
    settled(recorded)
    assert dialog.locator(".where").inner_text().startswith("step 11½, call 22")
    recorded.keyboard.press("ArrowUp")
    settled(recorded)
    assert dialog.locator("h2").inner_text() == "A DPM2"
    dialog.get_by_role("button", name="The call before").click()
    wait_for(recorded, "samplerExplorer.frame === 20")
    with recorded.expect_download() as saved:
        dialog.get_by_role("button", name="Save").click()
    assert saved.value.suggested_filename == "lane-a-call-21-denoised.png"
    recorded.keyboard.press("Escape")
    assert dialog.count() == 0
    focused = recorded.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == "Enlarge the picture of lane B"


def test_a_difference_opens_in_full_size(recorded):
    scrub_to(recorded, 20)
    compare(recorded, "difference")
    shown = recorded.evaluate(COLOURS, UNDER)
    recorded.get_by_role("button", name="Enlarge the difference").click()
    dialog = recorded.get_by_role("dialog")
    settled(recorded)
    assert dialog.locator("h2").inner_text().strip() == "A minus B"
    assert recorded.evaluate(COLOURS, ".enlarged canvas") == shown
    dialog.get_by_role("button", name="Close").click()
    assert dialog.count() == 0


def test_others_ask_for_a_view_and_for_nothing_that_is_none(recorded):
    ask(recorded, "view", "noisy")
    recorded.wait_for_function("document.querySelector('input[value=noisy]').checked")
    ask(recorded, "view", "odd")
    ask(recorded, "compare", {"mode": "odd"})
    ask(recorded, "compare", {"mode": "slider", "lanes": [0]})
    ask(recorded, "seek", {"call": 9, "lane": 1})
    wait_for(recorded, "samplerExplorer.frame === 9")
    assert recorded.is_checked("input[value=noisy]")
    assert recorded.is_checked("input[name=compare][value=side]")


def loop(page, on: bool) -> None:
    button = page.get_by_role("button", name="Loop")
    if button.get_attribute("aria-pressed") != str(on).lower():
        button.click()
    assert button.get_attribute("aria-pressed") == str(on).lower()


def test_play_has_a_speed_and_a_loop(recorded):
    scrub_to(recorded, CALLS - 4)
    recorded.get_by_label("Speed").select_option("4×")
    loop(recorded, True)
    recorded.get_by_role("button", name="Play").click()
    wait_for(recorded, f"samplerExplorer.frame === {CALLS - 1}")
    wait_for(recorded, "samplerExplorer.frame < 20")
    loop(recorded, False)
    wait_for(recorded, f"samplerExplorer.frame === {CALLS - 1}")
    recorded.wait_for_selector(".play[aria-label=Play]")
    recorded.get_by_label("Speed").select_option("1×")


@pytest.fixture
def slow(engine):
    engine.pace = 0.05
    yield engine
    engine.pace, engine.hold_at = 0.005, None


def test_one_looks_back_while_a_run_goes_on(open_page, slow):
    page = open_page()
    slow.hold_at = 24
    page.click("#run")
    wait_for(page, "samplerExplorer.call === 24")
    newest = picture(page, "a")
    page.get_by_label("Step", exact=True).fill("9")
    wait_for(page, "samplerExplorer.frame <= 9 && samplerExplorer.frame > 3")
    page.wait_for_function(
        "(newest) => document.querySelector('.pane canvas').toDataURL() !== newest", arg=newest
    )
    wait_for(
        page, "parseInt(document.querySelector('.pane.lane-a [data-fact=call]').textContent) <= 10"
    )
    back = facts(page, "a")["call"]
    slow.hold_at = 30
    wait_for(page, "samplerExplorer.call === 30")
    assert facts(page, "a")["call"] == back  # it stays where one looks
    page.get_by_role("button", name="Live").click()
    wait_for(page, "samplerExplorer.frame === 29")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Step"
    compare(page, "difference")
    page.wait_for_function(f"({COLOURS})('{UNDER}').length > 1")
    compare(page, "side")
    slow.hold_at = 34
    wait_for(page, "samplerExplorer.frame === 33")  # and follows again
    page.get_by_label("Step", exact=True).fill("9")
    wait_for(page, "samplerExplorer.frame <= 9")
    seen = state(page)["frame"]
    slow.hold_at = None
    wait_for(page, "samplerExplorer.state === 'done'")
    assert state(page)["frame"] == seen


def test_a_damaged_sheet_is_a_sentence_and_the_rest_goes_on(open_page):
    page, seen = open_page(), []

    def damage(route) -> None:
        seen.append(route.request.url)
        if len(seen) == 1:
            route.fulfill(status=200, content_type="image/jpeg", body="no picture")
        else:
            route.continue_()

    page.route("**/denoised.jpg", damage)
    run_to_end(page)
    assert len(seen) == 2
    broken = page.locator(".pane .broken")
    page.wait_for_function(
        "[...document.querySelectorAll('.pane .broken')].filter((one) => !one.hidden).length === 1"
    )
    assert "damaged" in "".join(broken.all_inner_texts())
    show(page, "noisy")
    page.wait_for_function(
        "[...document.querySelectorAll('.pane .broken')].every((one) => one.hidden)"
    )


def test_a_browser_without_image_bitmaps_shows_the_run(open_page, context):
    context.add_init_script(
        "if (location.hash === '#old') { delete window.OffscreenCanvas;"
        " delete window.createImageBitmap; }"
    )
    page = open_page("#old")
    assert page.evaluate("typeof createImageBitmap + typeof OffscreenCanvas") == "undefined" * 2
    run_to_end(page)
    seen = set()
    for call in (0, 13, 27):
        scrub_and_draw(page, call)
        seen.add(picture(page, "a"))
    assert len(seen) == 3
    show(page, "change")
    compare(page, "difference")
    page.wait_for_function(f"({COLOURS})('{UNDER}').length > 1")


def test_of_sixteen_lanes_the_page_shows_what_it_has_room_for(open_page):
    page = open_page()
    run_to_end(page)
    page.evaluate(
        """async () => {
            const { state } = await import(`${gradio_config.root}/page/shared/store.js`);
            const { open } = await import(`${gradio_config.root}/page/run/run.js`);
            const sixteen = ([one]) => Array(16).fill(one);
            const result = { ...state.recorded, lanes: sixteen(state.recorded.lanes) };
            open({ result, plan: sixteen(state.plan), key: state.key, state: "done", form: null });
        }"""
    )
    page.wait_for_function("document.querySelectorAll('.pane').length === 6")
    page.wait_for_selector(".viewer:not([data-fetching])")
    settled(page)
    assert "The run has 16 lanes, the page room for 6." in page.locator(CAPTION).inner_text()
    scrub_to(page, 5)
