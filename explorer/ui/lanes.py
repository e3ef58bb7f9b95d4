"""The lanes' table, and settings out of files, as parts of the page."""

import gradio as gr

from explorer.settings import LaneSettings
from explorer.settings.limits import LIMITS
from explorer.ui.components import component
from explorer.views.lanes import TABLE, lanes_value, model_prop, numbers_of_file, spec
from explorer.views.lists import largest_file
from explorer.views.presets import preset_list
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


def open_settings() -> gr.HTML:
    """Open a picture, a text or a file with settings; what is dropped anywhere comes here too."""
    sizes = {"largest": LIMITS.upload_bytes, "longest": LIMITS.text_characters}
    return component("open_settings", sizes)


def presets() -> gr.HTML:
    """The field's presets, and the user's own, which the browser keeps."""
    return component("presets", preset_list())


def scheduler_file() -> gr.HTML:
    """Paste or open a scheduler_config.json, or download a lane as one."""
    file = {"name": NAME, "largest": largest_file()}
    return component("scheduler_file", file, server_functions=[take_file, make_file])
