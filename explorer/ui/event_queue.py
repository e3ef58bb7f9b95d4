"""Gradio's events and its queue, against which requests are checked."""

import time
from collections import Counter
from typing import Any

from gradio.block_function import BlockFunction
from gradio.queueing import Queue
from gradio.routes import App
from gradio.utils import get_function_params
from starlette.datastructures import Headers
from starlette.types import Scope

from explorer.hosting.client_address import address_of
from explorer.hosting.event_requests import EventForm
from explorer.hosting.service import ServiceError
from explorer.hosting.turns import in_thread
from explorer.hosting.visitors import LOCAL, VISITOR, is_id, is_local
from explorer.settings.limits import Limits


def is_public(event: BlockFunction) -> bool:
    """Whether programs may ask for an event by its name."""
    return event.api_visibility == "public" and event.fn is not None


class EventQueue:
    """The events of the application `app`, and the messages that wait for each session.

    Gradio keeps an entry for each session that has ever joined its queue, and all messages for a
    session whose stream is not open or not read. They are dropped after `no_listener_s`; the oldest
    are dropped sooner when there are more than `unread_sessions` of them, and a session's at once
    when more than `unread_messages` wait for it.
    """

    def __init__(self, app: App, limits: Limits):
        self._page: Any = app.get_blocks()
        self._limits = limits
        self._since: dict[str, float] = {}  # when sessions were first seen without a reader

    @property
    def _queue(self) -> Queue:
        return self._page._queue  # is replaced when the page is complete

    def form(self, number: int | None, name: str) -> EventForm | None:
        """The event with this number, or else the public one with this name.

        None for one that the browser runs alone, too.
        """
        events = self._page.fns
        if number is None:
            named = (each for each in events.values() if is_public(each) and each.api_name == name)
            event = next(named, None)
        else:
            event = events.get(number)
        if event is None or event.fn is None:
            return None
        queued = event.queue is not False
        if not is_public(event):
            return EventForm(len(event.inputs), queued)
        arguments = tuple(each[0] for each in get_function_params(event.fn))
        return EventForm(len(event.inputs), queued, str(event.api_name), arguments)

    async def refusal(
        self, name: str, arguments: dict[str, Any], scope: Scope
    ) -> ServiceError | None:
        """Why a public event would refuse a call that it is asked for in a request."""
        headers = Headers(scope=scope)
        visitor = headers.get(VISITOR, "")
        visitor = visitor if is_id(visitor) and not is_local(headers) else LOCAL
        refusal, address = self._page.service.refusal, address_of(scope)
        return await in_thread(refusal, name, arguments, visitor, address, address=address)

    def waits(self, event: str) -> bool:
        """Whether an event waits or runs."""
        return event in self._queue.event_ids_to_events

    def session_of(self, event: str) -> str:
        """The session of an event; an event without one has its own id as its session."""
        waiting = self._queue.event_ids_to_events.get(event)
        return waiting.session_hash if waiting else event

    def left(self, session: str) -> None:
        """A session's page was closed."""
        self._page.left(session)

    async def let_go(self, reading: Counter[str]) -> None:
        """Drop the messages for sessions whose stream is not open, or not read."""
        queue, now = self._queue, time.monotonic()
        sessions = {**queue.pending_messages_per_session, **queue.pending_event_ids_session}
        unread = {session for session in sessions if not reading[session]}
        for session, messages in tuple(queue.pending_messages_per_session.items()):
            if messages.qsize() > self._limits.unread_messages:
                unread.discard(session)
                await self._forget(session)
                queue.pending_event_ids_session[session] = set()  # which ends an open stream
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
