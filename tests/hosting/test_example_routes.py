"""The recorded examples over HTTP: everybody's, saved like other runs, changed by nobody."""

import shutil

import httpx
import pytest
from loops import finish
from starlette.applications import Starlette

from explorer.assets import asset
from explorer.hosting import example_routes, history_routes, save_routes
from explorer.hosting.run_store import RunStore
from explorer.records.examples import Examples, example_id
from explorer.records.run import new_run_id
from explorer.runs.registry import RunRegistry
from explorer.views.opened import opened_payload

ME, OTHER = "0123456789abcdef" * 2, "f" * 32
FIRST, FEW = example_id("one_noise"), example_id("penultimate")


class Site:
    """The routes of runs and of examples, as the app has them."""

    def __init__(self, runs, examples: Examples):
        self.store = RunStore(runs, RunRegistry(), examples)

        def show(request, run):
            card = examples.card(run.id)
            return opened_payload(run, lambda data, name: name, ["bundled"], "bundled", card)

        self.app = Starlette(
            routes=[
                *history_routes.routes(lambda request: self.store, show),
                *example_routes.routes(lambda request: self.store, show),
                *save_routes.routes(lambda request: self.store),
            ]
        )

    def ask(self, method: str, path: str, visitor: str = ME, **more) -> httpx.Response:
        headers = {"x-visitor": visitor} if visitor else {}

        async def asked():
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://a.org") as client:
                return await client.request(method, path, headers=headers, **more)

        return finish(asked())


@pytest.fixture
def site(tmp_path) -> Site:
    return Site(tmp_path / "runs", Examples(asset("examples")))


def test_the_first_one_and_its_small_picture_are_there_for_whom_nobody_knows(site):
    first = site.ask("GET", "/examples/first", visitor="")
    assert first.status_code == 200
    assert first.json()["id"] == FIRST
    assert first.json()["result"]["example"]["title"]
    picture = site.ask("GET", f"/examples/{FIRST}.jpg", visitor="")
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.content == site.store.examples.thumbnail(FIRST)
    assert not site.store.folder.exists()  # nothing is made for a reader


@pytest.mark.parametrize("visitor", [ME, OTHER])
def test_every_visitor_opens_the_same(site, visitor):
    opened = site.ask("GET", f"/runs/{FEW}", visitor)
    assert opened.status_code == 200
    assert opened.json()["settings"]["lanes"]["lanes"][1]["discard_penultimate_sigma"]
    assert opened.json() == site.ask("GET", f"/runs/{FEW}").json()


@pytest.mark.parametrize(
    "kind", ["zip", "html", "csv", "png", "scheduler", "python", "json", "a1111"]
)
def test_one_is_saved_like_another_run(site, kind):
    saved = site.ask("GET", f"/runs/{FEW}/save/{kind}?lane=0")
    assert saved.status_code == 200, saved.text
    assert saved.content


@pytest.mark.parametrize("has_history", [True, False])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "", {"name": "mine"}),
        ("POST", "", {"starred": True}),
        ("DELETE", "", None),
        ("POST", "/restore", None),
    ],
)
def test_nobody_changes_one(tmp_path, has_history, method, path, body):
    site = Site(tmp_path / "runs" if has_history else None, Examples(asset("examples")))
    answer = site.ask(method, f"/runs/{FIRST}{path}", json=body)
    assert answer.status_code == 409
    assert "everybody's" in answer.json()["message"]
    assert site.ask("GET", f"/runs/{FIRST}").status_code == 200


def test_they_are_in_nobodys_history(site):
    site.ask("GET", f"/runs/{FIRST}")
    listed = site.ask("GET", "/runs").json()
    assert (listed["total"], listed["bytes"]) == (0, 0)


@pytest.mark.parametrize("id", ["first", "f" * 32, "cards.json", "%00", "a" * 300])
def test_other_names_are_a_sentence(site, id):
    answer = site.ask("GET", f"/examples/{id}.jpg")
    assert answer.status_code == 404
    assert answer.json()["message"] == "There is no such recorded example."


def test_a_server_without_examples_has_none(tmp_path):
    site = Site(tmp_path, Examples())
    assert site.ask("GET", "/examples/first").json() is None
    assert site.ask("GET", f"/runs/{FIRST}").status_code == 404
    assert site.ask("GET", f"/examples/{FIRST}.jpg").status_code == 404


def test_a_damaged_one_is_a_sentence_and_the_others_open(tmp_path):
    folder = shutil.copytree(asset("examples"), tmp_path / "examples")
    (folder / FIRST / "steps.csv").write_text("nothing")
    site = Site(None, Examples(folder))
    for path in ("/examples/first", f"/runs/{FIRST}"):
        answer = site.ask("GET", path)
        assert answer.status_code == 422
        assert answer.json()["message"].startswith("This recorded example is damaged")
    assert site.ask("GET", f"/runs/{FEW}").status_code == 200


def test_a_run_that_takes_an_examples_id_hides_it_from_nobody(site):
    own = site.store.examples.open(FEW)
    site.store.registry.adopt(own, ME)
    assert site.ask("GET", f"/runs/{FEW}", OTHER).json()["result"]["example"]
    assert site.ask("GET", f"/runs/{new_run_id()}").status_code == 404
