"""The lanes' table, and a lane as a settings file, as parts of the page."""

import gradio as gr

from explorer.settings import LaneSettings
from explorer.ui.components import component
from explorer.views.lanes import TABLE, lanes_value, model_prop, numbers_of_file, spec
from explorer.views.lists import largest_file
from explorer.views.scheduler_files import NAME, make_file, take_file


def lanes_table(defaults: tuple[LaneSettings, ...]) -> gr.HTML:
    """The table, whose value is `lanes_value`'s JSON.

    Its additional prop `model` holds what a model asks for: see `model_prop`.
    """
    return component(
        TABLE,
        lanes_value(defaults),
        spec=spec(),
        model=model_prop(defaults[0]),
        server_functions=[numbers_of_file],
    )


def scheduler_file() -> gr.HTML:
    """Paste or open a scheduler_config.json, or download a lane as one."""
    file = {"name": NAME, "largest": largest_file()}
    return component("scheduler_file", file, server_functions=[take_file, make_file])
