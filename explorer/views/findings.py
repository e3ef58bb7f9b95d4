"""The doctor's findings as plain JSON for the page, equal ones of several lanes merged.

The shape: a list of `FindingJSON`, the worst first.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, TypedDict

from explorer.capture.budget import Recording, limit_bytes
from explorer.doctor.examine import SEVERITIES, Cost, Finding, examine, price
from explorer.doctor.finding import WARNING
from explorer.doctor.lanes import equal_lanes
from explorer.runs.events import Event, Finished
from explorer.runs.inputs import picture_size
from explorer.settings import RunSettings
from explorer.views.engine_protocol import EngineLike

MOST_PACES = 1000  # that are stored
RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}


class FindingJSON(TypedDict):
    """A `Finding` of the doctor: its fields, with `lanes` and `all_lanes` in place of its lane.

    `lanes` are the indices of the lanes to which it applies (none: it is about the run),
    `all_lanes` says whether its fix applies to all of them.
    """

    severity: str
    code: str
    sentence: str
    numbers: dict[str, float]
    field: str
    fix: dict[str, Any] | None
    fix_label: str
    lanes: list[int]
    all_lanes: bool


class Doctor:
    """Examines the runs of one engine; knows how long a model call took in its last ones."""

    def __init__(self, engine: EngineLike):
        self._engine = engine
        self._seconds_a_call: dict[tuple, float] = {}  # of one lane, by what it depends on

    def findings(self, settings: RunSettings) -> list[FindingJSON]:
        """The findings of a run, the worst first; a lane without a schedule is one of them."""
        engine, name = self._engine, settings.model
        known = engine.facts.identity(name) is not None  # else they are mere defaults
        defaults = engine.facts.lane_defaults(name)[0] if known else None
        dtype = engine.dtype if name in ("", engine.resident) else ""
        findings, runs = [], True
        for index, lane in enumerate(settings.lanes):
            table, problem = None, ""
            try:
                table = lane.schedule(settings.steps)
            except ValueError as error:
                problem, runs = str(error), False
            findings += examine(
                lane,
                table,
                settings.steps,
                index=index,
                model_defaults=defaults,
                dtype=dtype,
                problem=problem,
            )
        findings += equal_lanes(settings.lanes)
        if runs:
            findings += price(self._cost(settings))
        return merged(findings, len(settings.lanes))

    async def timed(
        self, settings: RunSettings, events: AsyncGenerator[Event, None]
    ) -> AsyncGenerator[Event, None]:
        """The events of a run, unchanged; when it is done, its pace is stored."""
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Finished) and event.elapsed_s:
                    calls = sum(len(each.calls) for each in event.trajectories)
                    if calls:
                        while len(self._seconds_a_call) >= MOST_PACES:
                            self._seconds_a_call.pop(next(iter(self._seconds_a_call)))
                        self._seconds_a_call[_pace_key(settings)] = event.elapsed_s / calls
                yield event

    def _cost(self, settings: RunSettings) -> Cost:
        pace = self._seconds_a_call.get(_pace_key(settings))
        calls = tuple(step_range.nfe for step_range in settings.step_ranges)
        identity, memory = self._engine.facts.identity(settings.model), {}
        if identity is not None:
            size = picture_size(settings, (identity.width, identity.height))
            memory["recording_bytes"] = Recording.of_run(settings, size).total_bytes
            with suppress(ValueError):  # a limit that is not a number is reported when a run begins
                memory["room_bytes"] = limit_bytes()
        try:
            memory["networks"] = self._engine.memory_use(settings)
        except ValueError as error:
            memory["problem"] = str(error)
        seconds = pace and pace * sum(calls)
        return Cost(calls=calls, seconds=seconds, **memory)


def _pace_key(settings: RunSettings) -> tuple:
    """What the seconds of a model call depend on."""
    size = settings.width, settings.height, settings.batch_size
    return settings.model, size, settings.cfg_scale > 1, len(settings.lanes)


def not_examined(reason: str) -> list[FindingJSON]:
    """The findings of a run that the doctor failed to examine: a single one that says so."""
    sentence = f"The schedules could not be examined. {reason}"
    return merged([Finding(severity=WARNING, code="not_examined", sentence=sentence)], 0)


def merged(findings: list[Finding], count: int) -> list[FindingJSON]:
    """Findings as JSON, the worst first; those that differ only in their lane are merged.

    `count` is the number of lanes.
    """
    by_message: dict[tuple, FindingJSON] = {}
    for finding in findings:
        key = finding.severity, finding.code, finding.sentence, repr(finding.fix)
        entry = by_message.setdefault(
            key,
            {
                "severity": finding.severity,
                "code": finding.code,
                "sentence": finding.sentence,
                "numbers": dict(finding.numbers),
                "field": finding.field,
                "fix": finding.fix,
                "fix_label": finding.fix_label,
                "lanes": [],
                "all_lanes": False,
            },
        )
        if finding.lane is not None:
            entry["lanes"].append(finding.lane)
    for entry in by_message.values():
        of_run = not entry["lanes"] or "steps" in (entry["fix"] or ())
        entry["all_lanes"] = of_run or len(entry["lanes"]) == count
    return sorted(by_message.values(), key=lambda entry: RANK[entry["severity"]])
