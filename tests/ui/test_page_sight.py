"""The page at 200 %, in forced colours, and for those who want nothing to move."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page
from reading import at_rest, open_tab, run_to_end, wait_for

pytestmark = pytest.mark.browser

# All that can be pressed or typed in: what it is called, where its middle is, what lies there.
CONTROLS = """[...document.querySelectorAll(
        'button, a[href], input:not([type=file]), select, textarea, [role=tab], [role=slider]')]
    .filter((one) => one.checkVisibility({ visibilityProperty: true }))
    .filter((one) => getComputedStyle(one).pointerEvents !== 'none') // keys reach it
    .filter((one) => !one.closest(
        '.skip, #skip, [inert], .modebar, .worst, #stop[aria-disabled=true]'))
    .map((one) => ['checkbox', 'radio'].includes(one.type) ? one.closest('label') : one)"""
NAMES = f"""{CONTROLS}.map((one) => one.ariaLabel || one.labels?.[0]?.textContent
    || one.title || one.textContent).map((name) => name.trim().replace(/\\s+/g, ' '))"""
OUT_OF_REACH = f"""((within) => {{
    const lost = [];
    for (const one of {CONTROLS}.filter((each) => each.closest(within))) {{
        one.scrollIntoView({{ block: 'center', inline: 'nearest', behavior: 'instant' }});
        const box = one.getBoundingClientRect();
        const [left, right] = [Math.max(0, box.left), Math.min(innerWidth, box.right)];
        const [top, bottom] = [Math.max(0, box.top), Math.min(innerHeight, box.bottom)];
        const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        const isHit = hit && (one.contains(hit) || hit.closest('label')?.contains(one));
        if (!isHit || right - left < Math.min(24, box.width))
            lost.push(`${{one.outerHTML.slice(0, 90)}} under ${{hit?.outerHTML.slice(0, 90)}}`);
    }}
    scrollTo(0, 0);
    return lost;
}})"""
CONTRAST = 3.0  # of what is drawn, against what is behind it (WCAG 2.2, 1.4.11)


@pytest.fixture
def open_with(context, server, shared_page) -> Iterator[Callable[..., Page]]:
    """A function that opens the page for eyes of their own: `open_with(forced_colors="active")`."""
    opened = []

    def open_with(width: int = 1280, height: int = 900, scale: int = 1, **eyes) -> Page:
        page = context.new_page()
        opened.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(**eyes)
        if scale > 1:
            screen = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
            context.new_cdp_session(page).send("Emulation.setDeviceMetricsOverride", screen)
        page.goto(server)
        page.wait_for_selector("#plot .nsewdrag")
        page.wait_for_selector("#stop[aria-disabled=true]")
        page.wait_for_selector("#settings[data-ready]")
        return page

    yield open_with
    for each in opened:
        each.close()


def tabs(page: Page) -> Iterator[str]:
    """Opens the tabs below the pictures, one after the other."""
    for tab in page.locator("#tabs [role=tab]").all():
        tab.click()
        yield tab.inner_text()


def open_settings(page: Page) -> None:
    page.click("#settings .toggle-button")
    page.wait_for_selector("#settings.open")
    at_rest(page)


# --- 200 % ----------------------------------------------------------------------------------------


def names(page: Page) -> set[str]:
    found = set(page.evaluate(NAMES))
    for _ in tabs(page):
        found |= set(page.evaluate(NAMES))
    return found


def test_at_200_percent_nothing_is_lost_and_nothing_goes_sideways(open_with):
    wide = open_with()
    run_to_end(wide)
    wanted = names(wide)
    assert len(wanted) > 40
    page = open_with(640, 450, scale=2)
    assert page.evaluate("[devicePixelRatio, innerWidth]") == [2, 640]
    page.wait_for_selector("#settings:not(.open)")
    run_to_end(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    assert page.evaluate(OUT_OF_REACH, "body") == []
    found = names(page)
    for tab in tabs(page):
        assert page.evaluate(OUT_OF_REACH, "body") == [], tab
    open_settings(page)
    assert page.evaluate(OUT_OF_REACH, "#settings") == []
    found |= set(page.evaluate(NAMES))
    assert wanted - found == set()


# --- forced colours -------------------------------------------------------------------------------

LUMINANCE = """(colour) => {
    const [r, g, b, alpha = 1] = colour.match(/[\\d.]+/g).map(Number);
    const part = (one) => (one / 255 <= 0.04045 ? one / 255 / 12.92
        : ((one / 255 + 0.055) / 1.055) ** 2.4);
    return alpha && 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
}"""
CONTRASTS = f"""(query, property) => {{
    const luminance = {LUMINANCE};
    const behind = luminance(getComputedStyle(document.body).backgroundColor);
    return [...document.querySelectorAll(query)].map((one) => {{
        const own = luminance(getComputedStyle(one)[property]);
        return (Math.max(own, behind) + 0.05) / (Math.min(own, behind) + 0.05);
    }});
}}"""
LOOK = """(one) => { const style = getComputedStyle(one);
    return ['color', 'backgroundColor', 'borderBottomColor', 'borderBottomStyle', 'outlineStyle',
        'textDecorationLine'].map((each) => style[each]).join(); }"""
FOCUS = """() => { const one = document.activeElement;
    const drawn = [one, one.nextElementSibling, one.closest('label'), one.parentElement]
        .filter(Boolean).map((each) => getComputedStyle(each));
    return drawn.some(({ outlineStyle, outlineWidth }) =>
        outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1)
        ? '' : one.outerHTML.slice(0, 120); }"""


def contrasts(page: Page, query: str, property: str) -> list[float]:
    return page.evaluate(
        f"([query, property]) => ({CONTRASTS})(query, property)", [query, property]
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_forced_colours_curves_chips_choices_and_the_focus_are_seen(open_with, scheme):
    page = open_with(forced_colors="active", color_scheme=scheme)
    run_to_end(page)
    assert page.evaluate("matchMedia('(forced-colors: active)').matches")
    curves = contrasts(page, "#plot .area .scatterlayer .js-line", "stroke")
    assert len(curves) >= 2 and min(curves) >= CONTRAST, curves
    chips = contrasts(page, ".pane .chip", "color")
    assert len(chips) == 2 and min(chips) >= 4.5, chips
    open_tab(page, "table")
    for chosen, other in {
        "input[name=view]:checked + span": "input[name=view]:not(:checked) + span",
        "#tabs [role=tab][aria-selected=true]": "#tabs [role=tab][aria-selected=false]",
        ".calls-table tr[aria-selected=true] > th": ".calls-table tr[aria-selected=false] > th",
    }.items():
        looks = [page.locator(query).first.evaluate(LOOK) for query in (chosen, other)]
        assert looks[0] != looks[1], chosen
    page.evaluate("document.activeElement.blur()")
    unseen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        unseen.append(page.evaluate(FOCUS))
    assert [each for each in unseen if each and not each.startswith("<body")] == []


# --- reduced motion -------------------------------------------------------------------------------

MOVING = """[...document.querySelectorAll('.gradio-container *')].flatMap((one) =>
    ['', '::before', '::after'].map((part) => [one, getComputedStyle(one, part)]))
    .filter(([, { transitionDuration, animationName, animationDuration }]) =>
        transitionDuration.split(',').some((each) => parseFloat(each) > 0)
        || (animationName !== 'none' && parseFloat(animationDuration) > 0.001))
    .map(([one]) => one.outerHTML.slice(0, 100))"""


def test_with_reduced_motion_nothing_moves_by_itself(open_with):
    page = open_with(reduced_motion="reduce")
    first = page.evaluate("samplerExplorer.frame")
    page.wait_for_timeout(1500)
    assert page.evaluate("samplerExplorer.frame") == first
    assert page.evaluate(MOVING) == []
    run_to_end(page)
    last = page.evaluate("samplerExplorer.frame")
    for tab in tabs(page):
        assert page.evaluate(MOVING) == [], tab
    wait_for(page, f"samplerExplorer.frame === {last}")
    assert page.evaluate("document.getAnimations().length") == 0
