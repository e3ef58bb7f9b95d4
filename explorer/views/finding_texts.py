"""The doctor's findings as lines of text, and those about a lane of which no run is known."""

from collections.abc import Mapping
from typing import Any

from explorer.doctor.examine import examine
from explorer.sampling.wording import lane_letter
from explorer.settings import LaneSettings
from explorer.views.findings import FindingJSON, merged
from explorer.views.lane_texts import value_text


def finding_text(finding: Mapping[str, Any]) -> str:
    """A finding in a line: how bad it is, where, what it is, and what resolves it."""
    lanes = finding["lanes"] if not finding["all_lanes"] else []
    where = f"lane {', '.join(map(lane_letter, lanes))}: " if lanes else ""
    fix = finding["fix"]
    change = ", ".join(f"{name}={value_text(value)}" for name, value in (fix or {}).items())
    return f"{finding['severity']}: {where}{finding['sentence']}" + (
        f" [{finding['fix_label']}: {change}]" if fix else ""
    )


def findings_of_lane(
    lane: LaneSettings, steps: int, defaults: LaneSettings | None
) -> list[FindingJSON]:
    """The findings about a scheduler's file: what model it is of is not known, if not said."""
    table, problem = None, ""
    try:
        table = lane.schedule(steps)
    except ValueError as error:
        problem = str(error)
    found = examine(lane, table, steps, index=0, model_defaults=defaults, problem=problem)
    return merged(found, 1)
