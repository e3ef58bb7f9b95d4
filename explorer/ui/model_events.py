"""When a page is opened or another model is chosen: the model is loaded, the form follows."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import count

import gradio as gr
from gradio.events import Dependency

from explorer.ui.cancels import Cancels
from explorer.ui.form import Form, Values
from explorer.ui.handlers import SIDE_BY_SIDE, session_of
from explorer.ui.model_menu import KEPT_FOR_THE_USER, Load, refill
from explorer.ui.served_page import ServedPage
from explorer.views.answers import answering_stream
from explorer.views.engine_protocol import EngineLike
from explorer.views.lanes import model_prop
from explorer.views.model_card import empty_card, model_card, model_name

PAGE_FIRST_S = 0.5  # a new page fetches its own files before a model is loaded

Updates = AsyncGenerator[Values, None]


class ModelEvents:
    """Loads the first model once a page is open, and any model that is chosen; updates the form.

    Where the page has `filled` the form, for example by an undo, the model is loaded and the rest
    of the form stays. `loaded` are the events that end when a model is loaded.
    """

    def __init__(
        self, engine: EngineLike, form: Form, page: ServedPage, card: gr.HTML, filled: Dependency
    ):
        self._engine, self._form, self._card = engine, form, card
        self._menu = form.run["model"]
        self._first = engine.entries[0].name
        self._settled = gr.State(self._first)  # the model that the form was last filled for
        self._newest = Cancels()
        self._loading: dict[str, str] = {}  # the model that a page waits for, by page
        self._brought_back: set[str] = set()  # pages whose form is not to be filled for it
        self._revisions = count(1)

        inputs = {*form.controls(), self._settled}
        kept = {form.run[name] for name in KEPT_FOR_THE_USER}  # never an output: start_picture.py
        outputs = list({*form.controls(), self._settled, card} - kept)
        answered = answering_stream(self._broken)
        self.loaded: tuple[Dependency, ...] = (
            page.load(answered(self.opened), inputs, outputs, **SIDE_BY_SIDE),
            self._menu.input(answered(self.chosen), inputs, outputs, **SIDE_BY_SIDE),
            filled.then(answered(self.restored), inputs, outputs, **SIDE_BY_SIDE),
        )
        page.on_left.append(self.left)

    async def opened(self, values: dict, request: gr.Request) -> Updates:
        """A page was opened."""
        engine = self._engine
        name = engine.resident or self._first
        waits = name != self._first or engine.facts.identity(name) is None
        session = session_of(request)
        cancel = self._begin(session, name)
        if not engine.resident:
            await asyncio.sleep(PAGE_FIRST_S)
        if cancel.is_set():  # the page has brought another model back meanwhile
            yield {self._settled: gr.skip()}
            return
        async for update in self._follow(values, session, name, waits, cancel):
            yield update

    async def chosen(self, values: dict, request: gr.Request) -> Updates:
        """A model was chosen in the menu."""
        name = model_name(values[self._menu]) or self._first
        session, before = session_of(request), values[self._settled]
        if name == self._loading.get(session) or name == before == self._engine.resident:
            yield {self._settled: gr.skip()}  # Gradio sends one choice twice
            return
        cancel = self._begin(session, name)
        self._brought_back.discard(session)
        async for update in self._follow(values, session, name, name != before, cancel):
            yield update

    async def restored(self, values: dict, request: gr.Request) -> Updates:
        """The page has filled its form, including the menu."""
        name, session = model_name(values[self._menu]) or self._first, session_of(request)
        if name != self._engine.resident:  # a kept form, while a server has just started
            self._brought_back.add(session)
        if name == self._loading.get(session, values[self._settled]):
            yield {self._settled: gr.skip()}
            return
        cancel = self._begin(session, name)
        async for update in self._follow(values, session, name, False, cancel):
            yield update

    def left(self, session: str) -> None:
        """A page was closed."""
        self._newest.set(session)
        self._loading.pop(session, None)
        self._brought_back.discard(session)

    def _begin(self, session: str, name: str) -> threading.Event:
        """Wait for this model from now on; returns what is set when another takes over."""
        cancel = self._newest.open(session)
        self._loading[session] = name
        return cancel

    async def _follow(
        self, values: dict, session: str, name: str, waits: bool, cancel: threading.Event
    ) -> Updates:
        """Load a model, report progress, fill the form; `waits` says whether a run has to wait."""
        engine, card, revision = self._engine, self._card, next(self._revisions)
        try:
            load = Load(engine, name)
            async with aclosing(load.followed(cancel)) as followed:
                async for message, fraction in followed:
                    progress = {"loading": message, "fraction": fraction, "waits": waits}
                    yield {card: model_card(engine, name, revision, **progress)}
        finally:
            if not cancel.is_set():
                self._loading.pop(session, None)
                waits = waits and session not in self._brought_back
                self._brought_back.discard(session)
        if cancel.is_set():  # another choice has taken over, or the page is closed
            yield {self._settled: gr.skip()}  # without any answer, Gradio would empty the controls
            return
        before = values[self._settled]
        if load.problem:
            name = engine.resident or before
            broken = model_card(engine, name, revision, problem=load.problem)
            yield {card: broken, self._menu: name}
            return
        wanted, message = self._filled(values, name, before, revision, waits)
        ready = model_card(engine, name, revision, settings_note=message)
        yield {**wanted, card: ready, self._menu: name, self._settled: name}

    def _filled(
        self, values: dict, name: str, before: str, revision: int, refilled: bool
    ) -> tuple[Values, str]:
        """Return the form's updates for a model, and a sentence on what they change."""
        facts = self._engine.facts
        defaults = facts.defaults(name)
        if refilled:
            return refill(self._form, values, defaults, facts.defaults(before), revision)
        wanted = model_prop(defaults.lanes[0], revision=revision)
        return {self._form.lanes: gr.update(model=wanted)}, ""

    def _broken(self, message: str) -> Values:
        return {self._card: empty_card(next(self._revisions), problem=message)}
