"""Gradio's events and its queue, as the requests for them are checked against."""

import time
from collections import Counter

from gradio.queueing import Queue
from gradio.routes import App

from explorer.hosting.event_requests import EventForm
from explorer.settings.limits import Limits


class EventQueue:
    """The events of the application `app`, and what waits for whom.

    Gradio keeps an entry for each session that has ever joined its queue, and all messages for one
    whose stream nobody opens, or opens and does not read. They are let go after `no_listener_s`, of
    the oldest sooner where more than `unread_sessions` have gathered, and at once where more than
    `unread_messages` wait for one session.
    """

    def __init__(self, app: App, limits: Limits):
        self._page, self._limits = app.get_blocks(), limits
        self._since: dict[str, float] = {}  # when sessions were first seen without a reader

    @property
    def _queue(self) -> Queue:
        return self._page._queue  # is replaced when the page is complete

    def form(self, number: int | None, name: str) -> EventForm | None:
        """The event of a number, or else of a name; None for one that is the browser's alone."""
        if number is None:
            events = (event for event in self._page.fns.values() if event.api_name == name)
            event = next(events, None)
        else:
            event = self._page.fns.get(number)
        if event is None or event.fn is None:
            return None
        return EventForm(len(event.inputs), event.queue is not False)

    def waits(self, event: str) -> bool:
        """Whether an event waits or runs."""
        return event in self._queue.event_ids_to_events

    def session_of(self, event: str) -> str:
        """The session of an event; who names none has the event's own name."""
        waiting = self._queue.event_ids_to_events.get(event)
        return waiting.session_hash if waiting else event

    async def let_go(self, reading: Counter[str]) -> None:
        """Forget what waits for sessions whose stream nobody has open, or reads."""
        queue, now = self._queue, time.monotonic()
        sessions = {**queue.pending_messages_per_session, **queue.pending_event_ids_session}
        unread = {session for session in sessions if not reading[session]}
        for session, messages in tuple(queue.pending_messages_per_session.items()):
            if messages.qsize() > self._limits.unread_messages:
                unread.discard(session)
                await self._forget(session)
                queue.pending_event_ids_session[session] = set()  # by which an open stream ends
        self._since = {session: self._since.get(session, now) for session in unread}
        oldest = sorted(self._since, key=self._since.__getitem__)
        excess = len(oldest) - self._limits.unread_sessions
        for place, session in enumerate(oldest):
            if place < excess or now - self._since[session] > self._limits.no_listener_s:
                await self._forget(session)

    async def _forget(self, session: str) -> None:
        queue = self._queue
        await queue.clean_events(session_hash=session)  # nothing is sent to it any more
        queue.pending_messages_per_session.pop(session, None)
        queue.pending_event_ids_session.pop(session, None)
        self._since.pop(session, None)
