"""The runs of a process by id: who sees them, who keeps them going, what stays of them."""

import asyncio
import threading
import time
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import replace
from functools import partial

import pytest
from fake_engine import FakeEngine
from loops import finish
from polling import wait_until_async

from explorer.records.errors import NotSaved
from explorer.runs.registry import NOT_KEPT, RunRegistry
from explorer.settings import RunSettings
from explorer.settings.limits import LIMITS
from explorer.views.plan import plan_payload
from explorer.views.progress import failure
from explorer.views.run import run_payloads

ID, OTHER = "0" * 31 + "1", "0" * 31 + "2"
SETTINGS = RunSettings(steps=4, seed=5, prompt="a tent")
SOON = replace(LIMITS, grace_s=0.3)
PATIENCE_S = 20
PLACE = ContextVar("PLACE", default="nowhere")


def started(engine, runs, id=ID, owner="me", session="page", settings=SETTINGS):
    """A run that the engine makes, under an id."""
    run = runs.open(id, owner, session)
    events = engine.astream(settings, run.cancel, listening=run.listening)
    plan = plan_payload(settings)
    runs.begin(run, plan, events, partial(run_payloads, keep=lambda data, name: name, plan=plan))
    return run


async def taken(run, reads=lambda: True) -> list[dict]:
    return [payload async for payload in run.watch(reads) if payload]


async def taken_until(run, wanted) -> dict:
    """The first payload that is wanted; its watcher leaves with it."""
    async with aclosing(run.watch()) as payloads:
        return await anext(payload async for payload in payloads if payload and wanted(payload))


def within(work):
    async def timed():
        async with asyncio.timeout(PATIENCE_S):
            return await work

    return finish(timed())


def test_a_run_goes_on_without_its_watcher_and_another_sees_it_end():
    engine, runs = FakeEngine(pace=0.05), RunRegistry()

    async def visit():
        run = started(engine, runs)
        await taken_until(run, lambda payload: payload["call"])
        assert not run.ended
        again = await taken(runs.get(ID, "me"))
        return again, await taken(runs.get(ID, "me"))

    again, later = within(visit())
    assert [lane["label"] for lane in again[0]["plan"]] == ["DPM2", "DPM2 a"]  # with its plan
    assert again[0]["call"] > 0
    assert again[-1]["state"] == "done"
    assert {each["id"] for each in again} == {ID}
    assert again[-1]["run"]["id"] == ID
    (last,) = later  # who comes after the end gets it at once
    assert last["plan"] and last["run"] == again[-1]["run"]


def test_all_watchers_get_the_end_and_a_slow_one_skips_what_came_meanwhile():
    engine, runs = FakeEngine(pace=0.02), RunRegistry()

    async def visit():
        run = started(engine, runs, settings=replace(SETTINGS, steps=20))
        fast = asyncio.create_task(taken(run))
        slow = []
        async for payload in run.watch():
            if payload:
                slow.append(payload)
                await asyncio.sleep(0.4)
        return await fast, slow

    fast, slow = within(visit())
    assert fast[-1] == slow[-1]
    assert fast[-1]["state"] == "done"
    assert len(slow) < len(fast)


def test_a_watcher_that_does_not_read_gets_nothing_but_the_first_and_the_last():
    engine, runs = FakeEngine(pace=0.02), RunRegistry()

    async def visit():
        run = started(engine, runs)
        read = asyncio.create_task(taken(run))
        return await taken(run, reads=lambda: False), await read

    unread, read = within(visit())
    assert len(unread) == 2 < len(read)
    assert unread[-1]["state"] == "done"


def test_a_run_that_everybody_has_left_is_stopped_after_the_grace_time():
    engine, runs = FakeEngine(), RunRegistry(SOON)
    engine.hold_at = 3

    async def visit():
        run = started(engine, runs)
        await taken_until(run, lambda payload: payload["call"] == 3)
        left = asyncio.get_running_loop().time()
        await wait_until_async(lambda: run.ended)
        assert asyncio.get_running_loop().time() - left > SOON.grace_s * 0.9
        return await taken(run)

    (last,) = within(visit())
    assert (last["state"], last["call"]) == ("cancelled", 3)
    assert not engine.queue.busy


def test_who_comes_back_in_time_keeps_the_run_going():
    engine, runs = FakeEngine(), RunRegistry(replace(SOON, grace_s=1))
    engine.hold_at = 3

    async def visit():
        run = started(engine, runs)
        for _ in range(4):
            await taken_until(run, lambda payload: True)
            await asyncio.sleep(0.4)
        assert not run.cancel.is_set()
        engine.hold_at = None
        return await taken(run)

    assert within(visit())[-1]["state"] == "done"


def test_a_queued_run_keeps_its_place_and_begins_while_its_page_is_away():
    engine, runs = FakeEngine(), RunRegistry()
    engine.no_listener_s = 0.2

    async def visit():
        with engine.lock:
            run = started(engine, runs)
            await taken_until(run, lambda payload: payload["state"] == "queued")
            await asyncio.sleep(3 * engine.no_listener_s)
            assert engine.queue.runs == 2  # the lock's, and this one
        await wait_until_async(lambda: run.ended)
        return await taken(run)

    assert within(visit())[-1]["state"] == "done"


def test_a_run_that_nobody_ever_watched_is_not_begun():
    engine, runs = FakeEngine(), RunRegistry(replace(SOON, grace_s=60))
    engine.no_listener_s = 0.3

    async def visit():
        run = started(engine, runs)
        await wait_until_async(lambda: run.ended)

    within(visit())
    assert engine.starts == []


def test_an_owner_sees_and_stops_only_what_is_hers():
    engine, runs = FakeEngine(), RunRegistry()
    engine.hold_at = 2

    async def visit():
        run = started(engine, runs)
        watching = asyncio.create_task(taken(run))
        await taken_until(run, lambda payload: payload["call"] == 2)
        assert runs.get(ID, "you") is None
        assert runs.recorded(ID, "you") is None
        assert not runs.stop(ID, "you")
        assert not run.cancel.is_set()
        assert runs.stop(ID, "me")
        return await watching

    assert within(visit())[-1]["state"] == "cancelled"
    assert runs.recorded(ID, "you") is None
    runs.forget(ID, "you")
    assert runs.recorded(ID, "me").id == ID
    runs.forget(ID, "me")
    assert runs.get(ID, "me") is None
    assert runs.nbytes == 0


def test_a_pages_new_run_ends_its_earlier_one_and_no_other():
    engine, runs = FakeEngine(), RunRegistry()
    engine.hold_at = 0

    async def visit():
        first, other = started(engine, runs), started(engine, runs, OTHER, session="other page")
        second = runs.open("", "me", "page")
        assert first.cancel.is_set()
        assert not other.cancel.is_set()
        assert not second.cancel.is_set()
        with pytest.raises(ValueError, match="this id"):
            runs.open(OTHER, "me", "third page")
        runs.fail(second, failure("It is refused."))
        other.cancel.set()
        await asyncio.gather(taken(first), taken(other))
        return await taken(second)

    (last,) = within(visit())
    assert last["message"] == "It is refused."
    assert len(last["id"]) == 32


def test_what_a_run_recorded_is_kept_in_a_thread_and_the_last_payload_says_so():
    kept = []

    def keep(run, owner):
        assert threading.current_thread() is not threading.main_thread()
        kept.append((run, owner))
        return "2 older runs were removed."

    runs = RunRegistry(keep=keep)

    async def visit():
        return await taken(started(FakeEngine(pace=0), runs))

    last = within(visit())[-1]
    ((run, owner),) = kept
    assert (run.id, owner, run.state, run.seed) == (ID, "me", "done", 5)
    assert [each.nfe for each in run] == [7, 7]
    assert set(run.lanes[0].sheets) == {"denoised", "noisy"}
    assert runs.recorded(ID, "me") is run
    assert (last["kept"], last["message"]) == (True, "2 older runs were removed.")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [(NotSaved("The disk is full."), "The disk is full."), (RuntimeError("/root/x"), NOT_KEPT)],
)
def test_a_run_that_could_not_be_kept_reaches_the_page(error, sentence):
    def keep(run, owner):
        raise error

    async def visit():
        return await taken(started(FakeEngine(pace=0), RunRegistry(keep=keep)))

    last = within(visit())[-1]
    assert (last["state"], last["kept"], last["message"]) == ("done", False, sentence)
    assert last["run"]["lanes"]


def test_a_run_without_a_call_is_not_kept():
    def keep(run, owner):
        raise AssertionError("there is nothing to keep")

    engine, runs = FakeEngine(), RunRegistry(keep=keep)
    engine.hold_at = 0

    async def visit():
        run = started(engine, runs)
        run.cancel.set()
        return await taken(run)

    last = within(visit())[-1]
    assert last["state"] == "cancelled"
    assert "kept" not in last


def test_of_the_runs_that_have_ended_the_newest_stay():
    many = RunRegistry(replace(LIMITS, kept_runs=2))
    large = RunRegistry(replace(LIMITS, kept_recordings_bytes=100))
    ids = [f"{at:032x}" for at in range(3)]

    async def visit(runs):
        for id in ids:
            await taken(started(FakeEngine(pace=0), runs, id))
        return [runs.recorded(id, "me") is not None for id in ids]

    assert within(visit(many)) == [False, True, True]
    assert many.nbytes > 2 * 100
    assert within(visit(large)) == [False, False, True]  # however large


def test_an_owner_of_many_runs_makes_room_before_the_others():
    runs = RunRegistry(replace(LIMITS, kept_runs=4))
    ids = [f"{at:032x}" for at in range(6)]

    async def visit():
        await taken(started(FakeEngine(pace=0), runs, ID, "victim"))
        for id in ids:
            await taken(started(FakeEngine(pace=0), runs, id, "stranger"))
        for number in range(20):  # a failure costs a stranger nothing
            runs.fail(runs.open("", f"another {number}", "page"), failure("No."))
        assert runs.get(ids[-1], "stranger")
        return runs.recorded(ID, "victim")

    assert within(visit()).id == ID


def test_an_id_says_nothing_of_another_owners_run():
    runs = RunRegistry()

    async def visit():
        await taken(started(FakeEngine(pace=0), runs, ID, "me"))
        await taken(started(FakeEngine(pace=0), runs, ID, "you", "other page"))
        with pytest.raises(ValueError, match="a run of this id already"):
            runs.open(ID, "me", "page")
        runs.forget(ID, "you")
        return runs.get(ID, "me"), runs.get(ID, "you")

    mine, theirs = within(visit())
    assert (mine.owner, theirs) == ("me", None)


def test_a_run_has_the_context_of_its_caller():
    seen = []

    class Reads(FakeEngine):
        async def astream(self, *arguments, **named):
            seen.append(PLACE.get())
            async for event in super().astream(*arguments, **named):
                yield event

    async def visit():
        PLACE.set("the handler's")
        await taken(started(Reads(pace=0), RunRegistry()))

    within(visit())
    assert seen == ["the handler's"]


def test_refused_runs_take_no_places_of_recorded_ones():
    runs = RunRegistry(replace(LIMITS, kept_runs=3))

    async def visit():
        await taken(started(FakeEngine(pace=0), runs))
        for at in range(20):
            runs.fail(runs.open("", "you", f"page {at}"), failure("It is refused."))

    within(visit())
    assert runs.recorded(ID, "me")


def test_the_programs_end_waits_for_what_is_being_kept():
    kept = []

    def keep(run, owner):
        time.sleep(0.5)
        kept.append(run.id)
        return ""

    engine, runs = FakeEngine(), RunRegistry(keep=keep)
    engine.hold_at = 2

    async def visit():
        assert runs.settle(0)
        run = started(engine, runs)
        await taken_until(run, lambda payload: payload["call"] == 2)
        assert not runs.settle(0.1)
        run.cancel.set()
        return await asyncio.to_thread(runs.settle, PATIENCE_S), list(kept)

    assert within(visit()) == (True, [ID])
