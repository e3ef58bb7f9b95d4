"""The tab Learn: its subjects, its links, and what its buttons show on the stage."""

import json

import pytest
from playwright.sync_api import expect
from reading import wait_for

from explorer.assets import asset
from explorer.hosting.files import GUIDES
from explorer.hosting.run_store import RunStore
from explorer.records.examples import Examples
from explorer.ui.components import page_file

pytestmark = pytest.mark.browser

TEXTS = json.loads(page_file("texts.json").read_text(encoding="utf-8"))
ACTIONS = [(text["key"], action) for text in TEXTS for action in text["show"]]
CARDS = {card.key: card for card in Examples(asset("examples")).cards}
STORE = "import(`${window.gradio_config.root}/page/shared/store.js`)"


@pytest.fixture(scope="module")
def learn(context, engine):
    """The tab Learn, open, on a server that has the recorded examples."""
    from explorer import ui

    page = ui.build(engine, store=RunStore(examples=Examples(asset("examples"))))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    tab = context.new_page()
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(url)
    tab.wait_for_selector("#plot .nsewdrag")
    tab.get_by_role("tab", name="Learn").click()
    yield tab
    tab.close()
    page.close(verbose=False)


def choose(page, key: str) -> None:
    page.get_by_role("tab", name="Learn").click()
    page.click(f".subject[data-subject={key}]")


def test_the_cards_stand_first_and_every_subject_has_its_text(learn):
    choose(learn, "examples")
    expect(learn.locator("#cards .card")).to_have_count(len(CARDS))
    expect(learn.locator("#cards .card").first).to_be_visible()
    for text in TEXTS:
        choose(learn, text["key"])
        article = learn.locator(f"article[data-subject={text['key']}]")
        expect(article.get_by_role("heading", name=text["heading"], exact=True)).to_be_visible()
        expect(article.get_by_role("img", name=text["alt"], exact=True)).to_be_visible()
        expect(learn.locator("#cards .card").first).to_be_hidden()
        assert learn.locator(".learn article:visible").count() == 1


def test_what_is_bold_while_chosen_moves_nothing_beside_it(learn):
    places = """() => [...document.querySelectorAll(".subject, .tab-list button, .views label")]
        .map((each) => Math.round(each.getBoundingClientRect().x))"""
    choose(learn, "examples")
    before = learn.evaluate(places)
    choose(learn, "ancestral")
    assert learn.evaluate(places) == before
    learn.get_by_role("tab", name="Table").click()
    assert learn.evaluate(places)[-12:] == before[-12:]


def test_links_open_a_page_of_their_own_and_tell_it_nothing(learn):
    links = learn.locator(".learn a").evaluate_all(
        "(links) => links.map(({ href, target, rel }) => [href, target, rel])"
    )
    assert len(links) >= 2 * len(TEXTS)
    assert {name for name in GUIDES if any(href.endswith(name) for href, _, _ in links)} == set(
        GUIDES
    )
    for href, target, rel in links:
        assert target == "_blank"
        assert set(rel.split()) == {"noopener", "noreferrer"}
        if "/source/" in href:
            answer = learn.request.get(href)
            assert answer.ok
            is_page = href.endswith(".md")
            kind = "text/html" if is_page else "text/plain"
            assert answer.headers["content-type"].startswith(kind)
            assert answer.text().startswith("<!doctype html>" if is_page else '"""')
        else:
            assert href.startswith("https://")


def test_a_guide_is_read_with_its_picture(learn, keeping_server):
    guide = learn.context.new_page()
    guide.goto(f"{keeping_server}source/ancestral.md")
    picture = guide.locator("img")
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 300
    assert guide.locator("table th").count() > 3
    guide.set_viewport_size({"width": 390, "height": 844})
    assert guide.evaluate("document.documentElement.scrollWidth") == 390
    guide.close()


@pytest.mark.parametrize(("key", "action"), ACTIONS, ids=[f"{k}-{a['label']}" for k, a in ACTIONS])
def test_a_button_shows_what_it_says(learn, key, action):
    choose(learn, key)
    learn.get_by_role("button", name=action["label"], exact=True).click()
    wait_for(
        learn,
        f"{STORE}.then(({{ state }}) => state.recorded?.id === '{CARDS[action['example']].id}')",
    )
    if "call" in action:
        lane = action.get("lane", 0)
        call = f"document.querySelectorAll('.pane [data-fact=call]')[{lane}].textContent"
        learn.wait_for_function(f"{call}.startsWith('{action['call']} of ')")
    if "view" in action:
        expect(learn.locator(f"[name=view][value={action['view']}]")).to_be_checked()
    if "tab" in action:
        chosen = learn.locator("[role=tab][aria-selected=true]")
        expect(chosen).to_have_attribute("data-tab", action["tab"])
    for name, value in action.get("form", {}).items():
        expect(learn.locator(f"#{name} input")).to_have_value(f"{value:g}")
    if quantity := action.get("curve", {}).get("quantity"):
        wait_for(learn, f"{STORE}.then(({{ state }}) => state.curves.quantity === '{quantity}')")
    expect(learn.locator(".learn .said")).to_have_text(action.get("look", ""))


def test_a_run_under_way_is_said_and_stays(learn, engine):
    engine.hold_at = 3
    learn.click("#run")
    wait_for(learn, "samplerExplorer.state === 'running'")
    choose(learn, "sigma")
    learn.get_by_role("button", name=TEXTS[0]["show"][0]["label"], exact=True).click()
    expect(learn.locator(".learn .said")).to_contain_text("A run is under way")
    engine.hold_at = None
    wait_for(learn, "samplerExplorer.state === 'done'")


def test_texts_that_cannot_be_fetched_are_said(learn):
    learn.route("**/page/learn/*.json", lambda route: route.abort())
    learn.reload()
    learn.wait_for_selector("#stop[aria-disabled=true]")
    choose(learn, "sigma")
    expect(learn.locator(".learn .said")).to_contain_text("could not be fetched")
    learn.unroute("**/page/learn/*.json")
    choose(learn, "midpoint")
    expect(learn.locator("article[data-subject=midpoint]")).to_be_visible()
