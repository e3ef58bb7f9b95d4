"""What Gradio does for every event without a use here is left out."""

import sys
import time
from importlib import import_module

import gradio as gr
import pytest
from fake_engine import FakeEngine
from gradio.queueing import Queue

from explorer import ui
from explorer.ui import event_costs


@pytest.fixture
def page():
    return ui.build(FakeEngine())


def test_what_is_left_out_is_there_to_be_left_out(page):
    """Gradio's own queue has these under the same names, and uses them for more."""
    own = Queue(True, 1, 1.0, None, gr.Blocks())
    assert own.ANALYTICS_MAX_EVENTS > 1000 and own.ANAYLTICS_CACHE_FREQUENCY == 1
    assert own.sleep_when_free <= 0.05 and own.progress_update_sleep_when_free <= 0.1
    for name in ("sleep_when_free", "progress_update_sleep_when_free"):
        assert getattr(page._queue, name) >= getattr(own, name)


def test_no_statistics_of_events_are_kept_or_made(page, monkeypatch):
    queue = page._queue
    monkeypatch.setattr(queue, "_get_df", lambda records: pytest.fail("a table is made"))
    for number in range(100):
        queue.events_recorded += 1
        queue.event_analytics[str(number)] = {"time": time.time()}
        while len(queue.event_analytics) > queue.ANALYTICS_MAX_EVENTS:
            queue.event_analytics.pop(next(iter(queue.event_analytics)))
        queue.compute_analytics_summary(list(queue.event_analytics.values()))
    assert len(queue.event_analytics) == 1


@pytest.mark.parametrize("is_installed", [False, True])
def test_matplotlib_is_not_searched_for_where_it_is_not_installed(page, monkeypatch, is_installed):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # put back as it was after the test
    del sys.modules["matplotlib"]
    monkeypatch.setattr(event_costs, "find_spec", lambda name: name if is_installed else None)
    event_costs.spare_events(page)
    assert ("matplotlib" in sys.modules) is not is_installed
    if not is_installed:
        with pytest.raises(ImportError):
            import_module("matplotlib")
