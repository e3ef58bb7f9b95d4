"""The history over HTTP: two visitors of a shared host, hostile names, and what is refused."""

import io
import json
import os
from dataclasses import replace

import httpx
import pytest
from loops import finish
from made_runs import made_run, made_settings, start_picture
from starlette.applications import Starlette
from starlette.middleware import Middleware

from explorer.hosting import history_routes
from explorer.hosting.request_limits import RequestLimits
from explorer.hosting.run_store import RunStore
from explorer.hosting.sentences import Sentences
from explorer.records import History
from explorer.records.run import new_run_id
from explorer.records.zip_file import write_zip
from explorer.runs.registry import RunRegistry
from explorer.settings.limits import Limits, set_limits
from explorer.views.opened import opened_payload

ME, OTHER = "0123456789abcdef" * 2, "f" * 32
MADE = made_run()


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


class Site:
    """The routes behind the limits, as the app has them; pictures are kept in `pictures`."""

    def __init__(self, folder, limits=None):
        self.store = RunStore(folder / "runs")
        self.pictures: dict[str, bytes] = {}
        routes = history_routes.routes(lambda request: self.store, self._show)
        middleware = [
            Middleware(Sentences),
            Middleware(RequestLimits, limits=limits or Limits(), folder=folder),
        ]
        self.app = Starlette(routes=routes, middleware=middleware)

    def _show(self, request, run):
        return opened_payload(run, self._keep, ["scenes"], "scenes")

    def _keep(self, data: bytes, name: str) -> str:
        address = f"kept/{len(self.pictures)}/{name}"
        self.pictures[address] = data
        return address

    def ask(self, method, path, visitor=ME, host="example.org", **more) -> httpx.Response:
        headers = more.pop("headers", {}) | ({"x-visitor": visitor} if visitor else {})

        async def asked():
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
                return await client.request(method, path, headers=headers, **more)

        answer = finish(asked())
        is_json = "json" in answer.headers.get("content-type", "")
        if answer.status_code >= 400 and is_json:  # the limits' sentences are plain text
            assert set(answer.json()) in ({"message"}, {"error", "detail"}), answer.text
        return answer

    def listed(self, path="/runs", **more) -> list[str]:
        return [run["id"] for run in self.ask("GET", path, **more).json()["runs"]]

    def add(self, owner=ME, **more) -> str:
        run = replace(made_run(made_settings(**more)), id=new_run_id())
        return History(self.store.folder, owner).add(run).entry.id


@pytest.fixture
def site(tmp_path) -> Site:
    return Site(tmp_path)


def zipped(run=MADE) -> bytes:
    file = io.BytesIO()
    write_zip(run, file)
    return file.getvalue()


# --- what the page asks for ------------------------------------------------------------------


def test_a_run_is_listed_in_short(site):
    id = site.add(prompt="a <b>red</b> boat")
    answer = site.ask("GET", "/runs")
    assert answer.headers["cache-control"] == "no-store"
    page = answer.json()
    (run,) = page["runs"]
    assert (page["after"], page["matching"], page["total"]) == ("", 1, 1)
    assert page["bytes"] == run["bytes"] > 10_000
    assert page["most_bytes"] == 4 * 2**30
    assert (run["id"], run["name"], run["starred"]) == (id, "", False)
    assert run["prompt"] == "a <b>red</b> boat"
    assert run["labels"] == ["DPM2", "DPM2 a Karras"]
    assert run["created"] == "2026-11-27T08:30:15.250000+00:00"
    assert run["thumbnail"].startswith("data:image/jpeg;base64,")
    assert (run["kind"], run["problem"], run["state"]) == ("", "", "done")


def test_a_long_list_comes_in_pages_whatever_goes_meanwhile(site):
    ids = [site.add() for _ in range(32)][::-1]
    first = site.ask("GET", "/runs").json()
    assert [run["id"] for run in first["runs"]] == ids[:30]
    assert first["total"] == 32
    site.ask("DELETE", f"/runs/{ids[29]}")  # the last one of the page
    newer = site.add()
    second = site.ask("GET", "/runs", params={"after": first["after"]}).json()
    assert [run["id"] for run in second["runs"]] == ids[30:]
    assert second["after"] == ""
    assert site.listed()[0] == newer


def test_a_list_is_searched(site):
    boat, cat = site.add(prompt="a boat"), site.add(prompt="a cat", negative_prompt="boat")
    assert site.listed() == [cat, boat]
    assert site.listed("/runs?q=BOAT%20cat") == [cat]
    assert site.listed("/runs?q=karras") == [cat, boat]
    assert site.listed("/runs?q=dog") == []
    assert site.listed("/runs?q=%22a%20boat%22") == [boat]


def test_a_run_is_opened_as_it_was(site):
    id = site.add(init_image=start_picture(), width=64)
    opened = site.ask("GET", f"/runs/{id}").json()
    assert opened["id"] == opened["result"]["id"] == id
    assert (opened["state"], opened["message"], opened["notes"]) == ("done", "", [])
    first, second = opened["result"]["lanes"]
    assert (first["label"], second["label"]) == ("DPM2", "DPM2 a Karras")
    assert len(first["calls"]) == 5
    assert first["calls"][1] == {
        "step": 0,
        "second_call": True,
        "sigma": pytest.approx(7.3073),
        "timestep": 899.0,
    }
    assert first["grid"] == {"columns": 3, "width": 16, "height": 16}
    assert first["approximate"] == {"denoised": [], "noisy": [3]}
    for name, start in (("denoised", b"\xff\xd8"), ("noisy", b"\xff\xd8"), ("image", b"\x89PNG")):
        assert site.pictures[first[name]].startswith(start)
    settings = opened["settings"]
    assert (settings["seed"], settings["width"], settings["height"]) == (7, "64", "")
    assert settings["model"] == "scenes"
    assert settings["init_image"].startswith("data:image/png;base64,")
    assert [lane["sampler"] for lane in settings["lanes"]["lanes"]] == ["dpm2", "dpm2_a"]
    assert [(lane["label"], lane["steps"]) for lane in opened["plan"]] == [
        ("DPM2", 3),
        ("DPM2 a Karras", 3),
    ]
    assert opened["key"]


def test_a_name_and_a_star_are_given_and_taken(site):
    id = site.add()
    assert site.ask("POST", f"/runs/{id}", json={"name": "  low  sun "}).json()["name"] == "low sun"
    starred = site.ask("POST", f"/runs/{id}", json={"starred": True, "name": ""}).json()
    assert (starred["name"], starred["starred"]) == ("", True)
    assert site.ask("GET", "/runs").json()["runs"][0]["starred"] is True


def test_a_run_is_deleted_and_brought_back(site):
    kept, id = site.add(), site.add()
    assert site.ask("DELETE", f"/runs/{id}").status_code == 200
    assert site.listed() == [kept]
    assert site.ask("GET", f"/runs/{id}").status_code == 404
    assert site.ask("DELETE", f"/runs/{id}").status_code == 404
    assert site.ask("POST", f"/runs/{id}/restore").json()["id"] == id
    assert site.listed() == [id, kept]
    assert site.ask("POST", f"/runs/{id}/restore").status_code == 404


def test_a_zip_is_opened_again(site):
    answer = site.ask("POST", "/runs", content=zipped()).json()
    assert site.listed() == [answer["id"]] != [MADE.id]
    assert site.ask("GET", f"/runs/{answer['id']}").json()["result"]["seed"] == 7


# --- two visitors ----------------------------------------------------------------------------


def test_another_visitor_sees_and_changes_nothing(site):
    id = site.add(prompt="secret")
    before = site.ask("GET", "/runs").json()
    for visitor in (OTHER, "0" * 32):
        theirs = site.ask("GET", "/runs", visitor).json()
        assert (theirs["runs"], theirs["total"], theirs["bytes"]) == ([], 0, 0)
        assert site.listed("/runs?q=secret", visitor=visitor) == []
        for method, path, more in (
            ("GET", "", {}),
            ("POST", "", {"json": {"starred": True}}),
            ("POST", "", {"json": {"name": "mine"}}),
            ("DELETE", "", {}),
            ("POST", "/restore", {}),
        ):
            answer = site.ask(method, f"/runs/{id}{path}", visitor, **more)
            assert answer.status_code == 404, (method, path)
            assert "no such run" in answer.json()["message"]
    site.ask("DELETE", f"/runs/{id}")
    assert site.ask("POST", f"/runs/{id}/restore", OTHER).status_code == 404
    site.ask("POST", f"/runs/{id}/restore")
    assert site.ask("GET", "/runs").json() == before
    site.ask("POST", "/runs", OTHER, content=zipped())
    assert site.listed() == [id]
    folders = {folder.name for folder in site.store.folder.iterdir() if folder.is_dir()}
    assert len(folders) == 2  # who only looks around leaves nothing on the disk
    assert not any(ME in name or OTHER in name for name in folders)


def test_this_machines_user_and_a_visitor_are_apart(tmp_path):
    site = Site(tmp_path)
    local, theirs = site.add(owner=""), site.add(owner=OTHER)
    assert site.listed(host="localhost:7860") == site.listed(host="127.0.0.1") == [local]
    assert site.listed(host="localhost:7860", visitor=OTHER) == [local]
    assert site.listed(host="example.org", visitor=OTHER) == [theirs]
    assert site.ask("GET", f"/runs/{local}", OTHER, "example.org").status_code == 404
    away = {"headers": {"origin": "https://example.org"}, "host": "localhost:7860"}
    assert site.listed(**away) == []
    assert site.ask("DELETE", f"/runs/{local}", **away).status_code == 404
    assert site.listed(host="localhost", headers={"x-forwarded-for": "203.0.113.9"}) == []


REQUESTS = (
    ("GET", "/runs"),
    ("POST", "/runs"),
    ("GET", "/runs/ID"),
    ("POST", "/runs/ID"),
    ("DELETE", "/runs/ID"),
    ("POST", "/runs/ID/restore"),
)


@pytest.mark.parametrize("visitor", ["", "x", "../" + ME, ME.upper(), ME * 2, "local", "é"])
def test_without_a_visitor_nothing_is_told_or_changed(site, visitor):
    id = site.add(owner="")
    for method, path in REQUESTS:
        headers = {"x-visitor": visitor.encode()} if visitor else {}
        path = path.replace("ID", id)
        answer = site.ask(method, path, None, "localhost", headers=headers, content=b"{}")
        assert answer.status_code == 403, (method, path)
        assert "reload the page" in answer.json()["message"]
    assert len(History(site.store.folder)) == 1


HOSTILE = (
    ".trash",
    ".lock",
    ".index.json",
    "../local",
    "..%2flocal",
    "%2e%2e%2flocal%2f{id}",
    "%2e%2e",
    "{id}%00",
    "%00",
    "{id}%0a",
    "%ff",
    "a" * 300,
    "/etc",
    "%2fetc%2fpasswd",
    "C:%5cwindows",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_no_runs(site, name):
    id = site.add()
    site.add(owner="")
    name = name.replace("{id}", id)
    for method, path in REQUESTS[2:]:
        url = httpx.URL("http://example.org" + path.replace("ID", "x"))
        raw = path.replace("ID", name).encode()
        answer = site.ask(method, url.copy_with(raw_path=raw), json={"starred": True})
        assert answer.status_code in (404, 405, 422), (method, name, answer.text)
        assert str(site.store.folder) not in answer.text
    assert site.listed() == [id]
    assert site.ask("GET", "/runs").json()["runs"][0]["starred"] is False


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"{",
        b"[" * 5000,
        b'{"name": 3}',
        b'{"name": null}',
        b'{"starred": "yes"}',
        b'{"starred": 1}',
        b'{"id": "x", "name": "x"}',
        json.dumps({"name": "x" * 201}).encode(),
        b'{"name": "\\ud83d"}',
        b'{"name": "a\\u0000b"}',
    ],
)
def test_marks_that_are_none_are_a_sentence(site, body):
    id = site.add()
    answer = site.ask("POST", f"/runs/{id}", content=body)
    assert answer.status_code == 422
    assert answer.json()["message"].endswith((".", "it."))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no .zip"),
        (b"PK\3\4", "no .zip"),
        (zipped()[:-500], "no .zip"),
        (b"x" * 1000, "no .zip"),
    ],
)
def test_a_file_that_is_no_run_is_a_sentence(site, content, sentence):
    answer = site.ask("POST", "/runs", content=content)
    assert answer.status_code in (404, 422)
    assert sentence in answer.json()["message"]
    assert site.listed() == []


def test_a_zip_beyond_the_limit_of_uploads_is_not_read(tmp_path):
    limits = Limits(uploads_per_visitor_bytes=50_000)
    site = Site(tmp_path, limits=limits)
    set_limits(limits)
    try:
        answer = finish(_stated(site, zipped() + bytes(100_000)))
        assert answer.status_code == 413
        counted = [site.ask("POST", "/runs", content=bytes(20_000)).status_code for _ in range(6)]
        assert 413 in counted  # the visitor's share is used up
    finally:
        set_limits(Limits())


async def _stated(site, content: bytes) -> httpx.Response:
    transport = httpx.ASGITransport(site.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://example.org") as client:
        return await client.post("/runs", headers={"x-visitor": ME}, content=content)


def test_where_nothing_is_kept_the_list_says_so_and_changes_are_refused(site):
    site.store.folder = None
    page = site.ask("GET", "/runs").json()
    assert (page["runs"], page["most_bytes"]) == ([], 0)
    for method, path in REQUESTS[2:]:
        assert site.ask(method, path, json={"starred": True}).status_code == 404
    assert site.ask("POST", "/runs", content=zipped()).status_code == 404
    assert site.ask("POST", "/runs", content=b"no run").status_code == 404


def test_without_a_history_a_zip_is_opened_in_memory_for_its_visitor(site):
    site.store.folder = None
    site.store.registry = RunRegistry()
    answer = site.ask("POST", "/runs", content=zipped())
    id = answer.json()["id"]
    assert site.ask("GET", f"/runs/{id}").json()["result"]["seed"] == 7
    assert site.ask("GET", f"/runs/{id}", OTHER).status_code == 404
    assert id != MADE.id


def test_damaged_foreign_unfinished_and_newer_runs_are_listed_with_a_sentence(site):
    ids = [site.add() for _ in range(4)]
    folder = History(site.store.folder, ME).folder
    (folder / ids[0] / "run.json").write_text("{")
    (folder / ids[1] / "run.json").unlink()
    newer = json.loads((folder / ids[2] / "run.json").read_text()) | {"version": 9}
    (folder / ids[2] / "run.json").write_text(json.dumps(newer))
    (folder / ids[3] / "lane-a.png").unlink()  # only opening it shows that
    (folder / "holiday").mkdir()
    runs = {run["id"]: run for run in site.ask("GET", "/runs").json()["runs"]}
    kinds = {id: run["kind"] for id, run in runs.items()}
    wanted = {ids[0]: "damaged", ids[1]: "unfinished", ids[2]: "newer", ids[3]: ""}
    assert kinds == wanted | {"holiday": "foreign"}
    for id, run in runs.items():
        assert bool(run["problem"]) == bool(run["kind"])
        answer = site.ask("GET", f"/runs/{id}")
        assert answer.status_code in (404, 422)
        assert str(folder) not in answer.text
    for id in runs:
        assert site.ask("DELETE", f"/runs/{id}").status_code == 200
    assert site.listed() == []
