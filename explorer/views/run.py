"""A run for the page: the engine's events, one after the other, as plain JSON."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from explorer.runs.events import Ended, Event
from explorer.views.kept_pictures import Keep, Keeping
from explorer.views.plan import Plan
from explorer.views.progress import failure, progress_payload
from explorer.views.result import result_payload

LOG = logging.getLogger(__name__)


async def run_payloads(
    events: AsyncGenerator[Event, None], keep: Keep, plan: Plan | None = None
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield one JSON payload per event of `engine.astream`; closing this closes `events`.

    Each is a `Progress` (progress.py), the last one with `run` (result.py). The plan is repeated
    until the first call, because a page that is still being built misses earlier messages. Any
    error is a payload with state "error" and a sentence.
    """
    try:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Ended):  # sheets take a while: not in the event loop
                    data = await asyncio.to_thread(event_payload, event, keep)
                else:
                    data = event_payload(event, keep)
                yield data if data["call"] or plan is None else {**plan, **data}
    except Exception as error:
        LOG.exception("A run broke off")
        name = type(error).__name__  # its message may name files of the server
        reason = f"The run failed unexpectedly ({name}); the server's log has the reason."
        yield {**failure(reason)}


def event_payload(event: Event, keep: Keep) -> dict[str, Any]:
    """One event as JSON: progress and previews, and at the end the recorded run."""
    data: dict[str, Any] = {**progress_payload(event)}
    if isinstance(event, Ended) and any(event.frames):
        keeping = Keeping(keep)
        data["run"] = result_payload(event, keeping)
        data["message"] = " ".join(filter(None, (event.message, keeping.sentence)))
    return data
