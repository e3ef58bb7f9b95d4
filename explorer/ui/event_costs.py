"""What Gradio does for every event, and a page like this has no use for, is left out.

Its event loop serves everybody: what an event costs there delays each page, and many runs may wait.
"""

import sys
from importlib.util import find_spec

import gradio as gr

# Between two looks at the events that wait; Gradio's own is a thousand times a second.
PAUSE_S = 0.01
NEVER = 2**62


def spare_events(page: gr.Blocks) -> None:
    """Spare the events of a page whose queue is made already.

    There are no statistics of events, which nobody reads here (`/monitoring` is closed): Gradio
    keeps a record of each of ten thousand, and makes a table of all of them at the end of each. The
    queue is looked at less often, and nothing is looked for that it never has: gr.Progress, and
    matplotlib, which Gradio would search for on the disk twice an event where it is not installed.
    """
    queue = page._queue
    queue.ANALYTICS_MAX_EVENTS, queue.ANAYLTICS_CACHE_FREQUENCY = 1, NEVER
    queue.sleep_when_free, queue.progress_update_sleep_when_free = PAUSE_S, 1.0
    if find_spec("matplotlib") is None:
        sys.modules.setdefault("matplotlib", None)  # type: ignore[arg-type]
