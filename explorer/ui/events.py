"""What happens on which event: small handlers between the form, the engine and the parts."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import gradio as gr
from gradio.events import Dependency

from explorer.models.catalog import ModelError
from explorer.settings import RunSettings, SettingsError
from explorer.ui.answers import UNEXPECTED, answering, answering_stream
from explorer.ui.findings import Doctor, not_examined
from explorer.ui.form import Form, FormError, Problem
from explorer.ui.full_frames import FullFrames, on_ask
from explorer.ui.kept_pictures import keep_files
from explorer.ui.lanes import model_prop
from explorer.ui.listeners import Listeners
from explorer.ui.live import Cancels, failure, plan_payload, run_payloads
from explorer.ui.models import (
    OWN_TO_A_USER,
    Load,
    blank_card,
    card,
    model_name,
    refill,
    unfit,
)
from explorer.ui.pins import read_pins
from explorer.ui.plot import View, plot_payload, problem_payload

LOG = logging.getLogger(__name__)

PAGE_FIRST_S = 0.5  # a page that has just come fetches its own files before a model is loaded

# Events that serve this page alone: no public API, no overlay on what they change.
INTERNAL = {"show_progress": "hidden", "api_visibility": "private"}
AT_ONCE = INTERNAL | {"queue": False, "trigger_mode": "always_last"}


@dataclass(frozen=True)
class RunParts:
    """What a run touches: the page that it belongs to, its two buttons and its viewer."""

    page: gr.Blocks
    run: gr.Button
    stop: gr.Button
    viewer: gr.HTML
    full_frames: gr.HTML


@dataclass(frozen=True)
class PlotParts:
    """The plot, the switches above it, and its legend, whose value is the page's list of pins."""

    plot: gr.HTML
    legend: gr.HTML
    quantity: gr.Radio
    x_axis: gr.Radio
    scale: gr.Radio


def on_model(
    engine, form: Form, page: gr.Blocks, about: gr.HTML, filled: Dependency
) -> tuple[Dependency, ...]:
    """Load the first model once a page is up, and any that is chosen; the form follows it.

    Where the page has `filled` the form, by an undo say, the model is loaded and the rest of the
    form stays. Returns the events, which end when a model is there.
    """
    menu, newest = form.run["model"], Cancels()
    under_way: dict[str, str] = {}  # by page
    turns = count(1)
    first = engine.entries[0].name
    settled = gr.State(first)  # the model whose defaults the form was last filled with

    async def follow(values: dict, session: str, name: str, waits: bool) -> AsyncIterator[dict]:
        before, given_up, turn = values[settled], newest.open(session), next(turns)
        under_way[session] = name
        try:
            load = Load(engine, name)
            async for words, fraction in load.followed(given_up):
                way = {"loading": words, "fraction": fraction, "waits": waits}
                yield {about: card(engine, name, turn, **way)}
        finally:
            if not given_up.is_set():
                under_way.pop(session, None)
        if given_up.is_set():
            return  # another choice has taken over, or the page is closed
        if load.problem:
            name = engine.resident or before
            yield {about: card(engine, name, turn, problem=load.problem), menu: name}
            return
        own = model_prop(engine.defaults(name).lanes[0], turn=turn)
        wanted, said = {form.lanes: gr.update(model=own)}, ""
        if waits:
            begin, last = engine.defaults(name), engine.defaults(before)
            wanted, said = refill(form, values, begin, last, turn)
        yield {**wanted, about: card(engine, name, turn, said=said), menu: name, settled: name}

    def broken(sentence: str) -> dict:
        return {about: blank_card(next(turns), problem=sentence)}

    @answering_stream(broken)
    async def opened(values: dict, request: gr.Request) -> AsyncIterator[dict]:
        name = engine.resident or first
        waits = name != first or engine.identity(name) is None
        if not engine.resident:
            await asyncio.sleep(PAGE_FIRST_S)
        async for update in follow(values, request.session_hash, name, waits):
            yield update

    @answering_stream(broken)
    async def chosen(values: dict, request: gr.Request) -> AsyncIterator[dict]:
        name = model_name(values[menu]) or first
        session, before = request.session_hash, values[settled]
        if name == under_way.get(session) or name == before == engine.resident:
            yield {settled: gr.skip()}  # Gradio tells of one choice twice
            return
        async for update in follow(values, session, name, waits=name != before):
            yield update

    @answering_stream(broken)
    async def given_back(values: dict, request: gr.Request) -> AsyncIterator[dict]:
        name, session = model_name(values[menu]) or first, request.session_hash
        if name == under_way.get(session, values[settled]):
            yield {settled: gr.skip()}
            return
        async for update in follow(values, session, name, waits=False):
            yield update

    def leave(request: gr.Request) -> None:
        newest.set(request.session_hash)
        under_way.pop(request.session_hash, None)

    inputs = {*form.controls(), settled}
    users = {form.run[name] for name in OWN_TO_A_USER}  # never an output: see picture.py
    outputs = {*form.controls(), menu, settled, about} - users
    look = INTERNAL | {"concurrency_limit": None, "trigger_mode": "multiple"}
    events = (
        page.load(opened, inputs, outputs, **look),
        menu.input(chosen, inputs, outputs, **look),
        filled.then(given_back, inputs, outputs, **look),
    )
    page.unload(leave)
    return events


def on_prompt(engine, form: Form, words: gr.HTML, loads: tuple[Dependency, ...]) -> None:
    """Name, under the prompt, the words that the model does not know or has no room for.

    Of the negative prompt those that it has no room for.
    """
    prompts, menu = [form.run["prompt"], form.run["negative_prompt"]], form.run["model"]

    @answering(lambda sentence: {"text": sentence, "wrong": True})
    def check(prompt: str, negative: str, model: str) -> dict[str, Any]:
        try:
            run = RunSettings(prompt=prompt, negative_prompt=negative)
            unknown = engine.unknown_words(run.prompt, model)
            unread = engine.unread(run.prompt, model)
            unread_negative = engine.unread(run.negative_prompt, model)
        except SettingsError as error:
            return {"text": str(error), "wrong": True}
        except ModelError:  # said beside the menu
            return {"text": "", "wrong": False}
        notes = []
        if unknown:
            notes.append(f"The model does not know: {', '.join(unknown[:12])}.")
        if unread:
            notes.append(f"The prompt is too long, this is not read: {_cut(unread)}")
        if unread_negative:
            notes.append(
                f"The negative prompt is too long, this is not read: {_cut(unread_negative)}"
            )
        return {"text": " ".join(notes), "wrong": False}

    changes = [prompt.change for prompt in prompts]
    for event in (*changes, *(load.then for load in loads)):
        event(check, [*prompts, menu], words, **AT_ONCE)


def _cut(text: str, longest: int = 80) -> str:
    return text if len(text) <= longest else f"{text[:longest]} …"


def check_models(engine, settings: RunSettings) -> None:
    """Raise FormError for a model or refiner that is not in the catalogue."""
    for field in ("model", "refiner"):
        try:
            engine.catalog.find(getattr(settings, field))
        except ModelError as error:
            raise FormError([Problem(field, str(error))]) from None


def on_settings(
    engine,
    form: Form,
    parts: PlotParts,
    doctor: Doctor,
    afterwards: tuple[Dependency, ...],
) -> None:
    """Redraw the plot on every change of a setting that it, or a sentence beside it, depends on.

    The doctor's findings come with it. They change too when a model is there and when a run has
    ended: `afterwards` are those events.
    """
    prompts = {form.run["prompt"], form.run["negative_prompt"]}
    switches = {parts.quantity, parts.x_axis, parts.scale, parts.legend}
    inputs = form.controls() - prompts | switches
    menu = form.run["model"]

    def view(values: dict) -> View:
        pins = tuple(read_pins(values[parts.legend]))
        log_y = values[parts.scale] == "log"
        return View(values[parts.quantity], values[parts.x_axis], log_y, pins)

    def broken(sentence: str) -> dict[str, Any]:
        return problem_payload(FormError([Problem("", sentence)]))

    @answering(lambda sentence: {"findings": not_examined(sentence)})
    def examined(settings: RunSettings) -> dict[str, Any]:
        return {"findings": doctor.findings(settings)}

    @answering(broken)
    def drawn(settings: RunSettings, values: dict) -> dict[str, Any]:
        try:
            return plot_payload(settings, view(values))
        except FormError as error:  # the doctor, too, examines a lane that has no schedule
            return problem_payload(error)

    @answering(broken)
    def redraw(values: dict) -> dict[str, Any]:
        try:
            settings = form.read(values, unfit(engine, values[menu]))
            check_models(engine, settings)
        except FormError as error:
            return problem_payload(error)
        return drawn(settings, values) | examined(settings)

    def unanswered() -> dict[str, Any]:
        return broken("The server did not take this change; try another, or reload the page.")

    changes = [gr.on([control.change for control in inputs], redraw, inputs, parts.plot, **AT_ONCE)]
    changes += [event.then(redraw, inputs, parts.plot, **AT_ONCE) for event in afterwards]
    for change in changes:
        change.failure(unanswered, None, parts.plot, **AT_ONCE)


def on_run(engine, form: Form, parts: RunParts, doctor: Doctor) -> Dependency:
    """Run streams into the viewer; Stop, and the closing of the page, set the run's flag.

    Returns the event of a run, which ends with it.
    """
    cancels, listeners = Cancels(), Listeners(parts.page)
    full = FullFrames(engine)
    keep = keep_files(parts.viewer)
    one_by_one = asyncio.Lock()  # is fair: places in the queue are taken in the order of clicks

    def prepared(values: dict) -> tuple[RunSettings, dict[str, Any]]:
        settings = form.read(values, unfit(engine, values[form.run["model"]]))
        return settings, plan_payload(settings)

    async def run(values: dict, request: gr.Request) -> AsyncIterator[dict[str, Any]]:
        session = request.session_hash
        cancel, came = cancels.open(session), listeners.came(session, "run")
        full.end(session)
        try:
            async with one_by_one:
                settings, plan = await asyncio.to_thread(prepared, values)
                events = engine.astream(
                    settings,
                    cancel,
                    visitor=session or "",
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
            async for told in payloads:
                yield told

    def stop(request: gr.Request) -> None:
        cancels.set(request.session_hash)
        full.end(request.session_hash)

    def leave(request: gr.Request) -> None:
        stop(request)
        full.leave(request.session_hash)

    def refused() -> dict[str, Any]:
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
