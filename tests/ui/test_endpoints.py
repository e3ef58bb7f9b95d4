"""The page's endpoints before any server: which there are, what they take, who is refused."""

from types import SimpleNamespace

import pytest
from fake_engine import FakeEngine
from loops import everything, finish

from explorer import ui
from explorer.hosting.api.endpoints import ENDPOINTS
from explorer.hosting.run_store import RunStore
from explorer.settings.limits import Limits
from explorer.ui.event_queue import EventQueue, is_public

FEW = Limits(runs_per_minute=1, steps=50)
ME, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def page():
    return ui.build(FakeEngine(), FEW)


@pytest.fixture
def events(page):
    return EventQueue(SimpleNamespace(get_blocks=lambda: page), FEW)


def scope(visitor: str, host: str = "explorer.example") -> dict:
    headers = [(b"host", host.encode()), (b"x-visitor", visitor.encode())]
    return {"type": "http", "headers": headers, "client": ("1.2.3.4", 5)}


def test_the_public_events_are_the_endpoints_and_only_the_run_waits(page, events):
    public = {each.api_name: each for each in page.fns.values() if is_public(each)}
    assert set(public) == {each.name for each in ENDPOINTS if not each.needs_history}
    for name, event in public.items():
        form = events.form(None, name)
        assert form == events.form(event._id, "") and form.name == name
        assert form.queued == (name == "run") and form.values == len(form.arguments)


def test_history_is_an_endpoint_where_runs_are_kept(tmp_path):
    page = ui.build(FakeEngine(), FEW, store=RunStore(tmp_path))
    assert set(page.get_api_info()["named_endpoints"]) == {f"/{each.name}" for each in ENDPOINTS}


def test_no_name_of_a_private_event_leads_anywhere(page, events):
    private = [each for each in page.fns.values() if not is_public(each) and each.api_name]
    assert len(private) > 10
    for event in private:
        assert events.form(None, str(event.api_name)) is None
        form = events.form(event._id, "")
        assert form is None or not form.name


def test_a_visitor_with_a_run_too_many_is_refused_before_it_waits(page, events):
    short = {"steps": 2, "lanes": ["dpm2"]}

    def refusal(visitor, **more):
        return finish(events.refusal("run", short, scope(visitor, **more)))

    assert refusal(ME) is None and refusal(ME) is None  # asking counts nothing
    everything(page.service.run(short, ME, "1.2.3.4"))
    error = refusal(ME)
    assert error.status == 429 and error.limit == "runs_per_minute" and error.wait_s > 0
    assert refusal(OTHER) is None
    assert refusal(ME, host="127.0.0.1") is None  # the user's own machine: nobody in particular
    assert finish(events.refusal("schedule", short, scope(ME))) is None


def test_the_limits_are_the_pages(page, events):
    error = finish(events.refusal("run", {"lanes": [{"eta": 3}]}, scope(ME)))
    assert error.status == 422 and error.field == "lanes.0.eta"
    assert page.service.limits()["limits"]["runs_per_minute"]["value"] == 1


def test_the_page_itself_grows_by_little(page):
    """Every component is part of the page's first answer; those of endpoints are never drawn."""
    assert sum(each["type"] == "api" for each in page.config["components"]) <= 32
    hidden = [
        each["id"]
        for each in page.config["components"]
        if each["type"] == "column" and each["props"].get("visible") is False
    ]
    of_endpoints = {each["id"] for each in page.config["components"] if each["type"] == "api"}

    def inside(node, within=False):
        within = within or node.get("id") in hidden
        if node.get("id") in of_endpoints:
            assert within
            of_endpoints.discard(node["id"])
        for child in node.get("children") or ():
            inside(child, within)

    inside(page.config["layout"])
    assert not of_endpoints
