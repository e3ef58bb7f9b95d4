"""Worker processes that hang, without a model: they are replaced in time, and those that compute
for long are not."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from far_engine import engine_in_processes
from loops import finish
from PIL import Image
from polling import wait_until
from test_worker_process import follow, is_alive, settings

from explorer.hosting.workers.border_engine import BorderEngine
from explorer.hosting.workers.overdue import Overdue
from explorer.hosting.workers.process_backend import SILENT_S
from explorer.runs.events import Cancelled, Denoising, Event, Failed, Finished, Loading
from explorer.sampling.wording import about
from explorer.settings import RunSettings
from explorer.settings.limits import Limits
from explorer.settings.start_picture import picture_url

Hang = Callable[[BorderEngine], None]
HUNG_S, ENOUGH_S = 5, 60.0  # on a busy machine one that lives may be silent for two


def hanging(**limits) -> BorderEngine:
    engine = engine_in_processes(limits=Limits(hung_worker_s=HUNG_S, **limits))
    wait_until(lambda: engine.backends[0].ready)
    return engine


def large_settings() -> RunSettings:
    """More than a pipe holds."""
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    run = settings(init_image=picture_url(Image.fromarray(noise)))
    assert len(run.init_image) > 300_000
    return run


def assert_the_next_run_works(engine: BorderEngine, hung: int) -> None:
    assert not engine.queue.busy
    assert isinstance(follow(engine, settings())[-1], Finished)
    assert engine.backends[0].pid != hung
    wait_until(lambda: not is_alive(hung))


def a_worker_that_gives_no_sign_of_life_is_replaced(engine: BorderEngine) -> None:
    pid, began = engine.backends[0].pid, time.monotonic()
    *_, last = follow(engine, settings("a boat [frozen]"))
    assert time.monotonic() - began < ENOUGH_S
    assert isinstance(last, Failed)
    assert f"no sign of life for {about(HUNG_S)}" in last.message
    assert last.call  # as far as it was told
    assert_the_next_run_works(engine, pid)


def so_is_one_that_has_nothing_to_do(engine: BorderEngine) -> None:
    pid = engine.backends[0].pid
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: engine.backends[0].pid != pid)
    assert_the_next_run_works(engine, pid)


def one_that_takes_a_large_request_does_not_hold_up_whoever_asks(engine: BorderEngine) -> None:
    """The pipe is full, and the process does not read it."""
    pid = engine.backends[0].pid
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    *_, last = follow(engine, large_settings())
    assert time.monotonic() - began < ENOUGH_S
    assert isinstance(last, Failed)
    assert_the_next_run_works(engine, pid)


def one_that_computes_for_long_is_left_alone(engine: BorderEngine) -> None:
    pid = engine.backends[0].pid
    assert isinstance(follow(engine, settings("a boat [slow]"))[-1], Finished)
    assert engine.backends[0].pid == pid


def a_run_that_a_stop_does_not_end_is_given_up(engine: BorderEngine) -> None:
    pid, cancel = engine.backends[0].pid, threading.Event()

    async def stop() -> Event:
        async for event in engine.astream(settings("a boat [stuck]"), cancel):
            if getattr(event, "call", 0):
                cancel.set()
        return event

    last = finish(stop())
    assert isinstance(last, Cancelled)
    assert f"did not stop within {about(HUNG_S)}" in last.message
    assert_the_next_run_works(engine, pid)


def a_run_that_is_no_further_in_the_time_of_a_whole_run_is_given_up(engine: BorderEngine) -> None:
    pid = engine.backends[0].pid
    *_, last = follow(engine, settings("a boat [stuck]"))
    assert isinstance(last, Failed)
    assert "no further after 6.0 seconds" in last.message
    assert_the_next_run_works(engine, pid)


def so_is_one_without_such_a_limit_in_many_times_its_own_estimate(engine: BorderEngine) -> None:
    pid = engine.backends[0].pid
    *_, last = follow(engine, settings("a boat [stuck]"))
    assert isinstance(last, Failed)
    assert "was no further after" in last.message
    assert_the_next_run_works(engine, pid)


# --- what hangs for seconds, all at the same time ------------------------------------------------

HANGS = {
    a_worker_that_gives_no_sign_of_life_is_replaced: {},
    so_is_one_that_has_nothing_to_do: {},
    one_that_takes_a_large_request_does_not_hold_up_whoever_asks: {},
    one_that_computes_for_long_is_left_alone: {},
    a_run_that_a_stop_does_not_end_is_given_up: {},
    a_run_that_is_no_further_in_the_time_of_a_whole_run_is_given_up: {"run_s": 6},
    so_is_one_without_such_a_limit_in_many_times_its_own_estimate: {},
}


@pytest.fixture(scope="module")
def ended() -> Iterator[dict[Hang, Future]]:
    """What became of each, on an engine of its own with these limits."""

    def on_its_own(hang: Hang) -> None:
        engine = hanging(**HANGS[hang])
        try:
            hang(engine)
        finally:
            engine.close(0.0)

    with ThreadPoolExecutor(len(HANGS)) as pool:
        yield {hang: pool.submit(on_its_own, hang) for hang in HANGS}


@pytest.mark.parametrize("hang", HANGS, ids=lambda hang: hang.__name__)
def test_what_hangs_is_replaced_and_what_computes_is_not(ended, hang):
    ended[hang].result()


# --- the others ----------------------------------------------------------------------------------


def test_one_that_hangs_holds_up_neither_what_a_page_asks_nor_the_end():
    engine = engine_in_processes()  # which would wait for two minutes
    wait_until(lambda: engine.backends[0].ready)
    pid = engine.backends[0].pid
    os.kill(pid, signal.SIGSTOP)
    thread = threading.Thread(target=follow, args=(engine, large_settings()), daemon=True)
    thread.start()
    wait_until(lambda: engine.backends[0]._process.silent_s > SILENT_S)
    began = time.monotonic()
    assert engine.backends[0].memory_use(settings().to_dict()) == ""
    assert time.monotonic() - began < 1
    assert not engine.close(0.5)
    assert time.monotonic() - began < 10
    wait_until(lambda: not is_alive(pid))
    thread.join(10)
    assert not thread.is_alive()


def test_a_signal_of_a_terminal_does_not_end_one_that_is_still_importing():
    engine = engine_in_processes()
    try:
        backend, pid = engine.backends[0], engine.backends[0].pid
        deadline = time.monotonic() + ENOUGH_S
        while not backend.ready:
            assert time.monotonic() < deadline
            assert is_alive(pid)
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(pid, number)
            time.sleep(0.02)
        assert isinstance(follow(engine, settings())[-1], Finished)
        assert backend.pid == pid
    finally:
        engine.close(0.0)


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests set."""
    now = [100.0]
    monkeypatch.setattr("explorer.hosting.workers.overdue.time.monotonic", lambda: now[0])
    return now


def denoising(call: int, **more: float) -> Denoising:
    return Denoising(seed=1, steps=9, calls=17, call=call, **more)


def test_loading_and_calls_that_come_are_never_overdue(clock):
    overdue = Overdue(Limits(run_s=10, hung_worker_s=5))
    for at in range(60):
        overdue.take(Loading(seed=1) if at < 30 else denoising(at // 4))
        clock[0] += 1
        assert overdue.look(False) == ""
    for _ in range(6):
        clock[0] += 1
        assert overdue.look(False) == ""
    clock[0] += 1
    assert "no further after 10 seconds" in overdue.look(False)


def test_time_in_which_this_process_was_held_up_is_not_counted(clock):
    overdue = Overdue(Limits(run_s=10, hung_worker_s=5))
    overdue.take(denoising(1))
    clock[0] += 1000
    assert overdue.look(True) == ""


def seconds_until_stuck(clock: list[float], overdue: Overdue, told: Denoising) -> float:
    """How long a run is waited for that says the same again and again."""
    began = clock[0]
    while not (message := overdue.look(False)):
        overdue.take(told)
        clock[0] += 1
    assert "was no further after" in message
    return clock[0] - began


def test_without_a_limit_of_a_runs_time_it_is_ten_times_the_estimate_of_the_whole_run(clock):
    limits = Limits(run_s=0, hung_worker_s=5)
    by_pace = Overdue(limits, lambda: 20.0)
    assert seconds_until_stuck(clock, by_pace, denoising(1)) == pytest.approx(200, abs=2)
    quick = Overdue(limits, lambda: 0.1)
    assert seconds_until_stuck(clock, quick, denoising(1)) == pytest.approx(10, abs=2)
    slower = Overdue(limits, lambda: 20.0)  # by its calls it takes longer than was estimated
    slower.take(denoising(4, elapsed_s=10.0, eta_s=30.0))
    assert seconds_until_stuck(clock, slower, denoising(5)) == pytest.approx(400, abs=2)
    unknown = Overdue(limits)
    unknown.take(denoising(4, elapsed_s=10.0, eta_s=30.0))
    same = denoising(4, elapsed_s=999.0, eta_s=30.0)  # what stands still is no longer estimated
    assert seconds_until_stuck(clock, unknown, same) == pytest.approx(400, abs=2)


def test_while_nothing_is_known_of_a_runs_time_a_call_may_take_for_ever(clock):
    overdue = Overdue(Limits(run_s=0, hung_worker_s=5))
    overdue.take(denoising(1))
    for _ in range(10_000):
        clock[0] += 1
        assert overdue.look(False) == ""
