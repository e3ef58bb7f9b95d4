"""The doctor's findings as plain JSON for the page, equal ones of several lanes merged.

The shape: a list of `FindingJSON`, the worst first.
"""

from contextlib import suppress
from typing import Any, TypedDict

from explorer.capture.budget import Recording, limit_bytes
from explorer.doctor.examine import SEVERITIES, Cost, Finding, examine, price
from explorer.doctor.finding import WARNING
from explorer.doctor.lanes import equal_lanes
from explorer.runs.inputs import picture_size
from explorer.runs.refusals import refuse_long
from explorer.settings import Refused, RunSettings
from explorer.settings.limits import LIMITS, Limits
from explorer.views.engine_protocol import EngineLike

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
    """Examines the runs of one engine, which takes them within an operator's limits."""

    def __init__(self, engine: EngineLike, limits: Limits = LIMITS):
        self._engine, self._limits = engine, limits

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

    def _cost(self, settings: RunSettings) -> Cost:
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
        estimate, too_long = self._engine.estimate(settings), ""
        try:
            refuse_long(settings, estimate, self._limits)
        except Refused as error:
            too_long = str(error)
        return Cost(calls=calls, seconds=estimate.seconds, too_long=too_long, **memory)


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
