"""A run is taken away over HTTP: files, texts, animations; and nobody takes another's."""

import asyncio
import io
import itertools
import json
import os
import struct
import threading
import time
import zipfile
import zlib
from dataclasses import replace

import httpx
import pytest
from loops import finish
from made_runs import made_run, made_settings, made_trajectory
from PIL import Image
from polling import wait_until
from starlette.applications import Starlette
from starlette.middleware import Middleware

from explorer.hosting import animation_jobs, save_routes, saved_files
from explorer.hosting.animation_jobs import AnimationJobs
from explorer.hosting.request_limits import RequestLimits
from explorer.hosting.run_answers import Refused
from explorer.hosting.run_store import RunStore
from explorer.hosting.sentences import Sentences
from explorer.records import RecordedRun
from explorer.records.run import new_run_id
from explorer.records.zip_file import read_zip
from explorer.settings.limits import Limits, set_limits

ME, OTHER = "0123456789abcdef" * 2, "f" * 32
HOSTILE = '"; filename="a.exe"\r\nX-Evil: 1 ../../etc/passwd \u202e\U0001f6a2'


class Memory:
    """The runs of a process, as the registry has them."""

    def __init__(self):
        self.runs: dict[tuple[str, str], RecordedRun] = {}

    def recorded(self, id: str, owner: str) -> RecordedRun | None:
        return self.runs.get((id, owner))


class Site:
    """The routes as the app has them, behind its limits."""

    def __init__(self, folder):
        self.folder, self.memory = folder, Memory()
        self.store = RunStore(None, self.memory)
        middleware = [
            Middleware(Sentences),
            Middleware(RequestLimits, limits=Limits(), folder=folder),
        ]
        routes = save_routes.routes(lambda request: self.store)
        self.app = Starlette(routes=routes, middleware=middleware)

    def ask(self, path, method="GET", visitor=ME, host="example.org") -> httpx.Response:
        async def asked():
            transport = httpx.ASGITransport(self.app)
            headers = {"x-visitor": visitor} if visitor else {}
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
                return await client.request(method, path, headers=headers)

        answer = finish(asked())
        if answer.status_code >= 400:
            said = answer.json()  # the one or the other middleware's
            assert set(said) in ({"message"}, {"error", "detail"}), answer.text
            assert next(iter(said.values())).endswith(".")
        return answer

    def add(self, owner=ME, run=None, **more) -> str:
        run = replace(run or made_run(made_settings(**more)), id=new_run_id())
        self.memory.runs[run.id, owner] = run
        return run.id

    def ended(self, path: str, **more) -> dict:
        """An animation's last state."""
        for _ in range(400):
            job = self.ask(path, **more).json()
            if job["state"] not in ("waiting", "working"):
                return job
            time.sleep(0.02)
        raise AssertionError(job)


@pytest.fixture
def site(tmp_path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def limited():
    yield lambda **limits: set_limits(Limits(**limits))
    set_limits(Limits())


# --- files and texts -----------------------------------------------------------------------------


def test_each_file_is_the_runs_under_a_good_name(site):
    id = site.add()
    run = site.memory.runs[id, ME]
    answers = {
        kind: site.ask(f"/runs/{id}/save/{kind}")
        for kind in ("zip", "html", "csv", "png?lane=1", "scheduler?lane=1", "csv?lane=1")
    }
    for kind, answer in answers.items():
        assert answer.status_code == 200, kind
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "attachment; " in answer.headers["content-disposition"]
    names = [each.headers["content-disposition"].split('"')[1] for each in answers.values()]
    base = "sampler-explorer-a-red-boat-evening-low-sun-7"
    assert names == [
        *(f"{base}.zip", f"{base}.html", f"{base}.csv", f"{base}-b.png"),
        *(f"{base}-b-scheduler_config.json", f"{base}-b.csv"),
    ]
    opened = read_zip(io.BytesIO(answers["zip"].content))
    assert opened.id == id
    assert answers["zip"].headers["content-length"] == str(len(answers["zip"].content))
    with zipfile.ZipFile(io.BytesIO(answers["zip"].content)) as archive:
        assert any(name.endswith("/reproduce.py") for name in archive.namelist())
    assert answers["html"].content.startswith(b"<!doctype html>")
    assert answers["png?lane=1"].content == run.lanes[1].picture
    assert json.loads(answers["scheduler?lane=1"].content)["eta"] == 0.8
    rows = answers["csv"].text.splitlines()
    assert answers["csv?lane=1"].text.splitlines() == [rows[0], *rows[6:]]


def test_texts_to_copy(site):
    id = site.add()
    for kind, inside in {
        "python?lane=1": "diffusers' KDPM2AncestralDiscreteScheduler has no such argument",
        "json": '"prompt": "a red boat',
        "a1111?lane=1": "Sampler: DPM2 a, Schedule type: Karras",
        "comfyui?lane=0": "14.61",
    }.items():
        answer = site.ask(f"/runs/{id}/save/{kind}")
        assert answer.status_code == 200
        assert inside in answer.json()["text"]
        assert bool(answer.json()["missing"]) == kind.startswith("python")


def test_a_hostile_prompt_changes_no_header(site):
    id = site.add(prompt=HOSTILE.replace("\r\n", "\n"))
    for kind in ("zip", "html", "csv", "png"):
        answer = site.ask(f"/runs/{id}/save/{kind}")
        disposition = answer.headers["content-disposition"]
        assert disposition.startswith('attachment; filename="sampler-explorer-filename-a-exe-x-')
        assert "x-evil" not in answer.headers
        assert disposition.isascii()


def test_what_there_is_not_is_a_sentence(site):
    id = site.add()
    for path in (
        "exe",
        "png?lane=2",
        "png?lane=-1",
        "png?lane=\u0661",
        "png?lane=0000000",
        "png?lane=a",
    ):
        assert site.ask(f"/runs/{id}/save/{path}").status_code == 404
    for wrong in ("0" * 32, "a%5c..%5cb", "a%00b", "x" * 500, ME):
        assert site.ask(f"/runs/{wrong}/save/zip").status_code == 404
    settings = made_settings()
    empty = replace(made_trajectory(settings, 0), calls=(), final=None, images=None)
    stopped = site.add(run=RecordedRun.of([empty], state="cancelled"))
    assert "ended before it was made" in site.ask(f"/runs/{stopped}/save/png").json()["message"]
    assert site.ask(f"/runs/{stopped}/save/zip").status_code == 200
    assert site.ask(f"/runs/{stopped}/save/webp", "POST").status_code == 422


def test_settings_of_another_version_are_a_sentence(site):
    run = made_run()
    id = site.add(run=replace(run, settings={**run.settings, "of tomorrow": 1}))
    for kind in ("python", "scheduler"):
        answer = site.ask(f"/runs/{id}/save/{kind}")
        assert answer.status_code == 422
        assert "'of tomorrow' is not a setting" in answer.json()["message"]
    for kind in ("zip", "html", "json", "comfyui"):
        assert site.ask(f"/runs/{id}/save/{kind}").status_code == 200


@pytest.mark.parametrize("part", ["write_zip", "tempfile.TemporaryFile"])
def test_a_full_disk_is_a_sentence(site, monkeypatch, part):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"{saved_files.__name__}.{part}", full)
    answer = site.ask(f"/runs/{site.add()}/save/zip")
    assert answer.status_code == 507
    assert "the disk is full" in answer.json()["message"]


def test_a_strangers_numbers_and_pictures_are_sentences_or_left_out(site):
    run = made_run()
    calls = tuple(replace(call, sigma=float("nan")) for call in run[0].calls)
    odd = replace(run.lanes[0], trajectory=replace(run[0], calls=calls))
    id = site.add(run=replace(run, lanes=(odd,)))
    for path, method in (("html", "GET"), ("webp", "POST")):
        answer = site.ask(f"/runs/{id}/save/{path}", method)
        assert answer.status_code == 422
        assert answer.json()["message"] == "The noise levels of this run are not numbers."
    for picture in (b"\x89PNG no", bomb()):
        lane = replace(run.lanes[0], picture_file=picture)
        other = site.add(run=replace(run, lanes=(lane,)))
        job = site.ask(f"/runs/{other}/save/webp", "POST").json()["job"]
        assert site.ended(f"/runs/{other}/save/jobs/{job}")["state"] == "done"


def bomb() -> bytes:
    """A PNG that says it has 10^9 pixels."""
    data = io.BytesIO()
    Image.new("1", (8, 8)).save(data, "PNG")
    head = bytearray(data.getvalue())
    head[16:24] = struct.pack(">2I", 40_000, 30_000)
    head[29:33] = struct.pack(">I", zlib.crc32(bytes(head[12:29])))
    return bytes(head)


def test_a_visitor_who_asks_for_much_at_once_waits_and_others_do_not(site, limited, monkeypatch):
    limited(exports=1, exports_per_visitor=2)
    site = Site(site.folder)
    go = threading.Event()
    monkeypatch.setitem(
        saved_files.FILES, "html", lambda run, lane: go.wait(20) and saved_files._html(run, lane)
    )
    id, other = site.add(), site.add(OTHER)

    async def asked():
        transport = httpx.ASGITransport(site.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://example.org") as client:
            path = f"/runs/{id}/save/html"
            mine = [
                asyncio.create_task(client.get(path, headers={"x-visitor": ME})) for _ in range(3)
            ]
            while not any(task.done() for task in mine):
                await asyncio.sleep(0.01)
            refused = [task.result().status_code for task in mine if task.done()]
            theirs = asyncio.create_task(
                client.get(f"/runs/{other}/save/csv", headers={"x-visitor": OTHER})
            )
            await asyncio.sleep(0.05)
            go.set()
            answers = [(await task).status_code for task in mine]
            return refused, answers, (await theirs).status_code

    refused, answers, theirs = finish(asked())
    assert refused == [429]
    assert sorted(answers) == [200, 200, 429]
    assert theirs == 200


def test_an_address_with_many_visitors_has_few_places_for_animations_too(
    site, limited, monkeypatch
):
    """Numbers of visitors are free: thousands could wait before everybody else's files."""
    limited(exports=1, downloads_per_address=2)
    site = Site(site.folder)
    go = threading.Event()
    monkeypatch.setitem(
        saved_files.FILES, "html", lambda run, lane: go.wait(20) and saved_files._html(run, lane)
    )
    visitors = [f"{number:032x}" for number in range(3)]
    ids = [site.add(visitor) for visitor in visitors]

    async def asked():
        transport = httpx.ASGITransport(site.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://example.org") as client:

            def ask(number: int, method: str, kind: str):
                headers = {"x-visitor": visitors[number]}
                return client.request(method, f"/runs/{ids[number]}/save/{kind}", headers=headers)

            held = [asyncio.create_task(ask(0, "GET", "html"))]
            held.append(asyncio.create_task(ask(1, "POST", "webp")))
            await asyncio.sleep(0.05)
            refused = await asyncio.wait_for(ask(2, "POST", "webp"), 5)
            go.set()
            return refused.status_code, [(await task).status_code for task in held]

    assert finish(asked()) == (429, [200, 200])


# --- whose runs ----------------------------------------------------------------------------------


def test_files_asked_for_without_end_leave_time_to_runs(tmp_path, limited, monkeypatch):
    limited(exports=1)
    busy = []

    def slow(run, lane):
        began = time.monotonic()
        time.sleep(0.1)
        busy.append((began, time.monotonic()))
        return saved_files.TEXTS["json"](run, lane)

    monkeypatch.setitem(saved_files.FILES, "csv", slow)
    site = Site(tmp_path)
    id = site.add()
    for _ in range(3):
        assert site.ask(f"/runs/{id}/save/csv").status_code == 200
    assert all(later[0] - one[1] > 0.29 for one, later in itertools.pairwise(busy))


def test_another_visitor_gets_none_of_it(site):
    id = site.add(ME)
    job = site.ask(f"/runs/{id}/save/webp", "POST").json()["job"]
    wrong = [OTHER, "", "../" + ME, ME.upper(), ME + "0"]
    for visitor in wrong:
        status = 404 if visitor == OTHER else 403
        for kind in (*saved_files.FILES, *saved_files.TEXTS, f"jobs/{job}", f"jobs/{job}/file"):
            assert site.ask(f"/runs/{id}/save/{kind}", visitor=visitor).status_code == status
        assert site.ask(f"/runs/{id}/save/webp", "POST", visitor=visitor).status_code == status
        gone = site.ask(f"/runs/{id}/save/jobs/{job}", "DELETE", visitor=visitor)
        assert gone.status_code == status
    other = site.add(OTHER)
    assert site.ask(f"/runs/{other}/save/jobs/{job}", visitor=OTHER).status_code == 404
    assert site.ended(f"/runs/{id}/save/jobs/{job}")["state"] == "done"


# --- animations ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["webp", "mp4"])
def test_an_animation_is_made_in_the_background_and_fetched(site, kind):
    id = site.add()
    begun = site.ask(f"/runs/{id}/save/{kind}?lane=0&cursor=0", "POST")
    assert begun.status_code == 200
    job = f"/runs/{id}/save/jobs/{begun.json()['job']}"
    ended = site.ended(job)
    assert (ended["state"], ended["count"], ended["message"]) == ("done", 6, "")
    file = site.ask(f"{job}/file")
    assert file.headers["content-type"] == save_routes.ANIMATIONS[kind]
    assert file.headers["content-disposition"].endswith(f'-7-a.{kind}"')
    if kind == "webp":
        with Image.open(io.BytesIO(file.content)) as image:
            assert (image.n_frames, image.size) == (6, (16, 16))
    assert site.ask(job, "DELETE").status_code == 200
    assert site.ask(f"{job}/file").status_code == 404


def test_without_the_package_mp4_is_refused_with_the_reason(site, monkeypatch):
    monkeypatch.setattr("explorer.records.exports.animation.find_spec", lambda name: None)
    answer = site.ask(f"/runs/{site.add()}/save/mp4", "POST")
    assert answer.status_code == 501
    assert "imageio-ffmpeg" in answer.json()["message"]


def test_wrong_requests_are_sentences(site):
    id = site.add()
    assert site.ask(f"/runs/{id}/save/gif", "POST").status_code == 404
    assert site.ask(f"/runs/{id}/save/webp?view=secret", "POST").status_code == 422
    assert site.ask(f"/runs/{id}/save/webp?lane=9", "POST").status_code == 404
    assert site.ask(f"/runs/{id}/save/jobs/{'0' * 32}").status_code == 404


class Held:
    """Work that goes on until it is let go, one picture after the other."""

    def __init__(self):
        self.go = threading.Event()
        self.begun = threading.Event()

    def __call__(self, path, progress) -> None:
        self.begun.set()
        for done in range(10_000):
            progress(done, 10_000)
            if self.go.wait(0.002):
                break
        path.write_bytes(b"made")


def begun(jobs: AnimationJobs, work, owner=ME):
    return jobs.start(owner, "run", "a.webp", "image/webp", work)


def test_one_is_made_at_a_time_and_a_visitor_has_few(limited):
    limited(animations=1, animations_per_visitor=2, waiting_animations=3)
    jobs, works = AnimationJobs(), [Held() for _ in range(4)]
    first, second = (begun(jobs, work) for work in works[:2])
    assert works[0].begun.wait(5) or works[1].begun.wait(5)
    assert {first.state, second.state} == {"working", "waiting"}
    with pytest.raises(Refused):
        begun(jobs, works[2])
    begun(jobs, works[2], OTHER)
    with pytest.raises(Refused):
        begun(jobs, works[3], "1" * 32)
    for work in works:
        work.go.set()
    wait_until(lambda: first.is_over and second.is_over)
    assert first.path.read_bytes() == b"made"
    begun(jobs, works[3])  # an older one makes room
    assert sum(jobs.get(each.id, ME, "run") is not None for each in (first, second)) == 1


def test_an_address_with_many_visitors_has_few_animations(limited):
    limited(animations_per_address=2)
    jobs, works = AnimationJobs(), [Held() for _ in range(3)]
    for number, work in enumerate(works[:2]):
        jobs.start(f"visitor {number}", "run", "a.webp", "image/webp", work, "stranger")
    with pytest.raises(Refused):
        jobs.start("visitor 2", "run", "a.webp", "image/webp", works[2], "stranger")
    mine = jobs.start(ME, "run", "a.webp", "image/webp", works[2], "mine")
    for work in works:
        work.go.set()
    wait_until(lambda: mine.state == "done")


def test_cancelling_ends_the_work_and_leaves_no_file():
    jobs, work = AnimationJobs(), Held()
    job = begun(jobs, work)
    assert work.begun.wait(5)
    folder = job.folder.name
    jobs.drop(job)
    wait_until(lambda: job.is_over)
    assert job.state == "cancelled"
    assert jobs.get(job.id, ME, "run") is None
    wait_until(lambda: not os.path.exists(folder))


def test_what_nobody_asks_about_is_given_up_and_what_nobody_fetches_is_deleted(limited):
    limited(keep_animations_s=60)
    now = 0.0
    jobs, work = AnimationJobs(lambda: now), Held()
    job = begun(jobs, work)
    assert work.begun.wait(5)
    now = animation_jobs.PATIENCE_S + 1.0
    wait_until(lambda: job.is_over)
    assert job.state == "cancelled"
    work.go.set()
    made = begun(jobs, work)
    wait_until(lambda: made.is_over)
    path = made.path
    assert path.exists()
    now += 61
    assert jobs.get(made.id, ME, "run") is None
    assert not path.exists()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RuntimeError("in /srv/secret"), animation_jobs.BROKEN),
        (OSError(5, "Input/output error: /srv/secret"), animation_jobs.BROKEN),
        (
            OSError(28, "No space left", "/srv/secret"),
            "The animation was not made: the disk is full",
        ),
    ],
)
def test_a_failure_is_a_sentence_without_paths(error, sentence):
    def broken(path, progress):
        raise error

    job = begun(AnimationJobs(), broken)
    wait_until(lambda: job.is_over)
    assert job.state == "error"
    assert job.message.startswith(sentence)
    assert "secret" not in job.message
    assert job.folder is None
