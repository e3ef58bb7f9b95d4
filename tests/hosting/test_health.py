"""What a server says of itself: to everybody whether it works, to its operator how it is used."""

import re
from dataclasses import replace

import httpx
import pytest
from fake_engine import BROKEN, FakeEngine
from gradio.routes import App
from loops import finish

from explorer import ui
from explorer.byte_sizes import GIB
from explorer.hosting.access import Access
from explorer.hosting.admission import Admission
from explorer.hosting.health import health
from explorer.hosting.metrics import Metrics
from explorer.runs.problems import OUT_OF_MEMORY
from explorer.runtime.gpu_memory import GpuMemory
from explorer.settings import LaneSettings, Refused, RunSettings
from explorer.settings.limits import LIMITS

TOKEN = "token:a-secret-of-the-operator"
ME, RUN = "a" * 32, RunSettings(steps=4, prompt="a red sailboat, in secret")


def client(page, metrics: str = "off", address: str = "127.0.0.1", **headers) -> httpx.AsyncClient:
    """Asks a page's application, which listens nowhere, from an address."""
    options = ui.launch_options(access=Access(metrics=metrics))["app_kwargs"]
    app = App.create_app(page, app_kwargs=options)
    transport = httpx.ASGITransport(app, client=(address, 5000))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)


@pytest.fixture(scope="module")
def page():
    return ui.build(FakeEngine(pace=0.001), replace(LIMITS, steps=100))


async def follow(admission: Admission, settings: RunSettings) -> list:
    return [event async for event in admission.astream(settings, ME, "192.0.2.7")]


def values(admission: Admission) -> dict[str, float]:
    lines = admission.metrics.text().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line[0] != "#")
    return {name.removeprefix("sampler_explorer_"): float(value) for name, value in pairs}


def test_a_server_that_works_says_so_to_everybody(page):
    async def ask():
        async with client(page, address="203.0.113.9") as http:
            return await http.get("/healthz")

    answer = finish(ask())
    assert answer.status_code == 200
    said = answer.json()
    assert set(said) == {"status", "process", "model", "device", "queue"}
    assert said["status"] == "ok"
    assert said["device"] == {"name": "cpu", "busy": False}
    assert said["queue"] == {"under_way": 0}
    assert answer.headers["cache-control"] == "no-store"


def test_health_follows_the_model_the_queue_and_the_engine():
    engine = FakeEngine(pace=0.001)
    admission = Admission(engine)
    assert health(engine, admission)[1]["model"] == {"state": "not loaded"}
    engine.progress = f"Loading {BROKEN}", 0.5
    assert health(engine, admission)[1]["model"] == {"state": "loading"}
    engine.progress = "", None
    engine.resident = "bundled"

    async def during() -> dict:
        events = admission.astream(RUN, ME, "192.0.2.7")
        await anext(events)
        said = health(engine, admission)[1]
        await events.aclose()
        return said

    said = finish(during())
    assert said["queue"] == {"under_way": 1}
    assert said["device"]["busy"]
    assert said["model"] == {"state": "loaded"}
    assert not re.search("sailboat|192|bundled", str(said))
    assert health(engine, admission)[1]["queue"] == {"under_way": 0}
    engine.trouble = "ending"
    status, said = health(engine, admission)
    assert (status, said["status"]) == (503, "ending")


@pytest.mark.parametrize(
    ("choice", "address", "headers", "status"),
    [
        ("off", "127.0.0.1", {}, 404),
        ("local", "127.0.0.1", {}, 200),
        ("local", "203.0.113.9", {}, 404),
        ("local", "127.0.0.1", {"x-forwarded-for": "127.0.0.1"}, 404),
        (TOKEN, "203.0.113.9", {"authorization": "Bearer a-secret-of-the-operator"}, 200),
        (TOKEN, "127.0.0.1", {}, 404),
        (TOKEN, "127.0.0.1", {"authorization": "Bearer a-secret-of-the-operato"}, 404),
        (TOKEN, "127.0.0.1", {"authorization": "a-secret-of-the-operator"}, 404),
        (TOKEN, "127.0.0.1", {"authorization": "Bearer \xff"}, 404),
    ],
)
def test_figures_are_for_whom_the_operator_chose(page, choice, address, headers, status):
    async def ask():
        async with client(page, choice, address) as http:
            encoded = {name: value.encode("latin-1") for name, value in headers.items()}
            return await http.get("/metrics", headers=encoded)

    answer = finish(ask())
    assert answer.status_code == status
    assert ("sampler_explorer_runs" in answer.text) == (status == 200)


def test_a_space_tells_no_stranger_its_figures(page, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "owner/name")

    async def ask():
        async with client(page, "local") as http:
            return await http.get("/metrics")

    assert finish(ask()).status_code == 404


@pytest.mark.parametrize("path", ["/monitoring", "/monitoring/summary", "/monitoring/x"])
def test_gradios_own_monitoring_is_off(page, path):
    async def ask():
        async with client(page, "local") as http:
            return [await http.get(prefix + path) for prefix in ("", "/gradio_api")]

    for answer in finish(ask()):
        assert (answer.status_code, answer.text) == (404, "There is nothing here.")


def test_runs_are_counted_by_how_they_end():
    engine = FakeEngine(pace=0.001)
    admission = Admission(engine)
    # DPM2 makes 7 calls in 4 steps, Euler 4: two groups.
    lanes = LaneSettings(), LaneSettings(sampler="dpm2_a"), LaneSettings(sampler="euler")
    finish(follow(admission, RunSettings(steps=4, lanes=lanes)))
    finish(follow(admission, RunSettings(steps=8, prompt="[nan]")))
    with pytest.raises(RuntimeError):
        finish(follow(admission, RunSettings(steps=4, prompt="[boom]")))

    async def stopped() -> None:
        events = admission.astream(RUN)
        await anext(events)
        await events.aclose()

    finish(stopped())
    counted = values(admission)
    assert counted['runs_total{end="done"}'] == 1
    assert counted['runs_total{end="error"}'] == 1
    assert counted['runs_total{end="left"}'] == 2
    assert counted["calls_total"] == 11 + 7
    assert counted["call_seconds_count"] == 2
    assert 0.001 <= counted["call_seconds_sum"] / 2 < 10
    assert counted['errors_total{kind="run"}'] == 1
    assert counted["runs_under_way"] == 0
    assert counted["free_memory_bytes"] > 0
    assert "process_resident_memory_bytes" in counted
    assert not re.search("sailboat|secret|192|/", str(list(counted)))


def test_refusals_are_counted_by_limit():
    admission = Admission(FakeEngine(), replace(LIMITS, runs_per_minute=1))
    admission.admit(RUN, ME)
    for _ in range(2):
        with pytest.raises(Refused):
            admission.admit(RUN, ME)
    with pytest.raises(Refused):
        admission.astream(RUN, ME)
    assert values(admission)['refused_total{limit="runs_per_minute"}'] == 3


def test_errors_are_counted_by_kind():
    engine = FakeEngine()
    metrics = Metrics()
    event = finish(follow(Admission(engine), RunSettings(steps=8, prompt="[nan]")))[-1]
    metrics.ended(RUN, event, 1.0)
    metrics.ended(RUN, replace(event, message=OUT_OF_MEMORY), 1.0)
    metrics.ended(RUN, replace(event, worker_died=True), 1.0)
    text = metrics.text().decode()
    for kind in ("run", "memory", "worker"):
        assert f'errors_total{{kind="{kind}"}} 1.0' in text


def test_the_memory_of_each_gpu_is_among_the_figures():
    gpus = [GpuMemory(0, 3 * GIB, 80 * GIB)]
    metrics = Metrics(gpus=lambda: gpus)
    gpus.append(GpuMemory(1, 0, 24 * GIB))  # they are read when they are asked for
    lines = metrics.text().decode().splitlines()
    told = [line.removeprefix("sampler_explorer_gpu_memory_") for line in lines if "{gpu" in line]
    assert [(name, float(value)) for name, value in (each.split() for each in told)] == [
        ('used_bytes{gpu="0"}', 3 * GIB),
        ('used_bytes{gpu="1"}', 0),
        ('total_bytes{gpu="0"}', 80 * GIB),
        ('total_bytes{gpu="1"}', 24 * GIB),
    ]


def test_without_a_gpu_there_are_no_figures_of_one():
    assert b"gpu" not in Metrics(gpus=list).text()


def test_a_fault_of_an_answer_is_counted(page, monkeypatch):
    def broken(*_):
        raise RuntimeError("of the program")

    monkeypatch.setattr("explorer.hosting.settings_routes.make_link", broken)

    async def ask():
        async with client(page) as http:
            return await http.post("/settings/link", json={})

    before = values(page.admission).get('errors_total{kind="answer"}', 0)
    answer = finish(ask())
    assert answer.status_code == 500
    assert values(page.admission)['errors_total{kind="answer"}'] == before + 1
