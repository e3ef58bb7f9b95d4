"""Tips open by hover, focus, a tap and a long press; every setting, mark and number has one."""

import pytest
from playwright.sync_api import expect
from reading import open_tab, wait_for

pytestmark = pytest.mark.browser

TIP = ".tip:popover-open"
# What must have a tip, and what it is called here; each selector finds something.
WITH_TIPS = {
    "settings": "#settings [data-testid=block-info]",
    "fields of the lanes": "#lanes .field .label",
    "bar": "#run, #stop, .copy-link, #progress .seed, .seed-buttons button",
    "tabs": "#tabs [role=tab], #tabs .worst",
    "lanes": "#same, #lanes .add, .lane-lines .open",
    "numbers": ".viewer .facts dt",
    "marks of the plot": ".legend .keys button",
    "menus and buttons of the plot": ".legend :is(select, .tools button, .relative)",
    "curves and axes": ".legend option",
    "columns": ".calls-table thead th",
    "buttons of the table": ".calls-table .top button",
    "views and comparisons": ".viewer .segments label, .viewer .pace > *, .viewer .play",
    "buttons of settings": "#settings .icon",
}


@pytest.mark.parametrize("kind", WITH_TIPS)
def test_everything_has_a_tip(shared_page, kind):
    open_tab(shared_page, "table" if kind == "columns" else "schedule")
    shared_page.locator(WITH_TIPS[kind]).first.wait_for(state="attached")
    without = shared_page.locator(WITH_TIPS[kind]).evaluate_all(
        """(marks, kind) => import(`${window.gradio_config.root}/page/shared/tip.js`).then(
            ({ tipOf }) => [marks.length, marks.filter((mark) => {
                const owner = mark.closest("[data-tip]") ?? mark.querySelector("[data-tip]");
                return !mark.title && (!owner || !tipOf(owner)); // why a button cannot be used
            }).map((mark) => mark.outerHTML)])"""
    )
    assert without[0] > 0
    assert without[1] == []


def test_a_tip_opens_by_hover_stays_for_the_pointer_and_goes_by_escape(page):
    page.hover("#cfg_scale [data-testid=block-info]")
    page.wait_for_selector(TIP)
    assert "guidance_scale" in page.locator(TIP).inner_text()
    page.hover(TIP)
    page.wait_for_timeout(300)  # longer than the pointer may take from the mark to its tip
    expect(page.locator(TIP)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(TIP)).to_have_count(0)
    page.mouse.move(640, 5)


def test_the_keyboard_reaches_marks_which_are_one_stop_of_the_tab_key(page):
    marks = page.locator(".pane.lane-a dt")
    wait_for(page, "document.querySelectorAll('.pane.lane-a dl [tabindex=\"0\"]').length === 1")
    page.keyboard.press("Tab")  # the keyboard is in use
    page.locator(".pane.lane-a dt[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    expect(marks.nth(1)).to_be_focused()
    page.wait_for_selector(TIP)
    described = marks.nth(1).get_attribute("aria-describedby")
    assert page.locator(f"#{described}").text_content() in page.locator(TIP).inner_text()
    page.keyboard.press("Escape")
    expect(page.locator(TIP)).to_have_count(0)
    expect(marks.nth(1)).to_be_focused()


def test_a_setting_is_described_by_its_help_and_by_its_problem(page):
    box = page.locator("#cfg_scale input")
    help_id = box.get_attribute("aria-describedby")
    assert "guidance_scale" in page.locator(f"#{help_id}").text_content()
    box.fill("99")
    page.wait_for_selector("#cfg_scale_problem")
    assert box.get_attribute("aria-describedby") == "cfg_scale_problem"
    box.fill("7")
    page.wait_for_selector("#cfg_scale_problem", state="detached")
    assert box.get_attribute("aria-describedby") == help_id


def test_a_finger_opens_tips_which_stay_inside_a_phone(context, server):
    touched = context.browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    touched.set_default_timeout(30_000)
    page = touched.new_page()
    page.goto(server)
    page.wait_for_selector("#settings[data-ready]:not(.open)")
    marks = page.locator(".panes .facts dt[data-tip-stop]")
    marks.nth(7).wait_for()
    for mark in marks.all():
        mark.tap()
        page.wait_for_selector(TIP)
        box = page.locator(TIP).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    mark.tap()  # the same again
    expect(page.locator(TIP)).to_have_count(0)
    mark.tap()
    page.wait_for_selector(TIP)
    page.locator(".progress .where").tap()
    expect(page.locator(TIP)).to_have_count(0)
    tab = page.get_by_role("tab", name="Table")
    tab.tap()  # it is now in sight, below what sticks to the top
    page.get_by_role("tab", name="Schedule").tap()
    box = tab.bounding_box()
    finger = touched.new_cdp_session(page)
    at = [{"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}]
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at})
    page.wait_for_selector(TIP)
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(300)  # in which a tap would have opened the tab
    expect(page.locator(TIP)).to_be_visible()
    expect(tab).to_have_attribute("aria-selected", "false")
    tab.tap()
    expect(tab).to_have_attribute("aria-selected", "true")
    touched.close()
