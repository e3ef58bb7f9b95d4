"""Runs behind the border, with backends that are in this process: who is served, what is told."""

import asyncio
import queue
import threading
from contextvars import ContextVar

import pytest
from loops import everything, finish
from near_backend import CALL_S, GONE, NearBackend
from polling import wait_until

from explorer.hosting.workers import shipped_runs
from explorer.hosting.workers.backend import BackendError, WorkerDied
from explorer.hosting.workers.border import Learned
from explorer.hosting.workers.border_engine import BorderEngine
from explorer.models.catalog import Catalog, ModelError
from explorer.runs.events import Cancelled, Denoising, Ended, Failed, Finished, Queued
from explorer.settings import RunSettings, SettingsError
from explorer.settings.limits import Limits

STEPS = {"steps": 3, "seed": 5}


def engine_of(*backends: NearBackend, **options) -> BorderEngine:
    return BorderEngine(Catalog(("bundled",)), backends, **options)


def settings(prompt: str = "a boat", **more) -> RunSettings:
    return RunSettings(prompt=prompt, **STEPS | more)


async def all_of(engine: BorderEngine, run: RunSettings, **options) -> list:
    return [event async for event in engine.astream(run, **options)]


def test_a_run_crosses_the_border_whole():
    engine = engine_of(NearBackend())
    first, *events, last = everything(engine.astream(settings()))
    assert isinstance(first, Queued)
    assert {type(event) for event in events} <= {Queued, Denoising}
    assert isinstance(last, Finished)
    assert [each.nfe for each in last.trajectories] == [5, 5]
    assert {event.seed for event in (first, *events, last)} == {5}
    assert engine.resident == "bundled"
    assert engine.estimate(settings()).seconds_a_call == pytest.approx(CALL_S)


def test_freed_memory_goes_back_to_the_system_after_each_run(monkeypatch):
    trimmed = queue.Queue()
    monkeypatch.setattr(shipped_runs, "trim", lambda: trimmed.put("trimmed"))
    engine = engine_of(NearBackend())
    for _ in range(2):
        everything(engine.astream(settings()))
        assert trimmed.get(timeout=30) == "trimmed"
    assert trimmed.empty()


def test_an_open_seed_is_drawn_once_for_both_sides():
    first, *_, last = everything(engine_of(NearBackend()).astream(settings(seed=-1)))
    assert 0 <= first.seed == last.seed == last.trajectories[0].settings["seed"]


def test_as_many_runs_go_on_as_there_are_backends_in_their_order():
    backends = NearBackend(pace=0.05), NearBackend(pace=0.05)
    engine = engine_of(*backends)

    async def crowd() -> list:
        runs = [asyncio.ensure_future(all_of(engine, settings(str(at)))) for at in range(6)]
        return await asyncio.gather(*runs)

    ends = [events[-1] for events in finish(crowd())]
    assert all(isinstance(end, Finished) for end in ends)
    served = [backend.runs for backend in backends]
    assert sorted(map(len, served)) == [3, 3]
    assert all(runs == sorted(runs) for runs in served)


def test_a_run_is_given_to_a_free_backend_that_has_its_model():
    backends = NearBackend(), NearBackend()
    engine = engine_of(*backends)
    backends[1]._learn("bundled")
    everything(engine.astream(settings()))
    assert [len(backend.runs) for backend in backends] == [0, 1]


@pytest.mark.parametrize("call", [1, 3])
def test_a_backend_that_is_gone_costs_the_run_and_no_other(call):
    backend = NearBackend(pace=0.1)
    backend.dies_at = call
    engine = engine_of(backend)
    *_, last = everything(engine.astream(settings()))
    assert isinstance(last, Failed)
    assert last.message == GONE
    assert last.worker_died
    assert last.trajectories == ()
    assert last.call == call  # as far as it was told, with its newest pictures
    assert all(last.previews)
    backend.dies_at = None
    *_, last = everything(engine.astream(settings()))
    assert isinstance(last, Finished)


def test_a_backend_that_says_nothing_of_the_end_is_a_failure():
    backend = NearBackend()
    backend.run = lambda settings, stopping: iter(())
    *_, last = everything(engine_of(backend).astream(settings()))
    assert isinstance(last, Failed)
    assert "without a last word" in last.message
    assert last.worker_died


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModelError("It is cut."), "It is cut."),
        (WorkerDied(GONE), GONE),
        (ValueError("a fault"), "unexpectedly (ValueError: a fault)"),
    ],
)
def test_a_download_that_fails_ends_its_run_whatever_the_error(error, said):
    def fail(names, stopping):
        raise error

    backend = NearBackend()
    backend.fetch = fail
    engine = BorderEngine(Catalog(("bundled", "owner/name")), [backend])
    *_, last = everything(engine.astream(settings(model="owner/name")))
    assert isinstance(last, Failed)
    assert said in last.message
    assert not engine.queue.busy
    assert isinstance(everything(engine.astream(settings()))[-1], Finished)


@pytest.mark.parametrize("error", [BackendError("It is full."), RuntimeError("a fault")])
def test_a_backend_that_refuses_or_is_at_fault_has_not_died(error):
    def fail(settings, stopping):
        raise error
        yield

    backend = NearBackend()
    backend.run = fail
    *_, last = everything(engine_of(backend).astream(settings()))
    assert isinstance(last, Failed)
    assert not last.worker_died


def test_a_run_is_stopped_while_it_waits_and_while_it_goes_on():
    engine = engine_of(NearBackend(pace=0.1))

    async def both() -> list:
        cancels = threading.Event(), threading.Event()
        first = asyncio.ensure_future(all_of(engine, settings(steps=50), cancel=cancels[0]))
        second = asyncio.ensure_future(all_of(engine, settings(), cancel=cancels[1]))
        await asyncio.sleep(0.5)
        cancels[1].set()
        waited = await second
        assert not first.done()
        cancels[0].set()
        return [await first, waited]

    first, second = finish(both())
    assert isinstance(first[-1], Cancelled) and first[-1].trajectories
    assert isinstance(second[-1], Cancelled) and not any(
        each.calls for each in second[-1].trajectories
    )
    assert not engine.queue.busy
    assert isinstance(everything(engine.astream(settings()))[-1], Finished)


def test_a_stream_that_is_closed_gives_its_backend_back():
    engine = engine_of(NearBackend(pace=0.1))

    async def leave() -> None:
        events = engine.astream(settings(steps=100))
        async for event in events:
            if isinstance(event, Denoising):
                break
        await events.aclose()

    finish(leave())
    wait_until(lambda: not engine.queue.busy, 10)


def test_it_is_called_in_the_context_of_the_handler():
    whose = ContextVar("whose", default="nobody's")
    backend, seen = NearBackend(), []
    run = backend.run
    backend.run = lambda *arguments: seen.append(whose.get()) or run(*arguments)

    async def ask() -> None:
        whose.set("hers")
        await all_of(engine_of(backend), settings())

    finish(ask())
    assert seen == ["hers"]


def test_a_full_queue_and_unknown_models_are_sentences():
    engine = engine_of(NearBackend(pace=0.1), limits=Limits(waiting_runs=1))

    async def three() -> list:
        runs = [asyncio.ensure_future(all_of(engine, settings())) for _ in range(3)]
        return [events[-1] for events in await asyncio.gather(*runs)]

    ends = finish(three())
    assert [type(end) for end in ends] == [Finished, Finished, Failed]
    assert "1 run is waiting" in ends[-1].message
    for field in ("model", "refiner"):
        with pytest.raises(SettingsError) as caught:
            engine.astream(settings(**{field: "nobody/knows"}))
        assert caught.value.name == field


def test_a_model_is_loaded_by_the_first_free_backend_and_told_of():
    engine = engine_of(NearBackend(), NearBackend())
    assert engine.resident == ""
    engine.load()
    assert engine.resident == "bundled"
    assert sum(bool(each.learned.resident) for each in engine.backends) == 1
    engine.load_everywhere()
    assert all(each.learned.resident == "bundled" for each in engine.backends)

    def fail(name: str, stopping) -> None:
        raise ModelError("It is cut.")

    for backend in engine.backends:
        backend.learned, backend.load = Learned(), fail
    with pytest.raises(ModelError, match="cut"):
        engine.load()
    assert not engine.queue.busy


def test_what_the_page_asks_of_a_loaded_model_crosses_the_border():
    engine = engine_of(NearBackend())
    prompt = "a boat " * 20
    assert engine.facts.unread(prompt) == ""  # not in memory
    assert engine.memory_use(settings()) == ""
    assert engine.facts.identity() is not None  # read from its files
    engine.load()
    assert engine.facts.unread(prompt) == prompt[77:]
    assert engine.memory_use(settings()) == "3 MiB"


def test_closing_ends_runs_and_backends():
    backend = NearBackend(pace=0.1)
    engine = engine_of(backend)
    ends: list[Ended] = []

    async def run_and_close() -> None:
        run = asyncio.ensure_future(all_of(engine, settings(steps=100)))
        await asyncio.sleep(0.5)
        assert await asyncio.to_thread(engine.close, 5.0)
        ends.append((await run)[-1])
        ends.append((await all_of(engine, settings()))[-1])

    finish(run_and_close())
    assert all(isinstance(end, Cancelled) for end in ends)
    assert backend.closed
