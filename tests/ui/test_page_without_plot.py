"""A page whose plot cannot be loaded: all that does not need it works."""

import pytest
from playwright.sync_api import expect
from reading import fill, run_to_end, wait_for

pytestmark = pytest.mark.browser


@pytest.fixture(params=["refused", "another file"])
def unplotted(context, server, request):
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def answer(route):
        if request.param == "refused":
            route.abort()
        else:  # a proxy's page, say
            route.fulfill(status=200, content_type="text/javascript", body="'none'")

    page.route("**/plotly.js", answer)
    page.goto(server)
    page.wait_for_selector("#plot [role=alert]")
    page.wait_for_selector("#stop[aria-disabled=true]")
    yield page
    page.close()
    assert errors == []


def test_sentences_doctor_and_run_need_no_plot(unplotted):
    page = unplotted
    expect(page.locator("#plot [role=alert]")).to_contain_text("The plot could not be loaded")
    cost = page.locator("#doctor .cost")
    expect(cost).to_contain_text("39 model calls each")

    page.click("#picture_group .fold-head")
    fill(page, "width", "-3")
    expect(page.locator("#width_problem")).to_contain_text("Width")
    expect(page.locator("#plot .below .sentence")).to_contain_text("Width")
    fill(page, "width", "")
    expect(page.locator("#width_problem")).to_have_count(0)

    fill(page, "steps", "4")
    expect(cost).to_contain_text("7 model calls each")
    expect(page.get_by_role("button", name="Edit points")).to_be_disabled()
    run_to_end(page)
    page.get_by_label("Step", exact=True).fill("2")
    wait_for(page, "samplerExplorer.frame === 2")
    page.get_by_role("button", name="Pin this").click()
    expect(page.locator(".pinned")).to_have_count(2)
    page.get_by_role("button", name="Open the table").click()
    expect(page.get_by_role("rowheader", name="2½", exact=True)).to_be_visible()


def test_a_run_is_made_before_the_plot_s_script_has_come(context, server):
    page = context.new_page()
    held = []
    page.route("**/plotly.js", lambda route: held.append(route))
    page.goto(server)
    page.wait_for_selector("#run[aria-disabled=false]")
    run_to_end(page)
    assert held  # the script was asked for, and has not come
    assert page.locator("#plot .nsewdrag").count() == 0
    for route in held:
        route.continue_()
    page.wait_for_selector("#plot .nsewdrag")
    assert page.locator("#plot .mark.lane-a b").is_visible()
    page.close()
