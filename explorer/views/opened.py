"""A run that is over, opened again: what the page shows of it, with nothing computed.

The shape: `Opened`.
"""

from collections.abc import Collection
from typing import Any, TypedDict

from explorer.capture.trajectory import DONE
from explorer.records.examples import Card
from explorer.records.shown import ShownCall, ShownLane, ShownRun
from explorer.settings import RunSettings
from explorer.settings.lane_names import lane_names
from explorer.settings.text import encodable
from explorer.views.examples import example_card
from explorer.views.form_values import RUN_FIELDS, form_values
from explorer.views.kept_pictures import Keep, Keeping
from explorer.views.lanes import most_lanes
from explorer.views.plan import CallPlace, LanePlan, call_place, plan_payload, schedule_key
from explorer.views.result import Grid, LaneResult, Result, levels_of

OF_THE_MENU = ("model", "refiner")  # fields that name a model which the server may not offer


class Opened(TypedDict):
    """A run as the page shows it.

    `state` and `message` are those of its last event, `result` what it recorded, `plan` its lanes
    as they were to run, and `key` that of its schedules, "" where this version has others.
    `settings` are the values of the form's controls by field, a start picture as a data URL; None
    where this version cannot have them, and `whole` says that all of the run's are among them.
    `notes` are sentences on what could not be shown as it was.
    """

    id: str
    created: str
    state: str
    message: str
    model: str
    result: Result
    plan: list[LanePlan]
    key: str
    settings: dict[str, Any] | None
    whole: bool
    notes: list[str]


def opened_payload(
    run: ShownRun,
    keep: Keep,
    models: Collection[str] = (),
    first: str = "",
    card: Card | None = None,
) -> Opened:
    """The payload of a run, whose pictures are stored by `keep`; of an example with its `card`.

    `models` are the names that the server offers, `first` the one that an empty name stands for;
    without names any model is taken.
    """
    keeping = Keeping(keep)
    example = {"example": example_card(card)} if card else {}
    lanes = [_lane(lane, keeping) for lane in run.lanes]
    settings, notes = None, []
    plan, key = [_plan_of_calls(lane, at) for at, lane in enumerate(lanes)], ""
    try:
        made_with = RunSettings.from_dict(dict(run.settings))
        settings, notes = _form(made_with, models, first)
        if len(made_with.lanes) == len(plan):
            plan, key = _plan(run, made_with, plan), schedule_key(made_with)
    except (ValueError, TypeError, AttributeError) as error:  # of another version, or made by hand
        reason = f" ({str(error)[:200]})" if isinstance(error, ValueError) else ""
        notes = [f"Its settings are not all settings of this version{reason}: the form is kept."]
    whole = settings is not None and not notes
    if keeping.sentence:
        notes.append(keeping.sentence)
    return encodable(
        {
            "id": run.id,
            "created": run.created.isoformat(),
            "state": run.state,
            "message": run.message,
            "model": run.model,
            "result": {"id": run.id, "seed": run.seed, "lanes": lanes, **example},
            "plan": plan,
            "key": key,
            "settings": settings,
            "whole": whole,
            "notes": notes,
        }
    )


def _form(
    settings: RunSettings, models: Collection[str], first: str
) -> tuple[dict[str, Any], list[str]]:
    """What every control of the form holds, and sentences on what it cannot hold."""
    values = form_values(settings)
    values["init_image"] = settings.init_image
    values["model"] = settings.model or first
    notes: list[str] = []
    for name in OF_THE_MENU:
        if models and values[name] and values[name] not in models:
            label = RUN_FIELDS[name].metadata["label"]
            notes.append(f"{label} {values.pop(name)[:80]} is not offered here.")
    if left_out := max(0, len(settings.lanes) - most_lanes()):
        notes.append(f"The page has {most_lanes()} lanes; the other {left_out} are left out.")
    return values, notes


def _lane(lane: ShownLane, keeping: Keeping) -> LaneResult:
    what = f"the frames of {lane.label}"
    payload: LaneResult = {
        "label": lane.label,
        "calls": [_place(call) for call in lane.calls],
        "levels": levels_of(lane.calls, [call.second_call for call in lane.calls]),
    }
    grids = {(each.columns, each.width, each.height) for each in lane.sheets.values()}
    if len(grids) == 1 and all(each.count >= len(lane.calls) for each in lane.sheets.values()):
        payload["grid"] = Grid(**dict(zip(("columns", "width", "height"), *grids, strict=True)))
        payload["approximate"] = dict(lane.approximate)
        for view in ("denoised", "noisy"):
            sheet = lane.sheets.get(view)
            payload[view] = sheet and keeping.address(sheet.file, f"{view}.jpg", what)
    picture = lane.picture
    what = f"the picture of {lane.label}"
    payload["image"] = keeping.address(picture, "image.png", what) if picture else None
    return payload


def _place(call: ShownCall) -> CallPlace:
    return call_place(call.step, call.second_call, call.sigma, call.timestep)


def _plan(run: ShownRun, settings: RunSettings, made: list[LanePlan]) -> list[LanePlan]:
    """A run's plan; that of one that was not stopped are its calls, as quick as they are read."""
    if run.state != DONE:
        return plan_payload(settings)["plan"]
    steps = (step_range.steps for step_range in settings.step_ranges)
    names = lane_names(settings.lanes)
    return [
        LanePlan(**{**lane, "steps": count, "label": name})
        for lane, count, name in zip(made, steps, names, strict=True)
    ]


def _plan_of_calls(lane: LaneResult, group: int) -> LanePlan:
    """A lane's plan from the calls that it made."""
    steps = len({call["step"] for call in lane["calls"]})
    return LanePlan(label=lane["label"], steps=steps, group=group, calls=lane["calls"])
