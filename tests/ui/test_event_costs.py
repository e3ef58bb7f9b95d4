"""What Gradio does for every event without a use here is left out."""

import sys
import time
from importlib import import_module
from importlib.util import find_spec

import gradio as gr
import pytest
from fake_engine import FakeEngine
from gradio.queueing import Queue

from explorer import ui


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


@pytest.mark.parametrize("module", ["matplotlib"])
def test_a_module_that_is_not_installed_is_not_searched_for(page, module):
    if find_spec(module) is not None:
        pytest.skip(f"{module} is installed")
    assert sys.modules[module] is None
    with pytest.raises(ImportError):
        import_module(module)
