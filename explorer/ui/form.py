"""The form: one control for every field of RunSettings, the lanes' table, and back to settings."""

from collections.abc import Collection
from dataclasses import Field, dataclass
from functools import lru_cache
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component
from gradio.utils import get_upload_folder

from explorer.hosting.uploaded_files import read_upload
from explorer.settings import RunSettings, SettingsError
from explorer.settings.limits import LIMITS
from explorer.settings.start_picture import kept_picture, picture_url
from explorer.ui.start_picture import start_picture
from explorer.ui.unchecked import as_sent
from explorer.views.form_values import LANES, RUN_FIELDS, SIZES, control_value, read_form
from explorer.views.lanes import code_name
from explorer.views.limits import field_note

Control = gr.Textbox | gr.Number | gr.Dropdown | gr.Image
Controls = dict[str, Control]  # by field
Values = dict[Component, Any]


@dataclass(frozen=True, eq=False)
class Form:
    """The controls of the run by field, and the lanes' table."""

    run: Controls
    lanes: gr.HTML

    def __post_init__(self):
        assert self.run.keys() == RUN_FIELDS.keys(), self.run.keys() ^ RUN_FIELDS.keys()

    def controls(self) -> set[Block]:
        """All of them, as a run's inputs: a handler gets a dict of their values."""
        return {*self.run.values(), self.lanes}

    def ordered(self) -> list[Control | gr.HTML]:
        """All of them, in the order of `FORM_FIELDS`."""
        return [*(self.run[name] for name in RUN_FIELDS), self.lanes]

    def read(self, values: Values, without: Collection[str] = ()) -> RunSettings:
        """Return the settings that the controls' values make; raises FormError with every problem.

        A control of the run that is missing from `values`, or whose field is in `without`, counts
        as untouched.
        """
        named = {name: values[control] for name, control in self.run.items() if control in values}
        return read_form(named | {LANES: values[self.lanes]}, _uploaded, without)


@lru_cache(maxsize=4)  # an upload's path depends on its contents, and every redraw asks
def _uploaded(named: str) -> str:
    """The start picture that a browser names, as a data URL."""
    label = RUN_FIELDS["init_image"].metadata["label"]
    try:
        if named.startswith("data:"):
            return kept_picture(named)
        return picture_url(read_upload(named, get_upload_folder(), LIMITS.upload_bytes))
    except ValueError as error:
        raise SettingsError("init_image", f"{label}: {error}") from None


def run_control(name: str, value: Any, **kwargs: Any) -> Control:
    """The control of one field of RunSettings; its element id is the field's name."""
    spec = RUN_FIELDS[name]
    if name == "init_image":
        return start_picture(label=spec.metadata["label"], elem_id=name, min_width=0, **kwargs)
    return _control(spec, value, label=spec.metadata["label"], **kwargs)


def _control(spec: Field, value: Any, **kwargs: Any) -> Control:
    """The control that fits a field's type; all checks are left to the settings' sentences."""
    return as_sent(_plain_control(spec, value, **kwargs))


def _plain_control(spec: Field, value: Any, **kwargs: Any) -> gr.Textbox | gr.Number | gr.Dropdown:
    kwargs |= {"elem_id": spec.name, "min_width": 0}
    said = spec.metadata["help"], field_note(LIMITS, spec.name), code_name(spec)
    value, info = (
        control_value(spec.name, value),
        " ".join(filter(None, said)) or None,
    )
    if choices := kwargs.pop("choices", spec.metadata.get("choices")):
        kwargs = {"filterable": False} | kwargs
        return gr.Dropdown(choices, value=value, info=info, **kwargs)
    if spec.type in (int, float) and spec.name not in SIZES:
        kwargs["step"] = 1 if spec.type is int else "any"  # as HTML has it
        return gr.Number(value, info=info, elem_classes="number", **kwargs)
    return gr.Textbox(value, info=info, **kwargs)
