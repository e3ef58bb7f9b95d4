"""A run's events on the page's side: its own while it waits, and then those that are shipped."""

import threading
from typing import Any

import numpy as np

from explorer.capture.trajectory import CANCELLED
from explorer.runs.event_builder import HEARTBEAT_S, EventBuilder
from explorer.runs.events import Ended, Event, Loading
from explorer.runs.job import Job

STARTING = "Waiting for the process that computes."


class ShippedEvents(EventBuilder):
    """An EventBuilder of a job that another process runs; `put` brings what has been shipped.

    Of events that nobody has asked for only the newest is kept, so that nothing piles up.
    """

    def __init__(self, job: Job):
        super().__init__(job, _no_decoder)
        self._news = threading.Condition()
        self._unread: Event | None = None
        self.newest: Event | None = None

    def put(self, event: Event) -> None:
        """Take in the newest event; after the last one of a run no others count."""
        with self._news:
            if not isinstance(self.newest, Ended):
                self._unread = self.newest = event
                self._news.notify_all()

    def next_event(self) -> Event | None:
        """Wait for the next event, in this thread; None after the last one."""
        job = self.job
        if self._is_over:
            return None
        if job.ticket is None or not job.ticket.granted.is_set():
            if not job.state:
                job.end(CANCELLED)
            job.leave_queue()
            self._is_over = True
            return self.last_event()
        event = self._wait()
        self._is_over = isinstance(event, Ended)
        return event

    def _wait(self) -> Event:
        """The next event, or the newest again: a generator can be closed only at a yield."""
        with self._news:
            self._news.wait_for(lambda: self._unread is not None, HEARTBEAT_S)
            event, self._unread = self._unread or self.newest, None
        job = self.job
        return event or Loading(message=STARTING, seed=job.settings.seed, model=job.model)


def _no_decoder(latents: Any) -> np.ndarray:
    raise AssertionError("pictures are made where the run is")
