"""What happens on Run and Stop: the run's events stream into the viewer."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.events import Dependency

from explorer.settings import RunSettings
from explorer.ui.cancels import Cancels
from explorer.ui.form import Form
from explorer.ui.full_frames import FullFrames, on_ask
from explorer.ui.handlers import INTERNAL, session_of
from explorer.ui.listeners import Listeners
from explorer.ui.picture_files import keep_files
from explorer.views.answers import UNEXPECTED
from explorer.views.engine_protocol import EngineLike
from explorer.views.findings import Doctor
from explorer.views.model_card import hidden_fields
from explorer.views.plan import Plan, plan_payload
from explorer.views.progress import Failure, failure
from explorer.views.run import run_payloads

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunParts:
    """The components of a run: the page that it belongs to, its two buttons and its viewer."""

    page: gr.Blocks
    run: gr.Button
    stop: gr.Button
    viewer: gr.HTML
    full_frames: gr.HTML


def on_run(engine: EngineLike, form: Form, parts: RunParts, doctor: Doctor) -> Dependency:
    """Run streams into the viewer; Stop, and closing the page, set the run's flag.

    Returns the event of a run, which ends when the run does.
    """
    cancels, listeners = Cancels(), Listeners(parts.page)
    full = FullFrames(engine)
    keep = keep_files(parts.viewer)
    one_by_one = asyncio.Lock()  # is fair: places in the queue are taken in the order of clicks

    def prepared(values: dict) -> tuple[RunSettings, Plan]:
        settings = form.read(values, hidden_fields(engine, values[form.run["model"]]))
        return settings, plan_payload(settings)

    async def run(values: dict, request: gr.Request) -> AsyncGenerator[Mapping[str, Any], None]:
        session = session_of(request)
        cancel, came = cancels.open(session), listeners.came(session, "run")
        full.end(session)
        try:
            async with one_by_one:
                settings, plan = await asyncio.to_thread(prepared, values)
                events = engine.astream(
                    settings,
                    cancel,
                    visitor=session,
                    listening=partial(listeners.reads, session),
                    came=came,
                )
                events = full.runs.watched(session, doctor.timed(settings, events))
                payloads = run_payloads(events, keep, plan)
                first = await anext(payloads)  # takes the place
        except ValueError as error:  # its message is a sentence: FormError, SettingsError, ...
            yield failure(str(error))
            return
        except Exception:
            LOG.exception("A run could not be prepared")
            yield failure(UNEXPECTED)
            return
        async with aclosing(payloads):
            yield first
            async for payload in payloads:
                yield payload

    def stop(request: gr.Request) -> None:
        cancels.set(session_of(request))
        full.end(session_of(request))

    def leave(request: gr.Request) -> None:
        stop(request)
        full.leave(session_of(request))

    def refused() -> Failure:
        return failure(
            "The server did not take the run. Try again; if it stays so, reload the page."
        )

    started = parts.run.click(
        run,
        form.controls(),
        parts.viewer,
        concurrency_limit=None,  # the engine's own queue has an order, and limits
        trigger_mode="multiple",  # the page itself refuses a click while a run goes on
        **INTERNAL,
    )
    started.failure(refused, None, parts.viewer, queue=False, **INTERNAL)
    parts.stop.click(stop, None, None, queue=False, **INTERNAL)
    parts.page.unload(leave)
    on_ask(full, parts.full_frames, keep_files(parts.full_frames), **INTERNAL)
    return started
