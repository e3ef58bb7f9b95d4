"""The page without a mouse, for eyes that do not see it, and for fingers."""

from collections.abc import Sequence
from pathlib import Path

import axe_playwright_python
import pytest
from reading import at_rest, fill, open_tab, part, run_to_end, wait_for

pytestmark = pytest.mark.browser

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
SMALLEST = 24  # pixels, of what a finger must hit (WCAG 2.2, 2.5.8)


def violations(page, rules: Sequence[str] = (), within: Sequence[str] = ()) -> list[str]:
    """What axe-core finds, by all rules or by some, on all of the page or within some elements: the
    rule, its impact, the element."""
    if page.evaluate("window.axe === undefined"):
        page.evaluate(AXE)
    options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    run = "([within, options]) => axe.run(within.length ? within : document, options)"
    found = page.evaluate(run, [list(within), options])["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['target']}"
        for rule in found
        for node in rule["nodes"]
    ]


def small_targets(page) -> list[str]:
    """What can be pressed and is smaller than a finger needs; a box in a label is the label."""
    return page.evaluate(
        f"""() => [...document.querySelectorAll(
                'button, a[href], input, select, textarea, [role=button]')]
            .filter((one) => one.checkVisibility({{ visibilityProperty: true }}))
            .filter((one) => !one.closest('.skip, [inert]') && one.type !== 'file')
            .map((one) => ['checkbox', 'radio'].includes(one.type) ? one.closest('label') : one)
            .map((one) => [one, one.getBoundingClientRect()])
            .filter(([, {{ width, height }}]) => Math.min(width, height) < {SMALLEST} - 0.01)
            .map(([one, {{ width, height }}]) =>
                `${{one.outerHTML.slice(0, 90)}} ${{width.toFixed(1)}} x ${{height.toFixed(1)}}`)"""
    )


def open_folds(page) -> None:
    page.evaluate(
        "document.querySelectorAll('.fold-head[aria-expanded=false]').forEach((one) => one.click())"
    )


TABS = ("schedule", "table", "learn", "doctor", "lanes")
# Most of the page stays as it was from state to state, and axe takes seconds for all of it. A part
# that it has seen is left out: with the same contents, in elements with the same attributes, which
# name the theme too. What is in no part, such as a dialog, brings a look at the whole page.
PARTS = ("#settings", "#bar", ".past-runs", "#viewer", "#tabs", "#panels > *")
NOT_SEEN = """(parts) => {
    window.seenByAxe ??= new Set();
    const isNew = (text) => !seenByAxe.has(text) && seenByAxe.add(text);
    const around = (one) => one ? around(one.parentElement) + one.cloneNode().outerHTML : "";
    const left = parts.filter((part) => [...document.querySelectorAll(part)]
        .filter((one) => one.checkVisibility({ visibilityProperty: true }))
        .filter((one) => isNew(around(one.parentElement) + one.outerHTML)).length);
    const rest = document.body.cloneNode(true);
    for (const one of rest.querySelectorAll(parts)) one.remove();
    return isNew(around(document.documentElement) + rest.outerHTML) ? ["html"] : left;
}"""
# Those that compare places far from each other.
ACROSS = (
    "bypass",
    "duplicate-id-aria",
    "heading-order",
    "landmark-one-main",
    "landmark-unique",
    "page-has-heading-one",
    "region",
)


def look_at(page, state: str, tabs: tuple[str, ...] = ()) -> None:
    """By every rule in light, and in dark by those of colours; in each of the tabs."""
    for tab in tabs or ("",):
        if tab:
            page.evaluate(f"document.querySelector('#tab_{tab}').click()")
            page.wait_for_selector(f"#panel_{tab}[data-open]", state="attached")
        for is_dark in (False, True):
            page.evaluate("(is) => document.body.classList.toggle('dark', is)", is_dark)
            at_rest(page)
            within = page.evaluate(NOT_SEEN, list(PARTS))
            found = (
                violations(page, ["color-contrast"] if is_dark else [], within) if within else []
            )
            if within and not is_dark and within != ["html"]:
                found += violations(page, ACROSS)
            assert found == [], (state, tab, "dark" if is_dark else "light")


@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing(open_keeping_page, keeping_engine, size):
    """In every state and every tab, in light and dark."""
    page = open_keeping_page("?__theme=light", *SIZES[size])
    page.wait_for_selector(".viewer[data-example]:not([data-fetching])")
    look_at(page, "first visit", TABS)
    keeping_engine.hold_at = 5
    page.click("#run")
    wait_for(page, "samplerExplorer.state === 'running' && samplerExplorer.call === 5")
    look_at(page, "running", TABS)
    keeping_engine.hold_at = None
    wait_for(page, "samplerExplorer.state === 'done'")
    page.wait_for_selector(".viewer:not([data-fetching])")
    page.wait_for_selector("#run:not([aria-disabled=true])")
    page.wait_for_selector(".past-run[aria-current]")
    look_at(page, "done", TABS)
    for mode in ("slider", "difference", "side"):
        page.check(f"input[name=compare][value={mode}]", force=True)
        look_at(page, mode)
    page.get_by_role("button", name="Enlarge the picture of lane A").press("Enter")
    look_at(page, "a picture in full size")
    page.keyboard.press("Escape")
    page.click(".save-button")
    look_at(page, "a menu")
    page.keyboard.press("Escape")
    if size == "phone":
        page.click("#settings .toggle-button")
        page.wait_for_selector("#settings.open")
    open_folds(page)
    fill(page, "a_beta_end", "0.5")
    page.wait_for_selector(".tabs .worst:is([data-severity=error], [data-severity=warning])")
    page.wait_for_selector(".viewer[data-stale]", state="attached")
    look_at(page, "stale, with settings and folds open, and findings", TABS)
    fill(page, "steps", "0")
    page.wait_for_selector("#steps_problem")
    page.click("#run")
    wait_for(page, "samplerExplorer.state === 'error'")
    look_at(page, "error", TABS)


@pytest.mark.parametrize("size", SIZES)
def test_targets_are_as_large_as_a_finger_needs(open_page, size):
    page = open_page("", *SIZES[size])
    run_to_end(page)
    page.click(".legend .pin")
    page.wait_for_selector(".legend .pinned")
    page.click(".legend .edit")
    assert small_targets(page) == []
    page.click(".legend .edit")
    page.click(".legend .pinned .remove")
    if size == "phone":
        page.click("#settings .toggle-button")
        page.wait_for_selector("#settings.open")
    open_folds(page)
    fill(page, "a_beta_end", "0.5")
    page.wait_for_selector(".tabs .worst:is([data-severity=error], [data-severity=warning])")
    assert small_targets(page) == []


# --- in a wide window, one after the other on one page -------------------------------------------


def focused(page, property: str) -> str:
    return page.evaluate(f"document.activeElement.{property}")


def canvases_have_names(page, *wanted: str) -> None:
    names = """[...document.querySelectorAll('canvas')].filter((one) => one.checkVisibility())
        .map((one) => one.ariaLabel)"""
    assert page.evaluate(names) == list(wanted)


def the_first_tab_stop_leads_to_run(page):
    page.keyboard.press("Tab")
    assert focused(page, "textContent") == "Skip to Run"
    page.keyboard.press("Enter")
    assert focused(page, "id") == "run"
    assert page.url.endswith("?__theme=light")
    page.keyboard.press("Enter")
    wait_for(page, "samplerExplorer.state === 'done'")
    page.wait_for_selector(".viewer:not([data-fetching])")


def the_tabs_are_one_tab_stop_whose_arrows_open_them(page):
    open_tab(page, "table")
    seen = []
    for key in ("ArrowRight", "ArrowRight", "End", "ArrowRight", "ArrowLeft", "Home"):
        page.keyboard.press(key)
        seen.append(focused(page, "id"))
        shown = page.evaluate(
            "[...document.querySelectorAll('#panels > *')].filter((one) => !one.inert)"
            ".map((one) => [one.id, getComputedStyle(one).visibility, one.role].join(' '))"
        )
        assert shown == [f"panel_{seen[-1].removeprefix('tab_')} visible tabpanel"]
    wanted = ["learn", "doctor", "lanes", "schedule", "lanes", "schedule"]
    assert seen == [f"tab_{key}" for key in wanted]
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    assert focused(page, "id") == "tab_schedule"
    stops = page.locator("#tabs [role=tab][tabindex='0']")
    assert stops.count() == 1


def the_plots_menus_have_names_and_are_chosen_from_by_keys(page):
    for menu, name in {"y_axis": "y axis", "x_axis": "x axis", "quantity": "curve"}.items():
        box = page.get_by_role("combobox", name=name, exact=True)
        assert box.get_attribute("id") == menu
        before = box.input_value()
        box.focus()
        page.keyboard.press("ArrowDown")
        page.wait_for_function(
            "([menu, before]) => document.getElementById(menu).value !== before",
            arg=[menu, before],
        )


def the_focus_is_seen_on_the_plot_s_buttons(page):
    for theme, colour in {"light": "rgb(27, 106, 201)", "dark": "rgb(108, 176, 255)"}.items():
        page.evaluate("(is) => document.body.classList.toggle('dark', is)", theme == "dark")
        page.focus("#plot .area .modebar-btn >> nth=0")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        at_rest(page)
        style = page.evaluate(
            """() => { const { activeElement } = document;
                const { outlineStyle, outlineColor } = getComputedStyle(activeElement);
                const bar = getComputedStyle(activeElement.closest('.modebar'));
                return [activeElement.className, outlineStyle, outlineColor, bar.opacity]; }"""
        )
        assert style == ["modebar-btn", "solid", colour, "1"], theme


def hidden_help_does_not_widen_the_settings(page):
    content = "document.querySelector('#settings .sidebar-content')"
    open_folds(page)
    assert page.evaluate(f"{content}.scrollWidth - {content}.clientWidth") == 0


def test_in_a_wide_window_keys_reach_everything_and_everything_has_a_name(open_page):
    page = open_page("?__theme=light")
    canvases_have_names(page, "Lane A: no picture yet", "Lane B: no picture yet")
    with part("the first tab stop"):
        the_first_tab_stop_leads_to_run(page)
    canvases_have_names(page, "DPM2, denoised, step 20", "DPM2 a, denoised, step 20")
    assert page.get_by_role("img", name="Sigma by Step, lanes A, B").count() == 1
    for each in (
        the_focus_is_seen_on_the_plot_s_buttons,
        the_tabs_are_one_tab_stop_whose_arrows_open_them,
        the_plots_menus_have_names_and_are_chosen_from_by_keys,
        hidden_help_does_not_widen_the_settings,
    ):
        with part(each.__name__):
            each(page)


# --- on a phone, likewise ------------------------------------------------------------------------


def settings_out_of_sight_take_no_tab_stops(page):
    page.wait_for_selector("#settings[data-ready]:not(.open)")
    inside = []
    for _ in range(5):
        page.keyboard.press("Tab")
        inside.append(page.evaluate("!!document.activeElement.closest('.sidebar-content')"))
        if focused(page, "id") == "run":
            break
    assert not any(inside)
    assert focused(page, "id") == "run"


def a_phone_does_not_zoom_into_boxes(page):
    page.click("#settings .toggle-button")
    page.wait_for_selector("#settings.open")
    open_folds(page)
    sizes = page.evaluate(
        """[...document.querySelectorAll(':is(input, textarea, select)')]
            .filter((one) => !['checkbox', 'radio', 'range', 'file'].includes(one.type))
            .map((one) => [one.id || one.ariaLabel, parseFloat(getComputedStyle(one).fontSize)])"""
    )
    assert len(sizes) > 20
    assert "Speed" in dict(sizes)
    assert [each for each in sizes if each[1] < 16] == []


def six_lanes_leave_the_scrubber_in_reach(page):
    for _ in range(4):
        page.click(".lanes-bar .add")
    run_to_end(page)
    page.wait_for_selector("#settings:not(.open)")
    wait_for(page, "document.querySelectorAll('.pane').length === 6")
    scrubber = page.locator(".transport input[type=range]").bounding_box()
    assert scrubber["y"] + scrubber["height"] <= page.locator("#bar").bounding_box()["y"]


def test_on_a_phone_all_is_in_reach_and_nothing_zooms(open_page):
    page = open_page(width=390, height=844)
    for each in (
        settings_out_of_sight_take_no_tab_stops,
        a_phone_does_not_zoom_into_boxes,
        six_lanes_leave_the_scrubber_in_reach,
    ):
        with part(each.__name__):
            each(page)
