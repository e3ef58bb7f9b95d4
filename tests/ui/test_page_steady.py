"""Nothing on the page jumps while it loads or runs, and nothing comes to lie on its bar."""

import time

import pytest
from reading import fill, run_to_end, undo_all, wait_for

pytestmark = pytest.mark.browser

WATCH = """window.shifts = [];
new PerformanceObserver((list) => {
    for (const { value, hadRecentInput, sources } of list.getEntries())
        if (!hadRecentInput) shifts.push({ value, what: sources.map(({ node, previousRect,
            currentRect }) => [node?.id || node?.className || node?.nodeName,
                Math.round(previousRect.y), Math.round(currentRect.y)].join(' ')) });
}).observe({ type: 'layout-shift', buffered: true });"""


def shifts(page) -> list[dict]:
    """What has moved since the last time that somebody asked, with its score."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
    return page.evaluate("shifts.splice(0)")


def total(moved: list[dict]) -> float:
    return sum(each["value"] for each in moved)


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (1280, 600), (390, 844)])
def test_nothing_jumps(context, open_page, width, height):
    context.add_init_script(f"if (!window.shifts) {{ {WATCH} }}")
    page = open_page(width=width, height=height)
    wait_for(page, "document.querySelector('#doctor .cost').textContent !== ''")
    loading = shifts(page)
    assert total(loading) < 0.05, loading
    page.evaluate("document.querySelector('#run').click()")  # a press would excuse what follows it
    wait_for(page, "samplerExplorer.state === 'done'")
    page.wait_for_selector(".viewer:not([data-fetching])")
    running = shifts(page)
    assert total(running) < 0.01, running
    for tab in ("table", "learn", "doctor", "lanes", "schedule"):
        page.evaluate(f"document.querySelector('#tab_{tab}').click()")
    fill(page, "a_beta_end", "0.5") if width > 767 else None
    page.wait_for_timeout(300)
    changed = shifts(page)
    assert total(changed) < 0.01, changed


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_jumps_over_a_line_on_which_components_come_late(context, open_page, width):
    """Gradio's rows, of another file, are there before them."""

    def late(route) -> None:
        time.sleep(1)
        route.continue_()

    context.add_init_script(f"if (!window.shifts) {{ {WATCH} }}")
    context.route("**/assets/HTML-*.js", late)
    page = open_page(width=width, height=844)
    context.unroute("**/assets/HTML-*.js")
    wait_for(page, "document.querySelector('#doctor .cost').textContent !== ''")
    loading = shifts(page)
    assert total(loading) < 0.05, loading


def test_nothing_comes_to_lie_on_the_bar(open_page):
    page = open_page(width=1280, height=380)
    run_to_end(page)
    for width, height in ((1280, 380), (390, 600)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(f"innerWidth === {width} && innerHeight === {height}")
        last = page.evaluate("document.documentElement.scrollHeight - innerHeight")
        assert last > 100
        for top in range(0, last, 12):
            assert page.evaluate(STRANGERS, top) == [], (width, top)


# What lies on the bar when the page is scrolled so far.
STRANGERS = """(top) => { scrollTo(0, top);
    const bar = document.querySelector('#bar');
    const { left, right, top: upper, bottom } = bar.getBoundingClientRect();
    const found = [];
    for (let x = left + 1; x < right; x += 30)
        for (let y = Math.max(upper, 0) + 1; y < bottom - 1; y += 10)
            found.push(document.elementFromPoint(x, y));
    return found.filter((one) => one && !bar.contains(one))
        .map((one) => one.outerHTML.slice(0, 80)); }"""


def test_a_sentence_of_two_lines_makes_the_bar_no_taller(page):
    run_to_end(page)
    heights = page.evaluate(
        """["39 calls per lane", "Stopped after call 222 of 499. ".repeat(4)].map((text) => {
            document.querySelector("#progress .where").textContent = text;
            return document.querySelector("#bar").offsetHeight;
        })"""
    )
    assert heights == [52, 52]


def test_nothing_jumps_where_a_page_begins_with_four_lanes(context, open_page):
    """Their pictures and their keys take another room than those of the two by default."""
    context.add_init_script(f"if (!window.shifts) {{ {WATCH} }}")
    before = open_page()
    for count in (3, 4):
        before.evaluate("document.querySelector('#lanes .add').click()")
        before.wait_for_function(f"document.querySelectorAll('.pane').length === {count}")
    before.wait_for_function("localStorage.getItem('sampler-explorer.form')?.includes('euler')")
    for width, height in ((1280, 900), (390, 844)):
        page = open_page("#same-visitor", width=width, height=height)
        page.wait_for_selector("html:not([data-beginning]) .pane:nth-child(4)")
        wait_for(page, "document.querySelector('#doctor .cost').textContent !== ''")
        loading = shifts(page)
        assert total(loading) < 0.05, (width, loading)


def test_nothing_jumps_in_a_run_of_more_lanes(context, open_page, engine):
    """Their room is made at the press of Run, not at the first call half a second later."""
    context.add_init_script(f"if (!window.shifts) {{ {WATCH} }}")
    page = open_page(width=1280, height=900)
    for width, height in ((1280, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(f"innerWidth === {width} && innerHeight === {height}")
        run_to_end(page)
        for count in (3, 4):
            page.evaluate("document.querySelector('#lanes .add').click()")
            page.wait_for_function(
                f"document.querySelectorAll('.lane-lines li').length === {count}"
            )
        page.wait_for_function("document.querySelectorAll('.lane-keys > *').length === 4")
        page.wait_for_timeout(600)
        shifts(page)
        engine.hold_at = 0
        page.click("#run")
        page.wait_for_timeout(700)
        assert page.locator(".pane").count() == 4
        engine.hold_at = None
        wait_for(page, "samplerExplorer.state === 'done'")
        running = shifts(page)
        assert total(running) < 0.01, (width, running)
        undo_all(page)
    a_run_that_never_began_leaves_the_stage_as_it_was(page, engine)


def a_run_that_never_began_leaves_the_stage_as_it_was(page, engine) -> None:
    run_to_end(page)
    page.wait_for_function("document.querySelectorAll('.pane').length === 2")
    page.evaluate("document.querySelector('#lanes .add').click()")
    page.wait_for_function("document.querySelectorAll('.lane-keys > *').length === 3")
    engine.hold_at = 0
    page.click("#run")
    page.wait_for_selector(".pane:nth-child(3)")
    page.click("#stop")
    wait_for(page, "samplerExplorer.state === 'cancelled'")
    engine.hold_at = None
    page.wait_for_function("document.querySelectorAll('.pane').length === 2")
    page.wait_for_selector(".viewer[data-scrubbing]")


def test_the_rings_of_older_pictures_are_marked_after_a_run_that_never_began(open_page, engine):
    page = open_page()
    run_to_end(page)
    fill(page, "steps", "30")
    page.wait_for_selector("#plot[data-other], #plot [data-other]", state="attached")
    engine.hold_at = 0
    page.click("#run")
    wait_for(page, "samplerExplorer.state === 'running'")
    page.wait_for_selector(":is(#plot, #plot *):not([data-other]) > .plot", state="attached")
    page.click("#stop")
    wait_for(page, "samplerExplorer.state === 'cancelled'")
    engine.hold_at = None
    page.wait_for_selector("[data-other] > .plot", state="attached")


FRAMES_ASKED = """() => new Promise((resolve) => {
    const asked = window.requestAnimationFrame;
    let count = 0;
    window.requestAnimationFrame = (callback) => (count++, asked.call(window, callback));
    setTimeout(() => {
        window.requestAnimationFrame = asked;
        resolve(count);
    }, 500);
})"""


def test_a_page_at_rest_asks_for_no_frames(page):
    assert page.evaluate(FRAMES_ASKED) == 0
