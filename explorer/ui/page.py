"""The page's layout. The event handlers are in the modules *_events.py."""

import gradio as gr
from gradio.utils import get_upload_folder

from explorer.hosting.admission import Admission
from explorer.hosting.files import PLOTLY
from explorer.hosting.folders import choose_temp_folder
from explorer.hosting.run_store import RunStore
from explorer.hosting.service import Service
from explorer.plots.curves import QUANTITIES
from explorer.plots.figures import X_AXES
from explorer.records.exports.animation import WITHOUT_MP4, can_write_mp4
from explorer.records.shown import ShownRun
from explorer.runs.registry import RunRegistry
from explorer.settings import RunSettings
from explorer.settings.limits import LIMITS, Limits
from explorer.ui.api import add_endpoints
from explorer.ui.components import component
from explorer.ui.event_costs import spare_events
from explorer.ui.folded_groups import folded, picture_group, refiner_group, start_group
from explorer.ui.form import Form, run_control
from explorer.ui.history import history_buttons, on_fill, on_form
from explorer.ui.lanes import lanes_table, open_settings, presets, scheduler_file
from explorer.ui.learn import learn
from explorer.ui.listeners import most_events
from explorer.ui.model_events import ModelEvents
from explorer.ui.picture_files import keep_files
from explorer.ui.run_events import RunParts, on_run
from explorer.ui.served_page import ServedPage
from explorer.ui.sessions import keep_no_forms
from explorer.ui.settings_events import PlotParts, on_prompt, on_settings
from explorer.ui.tabs import panel, panels
from explorer.ui.unchecked import sanitize_payloads
from explorer.ui.upload_progress import tell_of_recent_uploads
from explorer.views.curves import plot_payload
from explorer.views.engine_protocol import EngineLike
from explorer.views.examples import example_cards
from explorer.views.findings import Doctor
from explorer.views.lanes import most_lanes
from explorer.views.model_card import model_card, model_choices, refiner_choices
from explorer.views.opened import Opened, opened_payload


def build(engine: EngineLike, limits: Limits = LIMITS, store: RunStore | None = None) -> ServedPage:
    """The whole page for one engine, which loads nothing before a browser has the page.

    Runs are kept in `store`, else nowhere.
    """
    store = store or RunStore()
    store.registry = runs = RunRegistry(limits, store.keep if store.folder else None)
    choose_temp_folder()
    keep_no_forms()
    tell_of_recent_uploads()
    defaults = engine.facts.defaults()
    with ServedPage(
        engine,
        runs,
        store,
        Admission(engine, limits),
        title="Sampler Explorer",
        fill_width=True,
        analytics_enabled=False,
        delete_cache=(3600, limits.keep_uploads_s),
    ) as page:
        component("skip")
        component("report")
        with gr.Sidebar(width=384, elem_id="settings"):
            with gr.Row(elem_id="head"):
                component("brand")
                history = history_buttons(engine)
            form, card, notes = _settings(engine, defaults)
        with gr.Row(elem_id="bar"):
            run = gr.Button("Run", variant="primary", elem_id="run", min_width=0)
            stop = gr.Button("Stop", elem_id="stop", min_width=0)
            bar = component("progress")
            component("save", without_mp4="" if can_write_mp4() else WITHOUT_MP4)
            component("copy_link")
        if store.folder is not None or store.examples.cards:
            component("past_runs", kept=store.folder is not None)
        viewer = component("viewer", lanes=len(defaults.lanes), most=most_lanes())
        full_frames = component("full_frames", events=("ask",))
        doctor = Doctor(engine, limits)
        plot = _below(defaults, doctor, store)

        keep = keep_files(viewer)
        page.service = Service(
            engine,
            store,
            limits,
            page.admission,
            runs=runs,
            keep=keep,
            uploads=get_upload_folder,
            doctor=doctor,
        )
        add_endpoints(page, page.service)  # first: names are theirs who come first

        on_form(form, history)
        loads = ModelEvents(engine, form, page, card, on_fill(form, history)).loaded
        on_prompt(engine, form, notes, loads)
        parts = RunParts(page, run, stop, bar, viewer, full_frames)
        started = on_run(engine, form, parts, doctor, store)
        on_settings(engine, form, plot, doctor, (*loads, started))
    names = [entry.name for entry in engine.entries]
    models = () if engine.catalog.anything else names

    def show(run: ShownRun) -> Opened:
        card = store.examples.card(run.id)
        return opened_payload(run, keep, models, names[0], card)

    page.show = show
    sanitize_payloads(page)
    page.queue(max_size=most_events(limits))
    spare_events(page)
    return page


def _settings(engine: EngineLike, defaults: RunSettings) -> tuple[Form, gr.HTML, gr.HTML]:
    """The sidebar: the model, what to draw, then the table of the lanes."""
    any_name, first = engine.catalog.anything, engine.entries[0].name
    run = {
        "model": run_control(
            "model",
            first,
            choices=model_choices(engine),
            allow_custom_value=any_name,
            filterable=any_name,
        )
    }
    card = component("model_card", model_card(engine, first))
    examples = engine.facts.examples()
    prompt = defaults.prompt or next(iter(examples), "")
    run["prompt"] = run_control("prompt", prompt, lines=2, max_lines=6)
    notes = component("prompt_note", {"text": "", "wrong": False})
    component("examples", list(examples))
    run["negative_prompt"] = run_control(
        "negative_prompt", defaults.negative_prompt, lines=1, max_lines=4
    )
    with gr.Row(elem_classes="trio"):
        for name in ("steps", "cfg_scale", "seed"):
            run[name] = run_control(name, getattr(defaults, name))
    run |= picture_group(defaults)
    run |= start_group(defaults)
    run |= refiner_group(defaults, refiner_choices(engine), any_name)
    lanes = lanes_table(defaults.lanes)
    with folded("presets", "Presets"):
        presets()
    with folded("file", "Settings file"):
        open_settings()
        scheduler_file()
    return Form(run, lanes), card, notes


def _below(defaults: RunSettings, doctor: Doctor, store: RunStore) -> PlotParts:
    """The tabs and their panels.

    What they show of the form's settings arrives with the server's whole answer to them, in a
    hidden component.
    """
    answer = component("answer", {**plot_payload(defaults), "findings": doctor.findings(defaults)})
    component("tabs")
    with panels():
        with panel("schedule"):
            plot = _plot(answer)
        with panel("table"):
            component("calls_table")
        with panel("learn"):
            learn()
            component("cards", example_cards(store.examples))
        with panel("doctor"):
            component("doctor")
        with panel("lanes"):
            pass  # settings/lanes.js moves the table of lanes here while the tab is open
    return plot


def _plot(answer: gr.HTML) -> PlotParts:
    """The plot, and the row above it: what it shows, the pins, its keys."""
    curves = {key: one.label for key, one in QUANTITIES.items()}
    legend = component("legend", curves=curves, axes=X_AXES)
    component("plot", script=PLOTLY, lanes=most_lanes())
    return PlotParts(answer, legend)
