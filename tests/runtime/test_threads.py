"""CPU threads: how many, and whose team computes."""

import threading

import pytest
import torch

from explorer.engine import Engine
from explorer.models import loading
from explorer.runtime import threads
from explorer.runtime.threads import fastest, has_spare_core, in_own_thread


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
