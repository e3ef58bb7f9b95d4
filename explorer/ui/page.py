"""The page: what stands where. What happens on which event is in events.py."""

import gradio as gr

from explorer.hosting.files import PLOTLY
from explorer.hosting.folders import choose_temp_folder
from explorer.plots.curves import QUANTITIES
from explorer.plots.figures import X_AXES
from explorer.settings import RunSettings
from explorer.settings.limits import DEFAULTS, Limits
from explorer.ui import events
from explorer.ui.findings import Doctor
from explorer.ui.form import Form, run_control
from explorer.ui.groups import folded, picture_group, refiner_group, start_group
from explorer.ui.history import history_part, on_fill, on_form
from explorer.ui.lanes import lanes_part
from explorer.ui.listeners import most_events
from explorer.ui.models import card, model_choices, refiner_choices
from explorer.ui.parts import part
from explorer.ui.payloads import as_sent, ignore_file_marks
from explorer.ui.plot import plot_payload
from explorer.ui.scheduler_files import file_part
from explorer.ui.sessions import keep_no_forms

MORE = (  # the run's further settings, row by row
    ("model", "refiner", "refiner_switch_at"),
    ("width", "height", "batch_size"),
    ("cfg_rescale", "rng"),
    ("init_image", "strength"),
)


def build(engine, limits: Limits = DEFAULTS) -> gr.Blocks:
    """The whole page around one engine, which loads nothing before a browser has the page."""
    choose_temp_folder()
    keep_no_forms()
    defaults = engine.defaults()
    with gr.Blocks(
        title="Sampler Explorer",
        fill_width=True,
        analytics_enabled=False,
        delete_cache=(3600, limits.keep_uploads_s),
    ) as page:
        part("skip")
        with gr.Sidebar(width=384, elem_id="settings"):
            with gr.Row(elem_id="head"):
                part("brand")
                history = history_part()
            form, about, words = _settings(engine, defaults)
        with gr.Row(elem_id="bar"):
            run = gr.Button("Run", variant="primary", elem_id="run", min_width=0)
            stop = gr.Button("Stop", elem_id="stop", min_width=0)
            part("progress")
        viewer = part("viewer", lanes=len(defaults.lanes))
        full_frames = part("full_frames", events=("ask",))
        plot = _plot(defaults)
        doctor = Doctor(engine)
        part("doctor", doctor.findings(defaults))
        part("sigmas")

        on_form(form, history)
        loads = events.on_model(engine, form, page, about, on_fill(form, history))
        events.on_prompt(engine, form, words, loads)
        parts = events.RunParts(page, run, stop, viewer, full_frames)
        runs = events.on_run(engine, form, parts, doctor)
        events.on_settings(engine, form, plot, doctor, (*loads, runs))
    ignore_file_marks(page)
    return page.queue(max_size=most_events(limits))


def _settings(engine, defaults: RunSettings) -> tuple[Form, gr.HTML, gr.HTML]:
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
    about = part("about", card(engine, first))
    examples = engine.examples()
    prompt = defaults.prompt or next(iter(examples), "")
    run["prompt"] = run_control("prompt", prompt, lines=2, max_lines=6)
    words = part("words", {"text": "", "wrong": False})
    part("examples", list(examples))
    run["negative_prompt"] = run_control(
        "negative_prompt", defaults.negative_prompt, lines=1, max_lines=4
    )
    with gr.Row(elem_classes="trio"):
        for name in ("steps", "cfg_scale", "seed"):
            run[name] = run_control(name, getattr(defaults, name))
    run |= picture_group(defaults)
    run |= start_group(defaults)
    run |= refiner_group(defaults, refiner_choices(engine), any_name)
    lanes = lanes_part(defaults.lanes)
    with folded("file", "Settings file"):
        file_part()
    return Form(run, lanes), about, words


def _plot(defaults: RunSettings) -> events.PlotParts:
    """The plot under its switches: what is drawn, its x axis, and the scale of its y axis."""
    with gr.Row(elem_id="axes"):
        quantity = _switch("quantity", "curve", {k: one.label for k, one in QUANTITIES.items()})
        x_axis = _switch("x_axis", "x axis", X_AXES)
        scale = _switch("y_axis", "y axis", {"log": "log", "linear": "linear"})
    legend = part("legend", [])
    plot = part("plot", plot_payload(defaults), script=PLOTLY)
    return events.PlotParts(plot, legend, quantity, x_axis, scale)


def _switch(elem_id: str, label: str, words: dict[str, str]) -> gr.Radio:
    """A choice between the words of some keys, of which the first is chosen."""
    choices = [(word, key) for key, word in words.items()]
    first = next(iter(words))
    return as_sent(gr.Radio(choices, value=first, label=label, elem_id=elem_id, min_width=0))
