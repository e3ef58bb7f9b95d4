"""A run as a stream of its events: for a thread, and for an event loop."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor

from explorer.models.previews import Decoder
from explorer.runs.event_builder import HEARTBEAT_S, POLL_S, EventBuilder
from explorer.runs.events import Ended, Event
from explorer.runs.job import Job

QUEUED_POLL_S = 0.1  # between two polls of a run that is in the queue


def event_stream(
    job: Job, enter: Callable[[], None], start: Callable[[], None], decode: Decoder
) -> Generator[Event, None, None]:
    """Start the job and yield its events, at most every 80 ms, until it has ended.

    It is queued before the first event, and started after it. Pictures are decoded here, in the
    thread that asks for events, so that they do not delay the denoising. Closing the generator
    stops the job without waiting for it.
    """
    builder = EventBuilder(job, decode)
    try:
        enter()
        yield builder.first_event()
        start()
        while (event := builder.next_event()) is not None:
            yield event
    finally:
        job.stop()
        job.leave_queue()


async def event_stream_async(
    builder: EventBuilder,
    enter: Callable[[], None],
    start: Callable[[], None],
    listening: Callable[[], bool],
    patience_s: float,
) -> AsyncGenerator[Event, None]:
    """`event_stream` for an event loop: a job in the queue uses no thread.

    It starts when somebody is `listening`, which means that every event so far has been read, and
    is stopped if nobody was for `patience_s`. Once started it continues, but of its events only the
    last one is sent to a client that does not read: no pictures pile up for a client that stays
    connected and leaves its stream unread.
    """
    job, started, read_at = builder.job, False, time.monotonic()
    thread = ThreadPoolExecutor(1, thread_name_prefix="event-stream")
    try:
        enter()
        yield builder.first_event()
        while job.waits:
            if listening():
                read_at = time.monotonic()
                if not started:
                    start()
                started = True
            elif time.monotonic() - read_at > patience_s:
                job.stop()
            if builder.is_due():
                yield builder.standing_event()
            elif job.waits:
                await asyncio.sleep(QUEUED_POLL_S if started else POLL_S)
        loop = asyncio.get_running_loop()
        sent, sent_at = None, 0.0
        while (event := await loop.run_in_executor(thread, builder.next_event)) is not None:
            if isinstance(event, Ended) or sent is None or listening():
                sent = event
            elif time.monotonic() - sent_at < HEARTBEAT_S:
                continue
            yield sent  # again if it is unread: a generator can be closed only at a yield
            sent_at = time.monotonic()
    finally:
        job.stop()
        job.leave_queue()
        thread.shutdown(wait=False)
