"""Whether anybody reads what is sent to a session: a run that nobody follows is not started."""

import gradio as gr

from explorer.settings.limits import LIMITS, Limits


def most_events(limits: Limits = LIMITS) -> int:
    """How many events Gradio has under way at once, runs that wait among them.

    Each page that comes up while a model loads follows that in a separate event, so that runs
    must not take the places of pages. Beyond it Gradio refuses events.
    """
    return limits.handler_threads + limits.sessions + limits.waiting_runs


class Listeners:
    """Looks at what waits to be sent to each session of a page.

    Gradio puts a message for every event into its session's queue as soon as the event is
    taken up. Only the session's open stream takes it out again, and the queue goes with the
    stream. So an empty one says that somebody reads, and a full or missing one that nobody does.
    """

    def __init__(self, page: gr.Blocks):
        self._page = page  # its queue is replaced when the page is complete

    def reads(self, session: str) -> bool:
        """Whether everything that was sent to the session has been read."""
        messages = self._page._queue.pending_messages_per_session.get(session)
        return messages is not None and messages.empty()

    def came(self, session: str, handler: str) -> float | None:
        """When the session's newest event of that handler was taken in, by `time.monotonic()`.

        Handlers begin in another order: Gradio reads their inputs in threads.
        """
        events = tuple(self._page._queue.event_ids_to_events.values())
        times = (
            event.enqueue_time
            for event in events
            if event.session_hash == session and event.fn.name == handler
        )
        return max(times, default=None)
