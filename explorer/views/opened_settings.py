"""Settings that come from outside, as the page fills them in, and all that is to be said of them.

The shape: `OpenedSettings`.
"""

import json
from collections.abc import Mapping
from typing import Any, TypedDict

from explorer.records.interchange import ReadSettings, read_settings
from explorer.records.interchange.collected import Unmapped
from explorer.records.permalinks import is_permalink, read_permalink, write_permalink
from explorer.sampling.wording import joined
from explorer.settings import RunSettings, SettingsError
from explorer.settings.mending import mend
from explorer.views.engine_protocol import EngineLike
from explorer.views.form_values import LANES, RUN_FIELDS, SIZES, form_values, read_form
from explorer.views.lanes import LANE_FIELDS, lane_values, most_lanes, setting
from explorer.views.problems import FormError

LINK, KEPT = "a link", "the settings kept here"
# What a text should say; what it does not is assumed, and said.
EXPECTED = ("lanes.sampler", "lanes.schedule_type", "steps", "cfg_scale", "seed")
LONGEST_VALUE = 120
OF_A_SCHEDULER = (
    "This is a scheduler_config.json: open it in Settings file, for the lane it is for."
)
MOST_PARTS = 200  # that are listed; the others are counted


class UnmappedJSON(TypedDict):
    """A part of what was read that no setting here is, and why."""

    key: str
    value: str
    reason: str


class OpenedSettings(TypedDict):
    """Settings from outside.

    `source` is the program, or what they came from; `values` are those of the form, where a field
    that is missing stays as it is; `notes` are sentences, on what was assumed too; `unmapped` has
    no place here, and no run depends on what is `informative`; of very many the last entry counts
    those that are not listed.
    """

    source: str
    values: dict[str, Any]
    notes: list[str]
    unmapped: list[UnmappedJSON]
    informative: list[UnmappedJSON]


class LinkJSON(TypedDict):
    """The text of a permalink, and sentences on what is not in it."""

    link: str
    notes: list[str]


def open_text(engine: EngineLike, text: str) -> OpenedSettings:
    """What a text says: a link, or what `read_settings` takes; raises SettingsError likewise."""
    if is_permalink(text):
        return open_link(engine, text)
    try:
        return _opened(engine, read_settings(text, _names(engine)))
    except SettingsError:
        if is_scheduler_config(text):
            raise SettingsError("", OF_A_SCHEDULER) from None
        raise


def open_picture(engine: EngineLike, file: bytes) -> OpenedSettings:
    """What the text in a picture's file says; raises SettingsError if there is none."""
    return _opened(engine, read_settings(file, _names(engine)))


def open_link(engine: EngineLike, text: str) -> OpenedSettings:
    """What a permalink says; raises SettingsError if it cannot be read."""
    read = read_permalink(text)
    notes = list(read.notes)
    values = _values(engine, read.settings, notes)
    if not read.from_a_picture:
        values["init_image"] = None
    return _answer(LINK, values, notes)


def open_form(engine: EngineLike, form: Mapping[str, Any]) -> OpenedSettings:
    """A form's values that were kept by another version, or with other limits: what is allowed.

    Nothing is raised, whatever the values are. The start picture is the page's to bring back.
    """
    lane = lane_values(engine.facts.defaults().lanes[0])
    given, same = dict(form), False
    given.pop("init_image", None)
    if LANES in given:
        same, given[LANES] = _lanes_of_form(given[LANES], lane)
    for name in SIZES:
        if name in given:
            text = str(given[name] or 0).strip()
            given[name] = int(text) if text.isdecimal() and len(text) < 10 else given[name]
    mended = mend(given)
    notes = list(mended.notes)
    values = _values(engine, mended.settings, notes)
    if LANES in given:
        values[LANES]["same"] = same
    return _answer(KEPT, {name: value for name, value in values.items() if name in given}, notes)


def make_link(form: Mapping[str, Any]) -> LinkJSON:
    """The permalink of a form's values; raises FormError or SettingsError with what is wrong."""
    try:
        settings = read_form({**form, "init_image": ""}, str)
    except FormError as error:  # some of it may be about a start picture that is not looked at
        raise SettingsError(error.problems[0].control, str(error)) from None
    notes = ["The start picture is not in the link."] if form.get("init_image") else []
    return LinkJSON(
        link=write_permalink(settings, from_a_picture=bool(form.get("init_image"))), notes=notes
    )


def _names(engine: EngineLike) -> list[str]:
    return [entry.name for entry in engine.entries]


def _opened(engine: EngineLike, read: ReadSettings) -> OpenedSettings:
    notes = list(read.notes)
    values = _values(engine, read.settings, notes)
    if "preview_decoder" not in read.given:
        values.pop("preview_decoder")
    if "strength" not in read.given or read.settings.strength == 1:
        values["init_image"] = None
    if defaults := assumed(read):
        notes.append(f"Not in it, so the default here: {joined(defaults)}.")
    return _answer(read.source, values, notes, read.unmapped, read.informative)


def is_scheduler_config(text: str) -> bool:
    """Whether a text is JSON as a scheduler_config.json has it."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and ("_class_name" in data or "beta_schedule" in data)


def assumed(read: ReadSettings) -> list[str]:
    """What a text should have said and did not, with the default that it has instead."""
    lane = read.settings.lanes[0]
    texts = []
    for name in EXPECTED:
        if name in read.given or (name == "lanes.schedule_type" and lane.sigmas):
            continue
        of_lane = name.removeprefix("lanes.")
        spec, holder = (
            (LANE_FIELDS[of_lane], lane) if of_lane != name else (RUN_FIELDS[name], read.settings)
        )
        value = getattr(holder, of_lane)
        labels = {key: label for label, key in spec.metadata.get("choices", ())}
        text = labels.get(value) or (f"{value:g}" if isinstance(value, float) else str(value))
        texts.append(f"{spec.metadata['label']} {text}")
    return texts


def _values(engine: EngineLike, settings: RunSettings, notes: list[str]) -> dict[str, Any]:
    """The form's values; of models only those in the menus, for nothing else is to be loaded."""
    values = form_values(settings)
    del values["init_image"]
    names = _names(engine)
    if settings.model and settings.model not in names:
        notes.append(f"The model {_short(settings.model)} is not in the menu here.")
    if settings.model not in names:
        del values["model"]
    if settings.refiner and settings.refiner not in names:
        notes.append(f"The refiner {_short(settings.refiner)} is not in the menu here.")
        values["refiner"] = ""
    if (more := len(settings.lanes) - most_lanes()) > 0:
        notes.append(f"The page has {most_lanes()} lanes at most: the last {more} are left out.")
    return values


def _lanes_of_form(value: Any, defaults: Mapping[str, Any]) -> tuple[bool, Any]:
    """Whether lanes share their settings, and their settings, each missing one as the model's."""
    if not isinstance(value, Mapping) or not isinstance(value.get(LANES), list):
        return True, None
    lanes = []
    for column in value[LANES]:
        if isinstance(column, Mapping):
            whole = {**defaults, **column}
            column = {name: _setting(name, given) for name, given in whole.items()}
        lanes.append(column)
    return bool(value.get("same")), lanes


def _setting(name: str, given: Any) -> Any:
    try:
        return setting(name, given) if name in LANE_FIELDS else given
    except SettingsError:  # which is said where it is mended
        return given


def _answer(
    source: str,
    values: dict[str, Any],
    notes: list[str],
    unmapped: tuple[Unmapped, ...] = (),
    informative: tuple[Unmapped, ...] = (),
) -> OpenedSettings:
    return OpenedSettings(
        source=source,
        values=values,
        notes=notes,
        unmapped=_as_json(unmapped),
        informative=_as_json(informative),
    )


def _as_json(parts: tuple[Unmapped, ...]) -> list[UnmappedJSON]:
    listed = [
        UnmappedJSON(key=_short(each.key), value=_short(each.value), reason=each.reason)
        for each in parts[:MOST_PARTS]
    ]
    if (more := len(parts) - MOST_PARTS) > 0:
        listed.append(UnmappedJSON(key=f"{more:,} more", value="", reason="not listed"))
    return listed


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
