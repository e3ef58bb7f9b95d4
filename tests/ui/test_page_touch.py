"""The plot under a finger: scrubbing, editing, and scrolling past it."""

import pytest
from reading import curve, run_to_end, state, wait_for

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def phone(context, server):
    """A page with a run on it, on a screen that is touched."""
    touched = context.browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    touched.set_default_timeout(30_000)
    page = touched.new_page()
    page.goto(server)
    page.wait_for_selector("#plot .nsewdrag")
    page.wait_for_selector("#settings[data-ready]:not(.open)")
    run_to_end(page)
    page.evaluate(
        """() => { window.cancelled = 0; window.frames_seen = new Set();
            document.addEventListener('pointercancel', () => (cancelled += 1));
            document.addEventListener('pointermove',
                () => requestAnimationFrame(() => frames_seen.add(samplerExplorer.frame))); }"""
    )
    yield page
    touched.close()


@pytest.fixture
def plot(phone):
    """The page, scrolled so that the whole plot is above the bar, and a finger: `swipe(...)`."""
    phone.evaluate(
        """() => { cancelled = 0; frames_seen.clear();
            document.querySelector('#plot').scrollIntoView({ block: 'center' }); }"""
    )
    return phone


def swipe(page, start: tuple[float, float], end: tuple[float, float], moves: int = 24) -> None:
    """A finger that goes down at one point and up at another, as the browser gets it."""
    touch = page.context.new_cdp_session(page)

    def send(kind: str, *points: dict) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    send("touchStart", dict(zip("xy", start, strict=True)))
    for move in range(1, moves + 1):
        share = move / moves
        x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
        send("touchMove", {"x": x, "y": y})
        page.evaluate("new Promise(requestAnimationFrame)")
    send("touchEnd")
    touch.detach()


def box(page) -> dict:
    return page.locator("#plot .nsewdrag").bounding_box()


def test_a_finger_that_moves_sideways_scrubs(plot):
    area = box(plot)
    y = area["y"] + area["height"] / 2
    swipe(plot, (area["x"] + 15, y), (area["x"] + area["width"] - 25, y))
    assert plot.evaluate("cancelled") == 0
    assert plot.evaluate("frames_seen.size") >= 15
    assert state(plot)["frame"] >= 30


def test_a_finger_that_moves_down_scrolls(plot):
    area = box(plot)
    x, y = area["x"] + area["width"] / 2, area["y"] + 40
    before = plot.evaluate("scrollY")
    assert before > 0
    swipe(plot, (x, y), (x, y + 250))
    wait_for(plot, f"scrollY < {before} - 60")


def test_a_finger_moves_a_point_and_it_stays(plot):
    plot.click(".legend .edit")
    plot.wait_for_selector(".plot[data-editing]", state="attached")
    plot.evaluate("document.querySelector('#plot').scrollIntoView({ block: 'center' })")
    before, scrolled = curve(plot, 0), plot.evaluate("scrollY")
    x, y = plot.evaluate(
        """() => { const area = document.querySelector('#plot .area');
            const { xaxis, yaxis } = area._fullLayout;
            const box = area.querySelector('.nsewdrag').getBoundingClientRect();
            const { x, y } = area._fullData.find(({ meta }) =>
                meta.lane === 0 && meta.kind === 'sigma');
            return [box.left + xaxis.d2p(x[7]), box.top + yaxis.d2p(y[7])]; }"""
    )
    swipe(plot, (x, y), (x + 4, y - 60))
    assert plot.evaluate("cancelled") == 0
    assert plot.evaluate("scrollY") == scrolled
    wait_for(plot, "document.querySelector('#a_sigmas textarea').value !== ''")
    plot.wait_for_selector("#plot:not([data-stale])")
    after = curve(plot, 0)
    moved = [at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert 7 in moved
    assert after[7] > before[7] * 1.02
    plot.click(".legend .edit")


def test_a_long_number_does_not_touch_its_name(phone):
    gaps = phone.evaluate(
        """() => [...document.querySelectorAll('.panes .facts dl > div')].map((row) => {
            const [name, number] = row.children;
            number.textContent = '0.0291672';
            const text = document.createRange();
            text.selectNodeContents(name);
            const { right } = text.getBoundingClientRect();
            text.selectNodeContents(number);
            return text.getBoundingClientRect().left - right;
        })"""
    )
    assert len(gaps) == 8
    assert min(gaps) >= 3
