"""The history of a real server: disks that fail while runs go on, two processes, two visitors."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
from fake_engine import FakeEngine
from made_runs import made_run
from polling import wait_until
from program import config_of, fetched

from explorer import ui
from explorer.hosting.access import Access
from explorer.hosting.run_store import RunStore
from explorer.records import History
from explorer.records.run import new_run_id
from explorer.settings.limits import Limits, set_limits

ME, OTHER = "0123456789abcdef" * 2, "f" * 32
PATIENCE_S = 60
LIST_S = 1.0


@contextmanager
def served(folder):
    """A server that keeps runs in a folder: its engine, its address."""
    engine = FakeEngine()
    page = ui.build(engine, store=RunStore(folder))
    options = ui.launch_options(access=Access(origins=("*",)))  # it is asked under other names
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **options)
    yield engine, url
    page.close(verbose=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("history") / "runs"


@pytest.fixture(scope="module")
def site(folder):
    with served(folder) as served_site:
        yield served_site


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own, and a function that mounts it again with other options."""
    path = tmp_path / "disk"
    path.mkdir()

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")

    mount("size=1m")
    yield path, mount
    subprocess.run(["umount", "-l", str(path)], check=True)


def ask(url: str, method: str, path: str, visitor=ME, host="", **more) -> httpx.Response:
    headers = {"x-visitor": visitor} | ({"host": host} if host else {})
    return httpx.request(method, url + path, headers=headers, timeout=PATIENCE_S, **more)


def listed(url: str, visitor=ME, host="") -> list[str]:
    return [run["id"] for run in ask(url, "GET", "runs", visitor, host).json()["runs"]]


def run(url: str, visitor=ME, host="", id="", steps=3) -> dict:
    """The last payload of a run, started as the page starts it."""
    config = config_of(url)
    blocks = {block["id"]: block["props"] for block in config["components"]}
    button = next(key for key, props in blocks.items() if props.get("elem_id") == "run")
    event = next(each for each in config["dependencies"] if [button, "click"] in each["targets"])
    values = [
        steps if blocks[key].get("elem_id") == "steps" else blocks[key].get("value")
        for key in event["inputs"]
    ]
    values[-1] = {"id": id, "visitor": visitor}
    session = new_run_id()[:11]
    headers = {"host": host} if host else {}
    body = {"data": values, "fn_index": event["id"], "session_hash": session}
    joined = httpx.post(url + "gradio_api/queue/join", json=body, headers=headers)
    joined.raise_for_status()
    stream = urllib.request.Request(
        url + f"gradio_api/queue/data?session_hash={session}", headers=headers
    )
    last = {}
    with urllib.request.urlopen(stream, timeout=PATIENCE_S) as lines:
        for line in lines:
            message = json.loads(line.removeprefix(b"data: ")) if line.startswith(b"data") else {}
            if message.get("msg") in ("process_generating", "process_completed"):
                payload = (message["output"].get("data") or [None])[0]
                if isinstance(payload, dict) and payload.get("state"):
                    last = payload
            if message.get("msg") == "process_completed":
                return last
    raise AssertionError("the stream ended before the run")


# --- faults ----------------------------------------------------------------------------------


def test_a_full_disk_costs_no_run_and_no_earlier_one(disk):
    path, _ = disk
    with served(path / "runs") as (_, url):
        first = run(url)
        assert (first["state"], first["kept"], first["message"]) == ("done", True, "")
        (path / "filler").write_bytes(bytes(os.statvfs(path).f_bavail * 4096))
        ended = run(url)
        assert (ended["state"], ended["kept"]) == ("done", False)
        assert "The run was not saved: the disk is full; free some space" in ended["message"]
        assert str(path) not in json.dumps(ended)
        assert len(ended["run"]["lanes"]) == 2
        assert listed(url) == [first["run"]["id"]]
        assert ask(url, "GET", f"runs/{ended['run']['id']}").status_code == 200  # from memory
        answer = ask(url, "POST", f"runs/{first['run']['id']}", json={"name": "x" * 100})
        assert (answer.status_code, "is full" in answer.json()["message"]) == (507, True)
        names = [each for each in (path / "runs" / "local").iterdir() if each.suffix == ".part"]
        assert names == []
        (path / "filler").unlink()
        assert run(url)["kept"]
        assert len(listed(url)) == 2


def test_a_read_only_disk_costs_no_run(disk):
    path, mount = disk
    with served(path / "runs") as (_, url):
        id = run(url)["run"]["id"]
        mount("remount,ro")
        ended = run(url)
        assert (ended["state"], ended["kept"]) == ("done", False)
        assert "the disk is read-only" in ended["message"]
        assert listed(url) == [id]
        for method, where, more in (
            ("POST", f"runs/{id}", {"json": {"starred": True}}),
            ("DELETE", f"runs/{id}", {}),
        ):
            answer = ask(url, method, where, **more)
            assert answer.status_code == 507
            assert "read-only" in answer.json()["message"]
        assert ask(url, "GET", f"runs/{id}").status_code == 200


def test_what_has_to_make_room_is_said_when_it_goes(tmp_path):
    with served(tmp_path / "runs") as (_, url):
        first = run(url)["run"]["id"]
        size = ask(url, "GET", "runs").json()["bytes"]
        set_limits(Limits(history_bytes=int(2.5 * size)))
        try:
            assert run(url)["message"] == ""
            ended = run(url)
            assert ended["kept"] is True
            assert ended["message"].startswith("1 older run was removed: the history may take ")
            page = ask(url, "GET", "runs").json()
            assert page["total"] == 2
            assert first not in [each["id"] for each in page["runs"]]
            for each in page["runs"]:
                ask(url, "POST", f"runs/{each['id']}", json={"starred": True})
            full = run(url)
            assert full["kept"] is False
            assert "starred runs fill" in full["message"]
        finally:
            set_limits(Limits())


def test_a_folder_that_is_removed_while_a_run_goes_on_is_made_again(site, folder):
    engine, url = site
    run(url)
    engine.hold_at = 3
    ended: list[dict] = []
    running = threading.Thread(target=lambda: ended.append(run(url)))
    running.start()
    made = engine.calls_made
    wait_until(lambda: engine.calls_made >= made + 3)
    folder.rename(folder.with_name("gone"))
    assert ask(url, "GET", "runs").json()["total"] == 0
    engine.hold_at = None
    running.join(PATIENCE_S)
    assert ended[0]["kept"] is True
    assert listed(url) == [ended[0]["run"]["id"]]


def test_what_another_process_keeps_and_deletes_is_listed_at_once(site, folder):
    _, url = site
    before = listed(url)
    script = """
import sys
from explorer.records import History
runs = History(sys.argv[1])
for entry in runs:
    runs.delete(entry.id)
"""
    theirs = History(folder).add(replace(made_run(), id=new_run_id())).entry.id
    assert listed(url) == [theirs, *before]
    command = [sys.executable, "-c", script, str(folder)]
    subprocess.run(command, check=True, timeout=PATIENCE_S)
    assert listed(url) == []
    assert ask(url, "GET", f"runs/{theirs}").status_code == 404
    assert ask(url, "POST", f"runs/{theirs}/restore").status_code == 200
    assert listed(url) == [theirs]


def test_ten_thousand_runs_are_listed_within_a_second_and_the_page_does_not_wait(site, folder):
    _, url = site
    runs = History(folder)
    kept = runs.folder / runs.add(replace(made_run(), id=new_run_id())).entry.id
    files = {name: (kept / name).read_text() for name in ("run.json", "marks.json")}
    manifest = json.loads(files["run.json"])
    for number in range(10_000):
        copy = runs.folder / f"{number:032x}"
        copy.mkdir()
        for name, text in files.items():
            (copy / name).write_text(text.replace(manifest["id"], copy.name))
    first: list[float] = []

    def list_them() -> None:
        began = time.perf_counter()
        assert ask(url, "GET", "runs").json()["total"] > 10_000
        first.append(time.perf_counter() - began)

    reading = threading.Thread(target=list_them)
    reading.start()
    waits = []
    while reading.is_alive():  # the first time all of them are read
        began = time.perf_counter()
        fetched(url + "page/shared/store.js")
        waits.append(time.perf_counter() - began)
        time.sleep(0.05)
    assert sorted(waits)[len(waits) // 2] < first[0] / 4
    again = min(_seconds(list_them) for _ in range(3))
    assert again < LIST_S
    for entry in runs.entries():
        for file in (runs.folder / entry.id).iterdir():
            file.unlink()
        (runs.folder / entry.id).rmdir()


def _seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def test_a_zip_is_opened_without_a_history(tmp_path):
    with served(None) as (_, url):
        made = made_run().save(tmp_path / "run.zip").read_bytes()
        id = ask(url, "POST", "runs", content=made).json()["id"]
        assert ask(url, "GET", f"runs/{id}").json()["result"]["seed"] == 7
        assert ask(url, "GET", f"runs/{id}", OTHER, "example.org").status_code == 404
        assert ask(url, "GET", "runs").json()["most_bytes"] == 0


# --- two visitors of a shared host -----------------------------------------------------------


def test_two_visitors_see_their_own_runs_alone(site):
    _, url = site
    there = {"host": "explorer.example.org"}
    mine, theirs = run(url, ME, **there), run(url, OTHER, **there)
    id = mine["run"]["id"]
    assert listed(url, ME, **there) == [id]
    assert listed(url, OTHER, **there) == [theirs["run"]["id"]]
    assert id not in listed(url, ME)  # nor this machine's user
    for method, path, more in (
        ("GET", f"runs/{id}", {}),
        ("GET", f"runs/{id}/events", {}),
        ("POST", f"runs/{id}", {"json": {"starred": True}}),
        ("DELETE", f"runs/{id}", {}),
        ("POST", f"runs/{id}/restore", {}),
        ("GET", f"runs/{id}/save/zip", {}),
    ):
        for visitor in (OTHER, "1" * 32):
            answer = ask(url, method, path, visitor, **there, **more)
            assert answer.status_code == 404, (method, path, answer.text[:200])
        assert ask(url, method, path, "", **there, **more).status_code in (403, 404), path
    opened = ask(url, "GET", f"runs/{id}", ME, **there).json()
    assert opened["result"]["lanes"][0]["denoised"].startswith("kept/")
    assert run(url, OTHER, id=id, **there)["kept"]  # that an id is another's says nothing
    assert listed(url, ME, **there) == [id]
    assert ask(url, "DELETE", f"runs/{id}", OTHER, **there).status_code == 200
    assert ask(url, "GET", f"runs/{id}", ME, **there).json() == opened


def test_the_disk_knows_no_visitors_id(site, folder):
    assert not [path for path in folder.rglob("*") if ME in path.name or OTHER in path.name]
