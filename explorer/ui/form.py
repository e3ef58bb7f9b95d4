"""The form: one control for every field of RunSettings and LaneSettings, and back to settings."""

from collections.abc import Collection
from dataclasses import Field, dataclass, fields, replace
from functools import lru_cache
from typing import Any

import gradio as gr

from explorer.settings import LaneSettings, RunSettings, SettingsError, picture_url
from explorer.ui.betas import FILE_TYPES, parse_betas
from explorer.ui.picture import start_picture

LANE_NAMES = ("A", "B")
RUN_FIELDS = {spec.name: spec for spec in fields(RunSettings) if spec.name != "lanes"}
LANE_FIELDS = {spec.name: spec for spec in fields(LaneSettings)}
SIZES = ("width", "height")  # an empty box is the model's own
OFF_ON = [("off", False), ("on", True)]

Controls = dict[str, gr.components.Component]  # by field
Values = dict[gr.components.Component, Any]


@dataclass(frozen=True)
class Problem:
    """A sentence about one control: `control` is its element id, "" where none is to blame."""

    control: str
    sentence: str


class FormError(ValueError):
    """What is wrong with the form, one problem for each part of it that has one."""

    def __init__(self, problems: list[Problem]):
        super().__init__(" ".join(problem.sentence for problem in problems))
        self.problems = problems


@dataclass(frozen=True, eq=False)
class Form:
    """The controls by field: those of the run, those of each lane, and the switch between them."""

    run: Controls
    lanes: tuple[Controls, ...]
    same: gr.Checkbox

    def __post_init__(self):
        assert self.run.keys() == RUN_FIELDS.keys(), self.run.keys() ^ RUN_FIELDS.keys()
        assert all(lane.keys() == LANE_FIELDS.keys() for lane in self.lanes), LANE_FIELDS

    def controls(self) -> set[gr.components.Component]:
        """All of them: the inputs of a run."""
        lanes = (control for lane in self.lanes for control in lane.values())
        return {*self.run.values(), *lanes, self.same}

    def read(self, values: Values, without: Collection[str] = ()) -> RunSettings:
        """The settings that the controls' values make; raises FormError with every problem.

        A control of the run that is missing from `values`, or whose field is in `without`, counts
        as untouched.
        """
        problems: list[Problem] = []
        settings = None
        try:
            read = {
                name: _read(name, values[control])
                for name, control in self.run.items()
                if control in values and name not in without
            }
            settings = RunSettings(**read)
        except SettingsError as error:
            problems.append(Problem(error.name, str(error)))
        lanes = [self._lane(lane, values, problems) for lane in range(len(self.lanes))]
        if problems:
            raise FormError(problems)
        return replace(settings, lanes=tuple(lanes))

    def _lane(self, lane: int, values: Values, problems: list[Problem]) -> LaneSettings | None:
        """One lane's settings, those of lane A but for the sampler where both are the same."""
        source = 0 if values[self.same] else lane
        read = {name: values[control] for name, control in self.lanes[source].items()}
        read["sampler"] = values[self.lanes[lane]["sampler"]]
        try:
            return LaneSettings(**read | {"trained_betas": parse_betas(read["trained_betas"])})
        except SettingsError as error:
            problem = Problem(element_id(error.name, source), str(error))
            if problem not in problems:
                problems.append(problem)
            return None


def _read(name: str, value: Any) -> Any:
    """A setting from what its control holds; raises SettingsError."""
    if name in SIZES:
        text = str(value or "0").strip()
        return int(text) if text.isdecimal() else value
    if name == "init_image":
        return _uploaded(value) if value else ""
    return value


@lru_cache(maxsize=4)  # an upload's path is that of its contents, and every redraw asks
def _uploaded(path: str) -> str:
    label = RUN_FIELDS["init_image"].metadata["label"]
    try:
        return picture_url(path)
    except ValueError as error:
        raise SettingsError("init_image", f"{label}: {error}") from None


def shown(name: str, value: Any) -> Any:
    """What the control of a field holds for a setting's value."""
    if name in SIZES:
        return str(value) if value else ""
    if name == "trained_betas":
        return ", ".join(map(repr, value)) if value else ""
    if name == "init_image":
        return None  # a picture comes by upload
    return value


def element_id(name: str, lane: int | None = None) -> str:
    """The id of a field's control in the page: `steps`, or `a_beta_end` for one of a lane."""
    return name if lane is None else f"{LANE_NAMES[lane].lower()}_{name}"


def run_control(name: str, value: Any, **look: Any) -> gr.components.Component:
    """The control of one field of RunSettings."""
    spec = RUN_FIELDS[name]
    return _control(spec, value, element_id(name), label=spec.metadata["label"], **look)


def lane_rows(defaults: tuple[LaneSettings, ...]) -> tuple[Controls, ...]:
    """A row for each field of LaneSettings, in it one control a lane; returns those, by lane."""
    lanes: tuple[Controls, ...] = tuple({} for _ in defaults)
    for spec in fields(LaneSettings):
        with gr.Row(elem_classes=["setting", f"setting-{spec.name.replace('_', '-')}"]):
            for lane, settings in enumerate(defaults):
                lanes[lane][spec.name] = _lane_control(spec, lane, getattr(settings, spec.name))
    return lanes


def upload_row() -> list[gr.UploadButton]:
    """A row of buttons that fill the lanes' trained betas from a file."""
    with gr.Row(elem_classes=["setting", "files"]):
        return [
            gr.UploadButton(
                "Betas from a file",
                file_types=FILE_TYPES,
                size="sm",
                elem_id=element_id("trained_betas_file", lane),
                elem_classes=["file", f"lane-{name.lower()}"],
            )
            for lane, name in enumerate(LANE_NAMES)
        ]


def _lane_control(spec: Field, lane: int, value: Any) -> gr.components.Component:
    """Lane A's control carries the row's visible label, the others' are for screen readers."""
    label = spec.metadata["label"]
    return _control(
        spec,
        value,
        element_id(spec.name, lane),
        label=label if lane == 0 else f"{label}, lane {LANE_NAMES[lane]}",
        show_label=lane == 0,
        elem_classes=["lane", f"lane-{LANE_NAMES[lane].lower()}"],
    )


def _control(spec: Field, value: Any, elem_id: str, **look: Any) -> gr.components.Component:
    """The control that fits a field's type; ranges are left to the settings' own sentences."""
    look |= {"elem_id": elem_id, "min_width": 0}
    value, info = shown(spec.name, value), spec.metadata["help"] or None
    if spec.name == "init_image":
        return start_picture(**look)
    own = OFF_ON if spec.type is bool else spec.metadata.get("choices")
    if choices := look.pop("choices", own):
        return gr.Dropdown(choices, value=value, info=info, **{"filterable": False} | look)
    if spec.type in (int, float) and spec.name not in SIZES:
        step = 1 if spec.type is int else "any"
        return gr.Number(value, info=info, step=step, **look)
    if spec.name == "trained_betas":
        look |= {"placeholder": "paste a list", "max_lines": 3}
    return gr.Textbox(value, info=info, **look)
