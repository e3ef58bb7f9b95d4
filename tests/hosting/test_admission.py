"""Which runs a server takes: of a size, of a visitor, of an address, and of all together."""

import asyncio
import pickle
import threading
import time
from contextlib import aclosing
from dataclasses import replace

import pytest
from fake_engine import FakeEngine, event
from loops import finish

from explorer.hosting.admission import Admission
from explorer.models.families import FAMILIES, Identity
from explorer.runs.paces import Estimate
from explorer.settings import LaneSettings, Refused, RunSettings
from explorer.settings.limits import HOST, SPACE, Limits

RUN = RunSettings(steps=5)


class Clock:
    """Seconds, as a test sets them."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def door(pace: float = 0.001, **limits) -> tuple[Admission, Clock, FakeEngine]:
    clock, engine = Clock(), FakeEngine(pace)
    return Admission(engine, Limits(**limits), clock), clock, engine


def refusal(admission: Admission, *arguments) -> Refused:
    with pytest.raises(Refused) as caught:
        admission.admit(*arguments)
    return caught.value


def test_a_run_that_would_take_too_long_is_refused_with_its_time_and_the_limit():
    admission, _, engine = door(run_s=600)
    engine.estimate = lambda settings: Estimate(2040, 1, "load")
    refused = refusal(admission, RUN, "ada", "192.0.2.1")
    assert str(refused) == (
        "This run would take about 34 minutes; this server allows 10. Fewer steps, lanes or pixels "
        "make it shorter."
    )
    assert (refused.limit, refused.field, refused.status) == ("run_s", "steps", 422)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (601, "take about 601 seconds; this server allows 600."),
        (20_000, "take about 6 hours; this server allows 10 minutes."),
    ],
)
def test_a_time_near_the_limit_or_far_beyond_it_differs_from_it_in_words(seconds, words):
    admission, _, engine = door(run_s=600)
    engine.estimate = lambda settings: Estimate(seconds, 1, "load")
    assert words in str(refusal(admission, RUN))


def test_a_run_is_taken_whose_time_is_allowed_or_unknown_or_has_no_limit():
    for limits, seconds in (({"run_s": 600}, 600.0), ({"run_s": 600}, None), ({}, 1e6)):
        admission, _, engine = door(**limits)
        engine.estimate = lambda settings, seconds=seconds: Estimate(seconds)
        admission.admit(RUN, "ada", "192.0.2.1")


def test_a_batch_that_takes_too_long_may_be_made_smaller_too():
    admission, _, engine = door(run_s=600)
    engine.estimate = lambda settings: Estimate(2040, 1, "load")
    refused = refusal(admission, replace(RUN, batch_size=2))
    assert "Fewer steps, lanes, pixels or pictures make it shorter." in str(refused)


def test_a_models_own_size_is_within_the_limit_of_a_picture():
    admission, _, engine = door(side=512)
    big = Identity(FAMILIES["sdxl"], 1024, 1024, {}, {})
    engine.facts.identity = lambda name="": big
    refused = refusal(admission, RUN)
    assert str(refused) == (
        "A picture's longer side may be at most 512 on this server; the model's own is 1024: set "
        "width and height."
    )
    assert (refused.limit, refused.status) == ("side", 422)
    admission.admit(replace(RUN, width=512, height=512))


def test_a_visitor_may_begin_so_many_runs_a_minute_and_others_too():
    admission, clock, _ = door(runs_per_minute=3)
    for _ in range(3):
        admission.admit(RUN, "ada", "192.0.2.1")
    refused = refusal(admission, RUN, "ada", "192.0.2.1")
    assert str(refused) == (
        "This server starts at most 3 runs a minute for a visitor, and has started as many: try "
        "again in 20 seconds."
    )
    assert (refused.limit, refused.status, refused.wait_s) == ("runs_per_minute", 429, 20)
    admission.admit(RUN, "bea", "192.0.2.1")
    clock.now += 19.9
    refusal(admission, RUN, "ada", "192.0.2.1")  # a refusal counts for nothing
    clock.now += 0.2
    admission.admit(RUN, "ada", "192.0.2.1")


def test_visitors_of_one_address_share_what_it_may_begin():
    admission, _, _ = door(runs_per_minute_per_address=2)
    for name in ("ada", "bea"):
        admission.admit(RUN, name, "192.0.2.1")
    refused = refusal(admission, RUN, "cleo", "192.0.2.1")
    assert refused.limit == "runs_per_minute_per_address"
    assert "for a network address" in str(refused)
    admission.admit(RUN, "cleo", "192.0.2.2")


def test_the_devices_time_is_counted_as_it_was_used_whatever_was_estimated():
    admission, clock, engine = door(device_s_per_minute=40)
    engine.estimate = lambda settings: Estimate(1e6, 1, "load")

    async def a_run(took: float) -> None:
        async def events(*_, **more):
            clock.now += took
            yield event("done", RUN, elapsed=took)

        engine.astream = events
        async for _ in admission.astream(RUN, "ada"):
            pass

    finish(a_run(60))  # 20 more than drained meanwhile
    admission.admit(RUN, "ada")
    finish(a_run(90))  # and 30 more
    refused = refusal(admission, RUN, "ada")
    assert (refused.limit, refused.status) == ("device_s_per_minute", 429)
    assert "Your runs may use this server's device for 40 seconds a minute" in str(refused)
    admission.admit(RUN, "bea")
    assert refused.wait_s == pytest.approx(15)
    clock.now += 15.1
    admission.admit(RUN, "ada")


def test_frames_in_full_size_count_as_the_devices_time():
    admission, clock, _ = door(device_s_per_minute=40, device_s_per_minute_per_address=50)

    def make_frames(visitor: str, seconds: float) -> None:
        clock.now += seconds
        admission.count_frames(visitor, "192.0.2.1", seconds)

    make_frames("ada", 59)  # of which 40 of 60 drain: half of what a minute has is not used up yet
    assert admission.frames_wait_s("ada", "192.0.2.1") == 0
    make_frames("ada", 4)
    assert admission.frames_wait_s("ada", "192.0.2.1") == pytest.approx(1.5)
    assert admission.frames_wait_s("bea", "192.0.2.1") == 0
    admission.admit(RUN, "ada", "192.0.2.1")  # there is room for a run
    for visitor in "bcdef":  # a visitor's number is free
        make_frames(visitor, 18)
    assert admission.frames_wait_s("new", "192.0.2.1") == pytest.approx(0.6)
    assert admission.frames_wait_s("new", "192.0.2.2") == 0
    make_frames("ada", 130)
    assert refusal(admission, RUN, "ada", "192.0.2.1").limit == "device_s_per_minute"


def test_where_there_is_no_limit_frames_wait_for_nothing():
    admission, _, _ = door()
    admission.count_frames("ada", "192.0.2.1", 1e6)
    assert admission.frames_wait_s("ada", "192.0.2.1") == 0


def test_a_shared_host_has_no_limit_for_an_address_that_a_whole_classroom_may_have():
    assert Limits.for_place(HOST).device_s_per_minute_per_address == 0


def test_an_address_with_a_limit_leaves_others_some_of_the_device():
    """Whatever number its visitors have."""
    admission, _, engine = door(device_s_per_minute_per_address=55)
    engine.hold_at = 0
    engine.estimate = lambda settings: Estimate(40, 1, "load")

    async def work() -> Refused:
        runs = [admission.astream(RUN, visitor, "192.0.2.1") for visitor in ("ada", "bea")]
        with pytest.raises(Refused) as caught:
            admission.astream(RUN, "cleo", "192.0.2.1")
        runs.append(admission.astream(RUN, "dora", "192.0.2.2"))
        for each in runs:
            await each.aclose()
        return caught.value

    assert finish(work()).limit == "device_s_per_minute_per_address"


def test_what_waits_counts_as_the_devices_time_that_it_will_take():
    """Else an address, whose visitors' numbers are free, has a queue of an hour on a Space."""
    admission, _, engine = door(device_s_per_minute_per_address=50, waiting_runs=99)
    engine.hold_at = 0
    engine.estimate = lambda settings: Estimate(180, 1, "load")

    async def work() -> Refused:
        first = admission.astream(RUN, "ada", "192.0.2.1")
        other = admission.astream(RUN, "bea", "192.0.2.2")
        with pytest.raises(Refused) as caught:
            admission.astream(RUN, "cleo", "192.0.2.1")
        await other.aclose()
        await first.aclose()
        return caught.value

    refused = finish(work())
    assert (refused.limit, refused.status) == ("device_s_per_minute_per_address", 429)
    assert (
        "Runs from your network address may use this server's device for 50 seconds a minute"
        in str(refused)
    )
    assert "those under way take longer" in str(refused)
    assert refused.wait_s == pytest.approx(156)


def test_what_waits_is_limited_for_everybody_a_visitor_and_an_address():
    def full(**limits) -> Refused:
        admission, _, engine = door(**limits)
        engine.hold_at = 0

        async def work() -> Refused:
            first = admission.astream(RUN, "ada", "192.0.2.1")
            second = admission.astream(RUN, "ada", "192.0.2.1")
            with pytest.raises(Refused) as caught:
                admission.astream(RUN, "ada", "192.0.2.1")
            await second.aclose()
            await first.aclose()
            return caught.value

        return finish(work())

    refused = full(waiting_runs=1)
    assert str(refused) == (
        "1 run is waiting for this server already, and it takes no more: try again in a while."
    )
    assert (refused.limit, refused.status) == ("waiting_runs", 429)
    refused = full(waiting_runs_per_visitor=1)
    assert str(refused).startswith("You have a run under way and 1 waiting")
    assert refused.limit == "waiting_runs_per_visitor"
    refused = full(waiting_runs_per_visitor=9, waiting_runs_per_address=2)
    assert "2 runs from your network address" in str(refused)
    assert refused.limit == "waiting_runs_per_address"


def test_a_place_is_free_again_however_a_run_ends():
    admission, _, engine = door(waiting_runs=1, waiting_runs_per_visitor=9)

    async def ended() -> None:
        async for _ in admission.astream(RUN, "ada"):
            pass

    async def left() -> None:
        async with aclosing(admission.astream(RUN, "ada")) as events:
            await anext(events)

    async def never_read() -> None:
        admission.astream(RUN, "ada")

    async def stopped() -> None:
        cancel = threading.Event()
        events = admission.astream(RUN, "ada", cancel=cancel)
        other = admission.astream(RUN, "bea")
        for each in (events, other):
            await anext(each)
        refusal(admission, RUN, "ada")
        cancel.set()  # a page that runs again does not wait for the end of the run before
        admission.admit(RUN, "ada")
        await events.aclose()
        await other.aclose()

    for way in (ended, left, never_read, stopped):
        for _ in range(3):
            finish(way())
    assert not admission._under_way or admission._left.qsize()
    admission.admit(RUN, "ada")
    assert engine.starts or engine.calls_made


def test_nobody_in_particular_has_no_limit_of_visitors():
    admission, _, _ = door(runs_per_minute=1, runs_per_minute_per_address=1)
    for _ in range(5):
        admission.admit(RUN)


def test_what_visitors_have_used_is_forgotten():
    admission, clock, _ = door(runs_per_minute=5)
    for visitor in range(3000):
        clock.now += 1
        admission.admit(RUN, f"visitor {visitor}")
    assert len(admission._begun._buckets) <= 1001


def test_a_refusal_survives_a_process():
    refused = Refused("steps", "Too long.", "run_s", 429, 3.0)
    again = pickle.loads(pickle.dumps(refused))
    assert (str(again), again.field, again.limit, again.status, again.wait_s) == (
        "Too long.",
        "steps",
        "run_s",
        429,
        3.0,
    )


def test_many_threads_begin_no_more_runs_than_are_allowed():
    def slowly() -> float:
        time.sleep(0.002)  # other threads get a turn between looking and counting
        return 1000.0

    admission = Admission(FakeEngine(), Limits(runs_per_minute=10), slowly)
    taken = []

    def begin() -> None:
        try:
            admission.admit(RUN, "ada")
            taken.append(1)
        except Refused:
            pass

    threads = [threading.Thread(target=begin) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 10


@pytest.mark.parametrize(
    "settings",
    [
        {"lanes": (LaneSettings(),) * 6, "steps": 1000},
        {"lanes": (LaneSettings(),) * 2, "steps": 1000, "width": 512, "height": 512},
    ],
)
def test_a_space_refuses_the_runs_that_would_block_it(settings, monkeypatch):
    """7 and 34 minutes on two cores: by the number of steps, and by time where that is allowed."""
    from explorer.settings.limits import set_limits

    space = Limits.for_place(SPACE)
    try:
        set_limits(space)
        with pytest.raises(Refused, match="Steps may be at most 250 on this server; got 1000"):
            RunSettings(**settings)
        set_limits(replace(space, steps=1000))
        run = RunSettings(**settings)
    finally:
        set_limits(Limits())
    engine = FakeEngine(pace=0.2)
    with pytest.raises(Refused, match=r"would take about \d+ minutes; this server allows 3\."):
        Admission(engine, space).admit(run, "ada", "192.0.2.1")


def test_the_event_loop_is_free_while_a_run_waits():
    admission, _, engine = door()
    engine.hold_at = 0

    async def work() -> float:
        stop, longest = threading.Event(), 0.0
        events = admission.astream(RUN, "ada", cancel=stop)

        async def read() -> None:
            async for _ in events:
                pass

        reading = asyncio.create_task(read())
        for _ in range(20):
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)
        stop.set()
        await reading
        return longest

    assert finish(work()) < 1.5  # on a busy machine
