"""CPU threads: how many, and whose team computes."""

import threading

import pytest
import torch

from explorer.engine import Engine
from explorer.models import loading
from explorer.runtime import threads
from explorer.runtime.threads import apart, fastest, take_every_core


def test_threads_are_chosen_by_measurement_and_ties_go_to_fewer():
    assert fastest({1: 1.0, 2: 0.6, 4: 0.35, 8: 0.34}.__getitem__, 8) == 4
    assert fastest({1: 1.0, 2: 0.95}.__getitem__, 2) == 1
    assert fastest({1: 1.0, 2: 15.0}.__getitem__, 64) == 1
    assert fastest({1: 1.0}.__getitem__, 1) == 1


@pytest.mark.parametrize("cores, taken", [(1, True), (2, False), (4, False)])
def test_a_core_is_left_where_there_are_more_than_threads(monkeypatch, cores, taken):
    monkeypatch.setattr(threads, "_usable_cores", lambda: cores)
    assert torch.get_num_threads() == 1
    assert take_every_core() is taken


def test_work_apart_is_done_in_a_thread_that_ends_with_it():
    before = set(threading.enumerate())
    worker = apart(threading.current_thread)
    assert worker not in before and not worker.is_alive()
    assert set(threading.enumerate()) <= before


def test_what_goes_wrong_apart_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        apart(lambda: 1 / 0)


def test_a_model_on_a_cpu_is_loaded_apart(tiny_pipeline_folder, monkeypatch):
    own, seen = loading.load_resolved, []

    def load_resolved(*arguments):
        seen.append(threading.current_thread())
        return own(*arguments)

    monkeypatch.setattr(loading, "load_resolved", load_resolved)
    Engine(tiny_pipeline_folder, "cpu").load()
    (loader,) = seen
    assert loader is not threading.current_thread() and not loader.is_alive()
