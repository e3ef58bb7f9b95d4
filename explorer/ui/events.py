"""What happens on which event: small handlers between the form, the engine and the parts."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gradio as gr

from explorer.settings import RunSettings, SettingsError
from explorer.ui.betas import read_betas_file
from explorer.ui.form import Form, FormError
from explorer.ui.live import Cancels, failure, keep_files, plan_payload, run_payloads
from explorer.ui.plot import plot_payload, problem_payload

WAITING_RUNS = 16  # waiting for the device, each in one of Gradio's 40 threads
LONGEST_QUEUE = 64

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


def on_model(engine, brand: gr.HTML) -> None:
    """Load the model once a page is up, so that loading never delays it; say when it is ready."""
    timer = gr.Timer(0.5)
    begun = threading.Lock()  # held from the first look on

    def load() -> None:
        with suppress(Exception):  # the engine's state says what went wrong
            engine.load()

    def look() -> tuple[str, gr.Timer]:
        if begun.acquire(blocking=False):
            threading.Thread(target=load, name="load model", daemon=True).start()
        return engine.state, gr.Timer(active=engine.state == "loading")

    timer.tick(look, None, [brand, timer], queue=False, **INTERNAL)


def on_prompt(engine, form: Form, words: gr.HTML) -> None:
    """Name, under the prompt, the words that the model does not know."""

    def check(prompt: str) -> dict[str, Any]:
        try:
            RunSettings(prompt=prompt)
        except SettingsError as error:
            return {"text": str(error), "wrong": True}
        notes = []
        if unknown := engine.unknown_words(prompt)[:12]:
            notes.append(f"The model does not know: {', '.join(unknown)}.")
        if unread := engine.unread(prompt)[:80]:
            notes.append(f"The prompt is too long, this is not read: {unread}")
        return {"text": " ".join(notes), "wrong": False}

    form.run["prompt"].change(check, form.run["prompt"], words, **AT_ONCE)


def on_settings(form: Form, axes: tuple[gr.Radio, gr.Radio], plot: gr.HTML) -> None:
    """Redraw the plot on every change of a setting that it, or a sentence beside it, depends on."""
    prompts = {form.run["prompt"], form.run["negative_prompt"]}
    inputs = form.controls() - prompts | set(axes)
    x_axis, scale = axes

    def redraw(values: dict) -> dict[str, Any]:
        try:
            return plot_payload(form.read(values), values[x_axis], values[scale] == "log")
        except FormError as error:
            return problem_payload(error)

    gr.on([control.change for control in inputs], redraw, inputs, plot, **AT_ONCE)


def on_betas(form: Form, uploads: list[gr.UploadButton]) -> None:
    """Put the list in an uploaded file into the lane's text box, to be seen and edited there."""

    def read(path: str) -> str:
        try:
            return read_betas_file(path)
        except SettingsError as error:
            raise gr.Error(str(error), print_exception=False) from None

    for lane, upload in zip(form.lanes, uploads, strict=True):
        # Through the queue: outside it Gradio shows no error.
        upload.upload(read, upload, lane["trained_betas"], concurrency_limit=None, **INTERNAL)


def on_run(engine, form: Form, parts: RunParts) -> None:
    """Run streams into the viewer; Stop, and the closing of the page, set the run's flag."""
    cancels = Cancels()
    keep = keep_files(parts.viewer)

    def run(values: dict, request: gr.Request) -> Iterator[dict[str, Any]]:
        cancel = cancels.open(request.session_hash)
        try:
            settings = form.read(values)
            plan = plan_payload(settings)
            events = engine.stream(settings, cancel=cancel)
        except ValueError as error:  # its message is a sentence: FormError, SettingsError, ...
            yield failure(str(error))
            return
        yield plan
        yield from run_payloads(events, keep)

    def stop(request: gr.Request) -> None:
        cancels.set(request.session_hash)

    def refused() -> dict[str, Any]:
        return failure("The server did not take the run; it may be busy. Try again in a while.")

    started = parts.run.click(
        run,
        form.controls(),
        parts.viewer,
        concurrency_id="device",
        concurrency_limit=WAITING_RUNS,
        trigger_mode="multiple",  # the page itself refuses a click while a run goes on
        **INTERNAL,
    )
    started.failure(refused, None, parts.viewer, queue=False, **INTERNAL)
    parts.stop.click(stop, None, None, queue=False, **INTERNAL)
    parts.page.unload(stop)
