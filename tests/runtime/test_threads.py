"""CPU threads: how many, and whose team computes."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from explorer.engine import Engine
from explorer.models import loading
from explorer.records.exports.diffusers_lane import missing_of_lane
from explorer.runtime import threads
from explorer.runtime.threads import fastest, has_spare_core, in_own_thread
from explorer.sampling import baselines
from explorer.sampling.samplers import SAMPLERS
from explorer.settings import LaneSettings


def test_threads_are_chosen_by_measurement_and_ties_go_to_fewer():
    assert fastest({1: 1.0, 2: 0.6, 4: 0.35, 8: 0.34}.__getitem__, 8) == 4
    assert fastest({1: 1.0, 2: 0.95}.__getitem__, 2) == 1
    assert fastest({1: 1.0, 2: 15.0}.__getitem__, 64) == 1
    assert fastest({1: 1.0}.__getitem__, 1) == 1


@pytest.mark.parametrize("cores, spare", [(1, False), (2, True), (4, True)])
def test_a_core_is_left_where_there_are_more_than_threads(monkeypatch, cores, spare):
    monkeypatch.setattr(threads, "_usable_cores", lambda: cores)
    assert torch.get_num_threads() == 1
    assert has_spare_core() is spare


def test_work_is_done_in_a_thread_that_ends_with_it():
    before = set(threading.enumerate())
    worker = in_own_thread(threading.current_thread)
    assert worker not in before and not worker.is_alive()
    assert set(threading.enumerate()) <= before


def test_what_goes_wrong_apart_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        in_own_thread(lambda: 1 / 0)


def test_a_model_on_a_cpu_is_loaded_apart(tiny_pipeline_folder, monkeypatch):
    own, seen = loading.load_resolved, []

    def load_resolved(*arguments):
        seen.append(threading.current_thread())
        return own(*arguments)

    monkeypatch.setattr(loading, "load_resolved", load_resolved)
    Engine(tiny_pipeline_folder, "cpu").load()
    (loader,) = seen
    assert loader is not threading.current_thread() and not loader.is_alive()


def threads_of_libraries():
    """The native threads of this process that Python did not start."""
    of_python = {each.native_id for each in threading.enumerate()}
    return {int(each.name) for each in Path("/proc/self/task").iterdir()} - of_python


@pytest.fixture
def two_threads():
    """Two threads are what this one would compute with."""
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def left_since(before):
    """The libraries' threads that are still there; those that end have two seconds for it."""
    for _ in range(200):
        left = threads_of_libraries() - before
        if not left:
            break
        time.sleep(0.01)
    return left


needs_linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")


@needs_linux
def test_a_thread_that_computes_has_a_team_as_long_as_it_lives(two_threads):
    before, power = threads_of_libraries(), lambda: torch.ones(1000, 1000).exp()
    in_own_thread(power)
    assert not left_since(before)
    with ThreadPoolExecutor(1) as lasting:
        lasting.submit(power).result()
        assert len(threads_of_libraries() - before) == 1  # what the next test would see


@needs_linux
def test_planning_leaves_no_threads_that_would_slow_down_runs(two_threads):
    baselines.import_all()
    before = threads_of_libraries()
    for key, sampler in SAMPLERS.items():
        lane = LaneSettings(sampler=key, beta_end=0.0123)  # which no other test has asked for
        assert lane.calls(37).nfe == sampler.calls(37)
        missing_of_lane(lane, 37)
    assert not left_since(before)
