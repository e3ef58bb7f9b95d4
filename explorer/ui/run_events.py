"""What happens on Run and Stop: the run's events stream into the viewer."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.events import Dependency

from explorer.hosting.run_store import RunStore
from explorer.runs.live_run import LiveRun
from explorer.settings import RunSettings
from explorer.ui.form import Form
from explorer.ui.full_frames import FullFrames, on_ask
from explorer.ui.handlers import INTERNAL, address_in, session_of
from explorer.ui.listeners import Listeners
from explorer.ui.picture_files import keep_files
from explorer.ui.run_names import run_name
from explorer.ui.served_page import ServedPage
from explorer.views.answers import UNEXPECTED
from explorer.views.engine_protocol import EngineLike
from explorer.views.findings import Doctor
from explorer.views.model_card import hidden_fields
from explorer.views.plan import Plan, plan_payload
from explorer.views.progress import Failure, failure
from explorer.views.run import run_payloads

LOG = logging.getLogger(__name__)

# The page names its run before the server knows of it (assets/page/run/run_name.js).
RUN_NAME = "window.samplerExplorerRun?.name() ?? null"
WITH_NAME = f"(...values) => [...values.slice(0, -1), {RUN_NAME}]"
NAME_ALONE = f"() => {RUN_NAME}"


@dataclass(frozen=True)
class RunParts:
    """The components of a run: its page, its two buttons, its bar, its viewer.

    The `bar` takes the place of the run's name among the values that the page sends.
    """

    page: ServedPage
    run: gr.Button
    stop: gr.Button
    bar: gr.HTML
    viewer: gr.HTML
    full_frames: gr.HTML


def on_run(
    engine: EngineLike, form: Form, parts: RunParts, doctor: Doctor, store: RunStore
) -> Dependency:
    """Run streams into the viewer, as a watcher of the run; Stop stops it.

    Frames in full size are those of any run in the `store`.

    Returns the event of a run, which ends when the run does.
    """
    runs, listeners = parts.page.runs, Listeners(parts.page)
    full = FullFrames(engine, store.open, parts.page.admission)
    keep = keep_files(parts.viewer)
    one_by_one = asyncio.Lock()  # is fair: places in the queue are taken in the order of clicks
    inputs = {*form.controls(), parts.bar}
    assert max(inputs, key=lambda each: each._id) is parts.bar  # the last of the page's values

    def prepared(values: dict) -> tuple[RunSettings, Plan]:
        settings = form.read(values, hidden_fields(engine, values[form.run["model"]]))
        return settings, plan_payload(settings)

    async def begin(live: LiveRun, values: dict, came: float | None, address: str) -> None:
        async with one_by_one:
            settings, plan = await asyncio.to_thread(prepared, values)
            events = parts.page.admission.astream(
                settings,
                live.owner,
                address,
                live.cancel,
                session=live.session,
                listening=live.listening,
                came=came,
            )
            payloads_of = partial(run_payloads, keep=keep, plan=plan)
            runs.begin(live, plan, events, payloads_of)
            await live.begun()  # it has its place

    async def run(values: dict, request: gr.Request) -> AsyncGenerator[Mapping[str, Any], None]:
        session, name = session_of(request), run_name(values[parts.bar], request)
        came = listeners.came(session, "run")
        full.end(session)
        try:
            live = runs.open(name.id, name.owner, session)
        except ValueError as error:  # the id is taken
            yield failure(str(error))
            return
        try:
            await begin(live, values, came, address_in(request))
        except ValueError as error:  # its message is a sentence: FormError, SettingsError, ...
            runs.fail(live, failure(str(error)))
        except BaseException as error:
            runs.fail(live, failure(UNEXPECTED))
            if not isinstance(error, Exception):
                raise
            LOG.exception("A run could not be prepared")
        newest: Mapping[str, Any] = {}
        async with aclosing(live.watch(partial(listeners.reads, session))) as payloads:
            async for payload in payloads:
                newest = _as_sent(payload) if payload else newest
                if newest:  # once more: Gradio closes a generator at a yield
                    yield newest

    def stop(sent: object, request: gr.Request) -> None:
        name = run_name(sent, request)
        if not (name.id and runs.stop(name.id, name.owner)):
            runs.stop_session(session_of(request))
        full.end(session_of(request))

    def refused() -> Failure:
        return failure(
            "The server did not take the run. Try again; if it stays so, reload the page."
        )

    started = parts.run.click(
        run,
        inputs,
        parts.viewer,
        concurrency_limit=None,  # the engine's own queue has an order, and limits
        trigger_mode="multiple",  # the page itself refuses a click while a run goes on
        js=WITH_NAME,
        **INTERNAL,
    )
    started.failure(refused, None, parts.viewer, queue=False, **INTERNAL)
    parts.stop.click(stop, parts.bar, None, queue=False, js=NAME_ALONE, **INTERNAL)
    parts.page.on_left.append(full.end)
    on_ask(full, parts.full_frames, keep_files(parts.full_frames), **INTERNAL)
    return started


def _as_sent(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """A payload with its plan as a text.

    Gradio walks through all parts of a value several times for each event, which for the plan takes
    milliseconds of the event loop, and a run that waits repeats it. The page reads the text.
    """
    plan = payload.get("plan")
    return {**payload, "plan": json.dumps(plan, separators=(",", ":"))} if plan else payload
