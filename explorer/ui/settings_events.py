"""When a setting changes, the plot and the sentences beside it are computed again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from explorer.models.catalog import ModelError
from explorer.settings import RunSettings
from explorer.ui.form import Form
from explorer.ui.handlers import UNQUEUED
from explorer.views.answers import answering
from explorer.views.curves import Curves, plot_payload, read_view
from explorer.views.engine_protocol import EngineLike
from explorer.views.findings import Doctor, not_examined
from explorer.views.model_card import hidden_fields
from explorer.views.problems import FormError, Problem, Problems, problem_payload
from explorer.views.prompt_notes import PromptNotes, prompt_notes


@dataclass(frozen=True)
class PlotParts:
    """The server's answer, and the row above the plot, whose value says what the plot shows."""

    answer: gr.HTML
    legend: gr.HTML


def on_prompt(
    engine: EngineLike, form: Form, notes: gr.HTML, loads: tuple[Dependency, ...]
) -> None:
    """Say, under the prompt, which parts of it the model does not read."""
    prompts, menu = [form.run["prompt"], form.run["negative_prompt"]], form.run["model"]

    @answering(lambda sentence: {"text": sentence, "wrong": True})
    def check(prompt: str, negative: str, model: str) -> PromptNotes:
        return prompt_notes(engine, prompt, negative, model)

    changes = [prompt.change for prompt in prompts]
    for event in (*changes, *(load.then for load in loads)):
        event(check, [*prompts, menu], notes, **UNQUEUED)


def check_models(engine: EngineLike, settings: RunSettings) -> None:
    """Raise FormError for a model or refiner that is not in the catalogue."""
    for field in ("model", "refiner"):
        try:
            engine.catalog.find(getattr(settings, field))
        except ModelError as error:
            raise FormError([Problem(field, str(error))]) from None


def on_settings(
    engine: EngineLike,
    form: Form,
    parts: PlotParts,
    doctor: Doctor,
    afterwards: tuple[Dependency, ...],
) -> None:
    """Redraw the plot on every change of a setting on which it, or a sentence beside it, depends.

    The doctor's findings come with it. They also change when a model has been loaded and when a run
    has ended: `afterwards` are those events.
    """
    prompts = form.run["prompt"], form.run["negative_prompt"]
    controls = [*(each for each in form.ordered() if each not in prompts), parts.legend]
    inputs, menu = set[Component](controls), form.run["model"]

    def broken(sentence: str) -> Problems:
        return problem_payload(FormError([Problem("", sentence)]))

    @answering(lambda sentence: {"findings": not_examined(sentence)})
    def examined(settings: RunSettings) -> dict[str, Any]:
        return {"findings": doctor.findings(settings)}

    @answering(broken)
    def drawn(settings: RunSettings, values: dict) -> Curves | Problems:
        try:
            return plot_payload(settings, read_view(values[parts.legend]))
        except FormError as error:  # the doctor, too, examines a lane that has no schedule
            return problem_payload(error)

    @answering(broken)
    def redraw(values: dict) -> Mapping[str, Any]:
        try:
            settings = form.read(values, hidden_fields(engine, values[menu]))
            check_models(engine, settings)
        except FormError as error:
            return problem_payload(error)
        return drawn(settings, values) | examined(settings)

    def unanswered() -> Problems:
        return broken("The server did not take this change; try another, or reload the page.")

    answer = parts.answer
    changes = [gr.on([each.change for each in controls], redraw, inputs, answer, **UNQUEUED)]
    changes += [event.then(redraw, inputs, answer, **UNQUEUED) for event in afterwards]
    for change in changes:
        change.failure(unanswered, None, answer, **UNQUEUED)
