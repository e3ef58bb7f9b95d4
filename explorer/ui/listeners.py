"""Whether a session's messages are being read: a run that nobody follows is not started."""

import gradio as gr

from explorer.settings.limits import LIMITS, Limits


def most_events(limits: Limits = LIMITS) -> int:
    """How many events Gradio processes at once, including runs that wait.

    Each page that is opened while a model loads follows the load in an event of its own, so runs
    must not use up the places of pages. Gradio refuses events beyond this number.
    """
    return limits.handler_threads + limits.sessions + limits.waiting_runs


class Listeners:
    """Checks the messages that wait to be sent to each session of a page.

    Gradio puts a message for every event into its session's queue as soon as it starts the event.
    Only the session's open stream takes it out again, and the queue is removed with the stream. So
    an empty queue means that the stream is read, and a full or missing one that it is not.
    """

    def __init__(self, page: gr.Blocks):
        self._page = page  # its queue is replaced when the page is complete

    def reads(self, session: str) -> bool:
        """Whether everything that was sent to the session has been read."""
        messages = self._page._queue.pending_messages_per_session.get(session)
        return messages is not None and messages.empty()

    def came(self, session: str, handler: str) -> float | None:
        """When the session's newest event of that handler arrived, by `time.monotonic()`.

        Handlers may start in a different order, because Gradio reads their inputs in threads.
        """
        events = tuple(self._page._queue.event_ids_to_events.values())
        times = (
            event.enqueue_time
            for event in events
            if event.session_hash == session and event.fn.name == handler
        )
        return max(times, default=None)
