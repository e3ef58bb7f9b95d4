"""The form's folded groups, and the settings in each."""

import gradio as gr

from explorer.settings import RunSettings
from explorer.ui.components import component
from explorer.ui.form import Controls, run_control
from explorer.views.form_values import SIZES


def folded(key: str, title: str) -> gr.HTML:
    """A group that opens by a click: a context manager in which its controls are made."""
    return component("fold", {"key": key, "title": title}, elem_id=f"{key}_group", children=True)


def picture_group(defaults: RunSettings) -> Controls:
    """Size, number of pictures, and where the noise is drawn."""
    run: Controls = {}
    with folded("picture", "Picture"):
        with gr.Row(elem_classes="trio"):
            for name in SIZES:
                run[name] = run_control(
                    name, getattr(defaults, name), placeholder="default", max_lines=1
                )
            run["batch_size"] = run_control("batch_size", defaults.batch_size)
        with gr.Row(elem_classes="duo"):
            for name in ("cfg_rescale", "rng"):
                run[name] = run_control(name, getattr(defaults, name))
        run["preview_decoder"] = run_control("preview_decoder", defaults.preview_decoder)
    return run


def start_group(defaults: RunSettings) -> Controls:
    """Image to image."""
    with folded("start", "Start from a picture"):
        init_image = run_control("init_image", None, show_label=False)
        with gr.Row(elem_classes="duo"):
            strength = run_control("strength", defaults.strength)
    return {"init_image": init_image, "strength": strength}


def refiner_group(
    defaults: RunSettings, choices: list[tuple[str, str]], any_name: bool
) -> Controls:
    """A second model for the last steps."""
    with folded("refiner", "Refiner"), gr.Row(elem_classes="duo"):
        return {
            "refiner": run_control(
                "refiner",
                defaults.refiner,
                choices=choices,
                allow_custom_value=any_name,
                filterable=any_name,
            ),
            "refiner_switch_at": run_control("refiner_switch_at", defaults.refiner_switch_at),
        }
