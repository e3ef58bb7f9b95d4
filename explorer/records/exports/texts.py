"""A run's settings as texts that are copied: JSON, and a lane's sigmas as ComfyUI takes them."""

from explorer.records.manifest import json_text
from explorer.records.pictures import provenance
from explorer.records.run import RecordedRun
from explorer.sampling.calls import STEP
from explorer.sampling.schedules import Schedule


def settings_json(run: RecordedRun) -> str:
    """All settings of a run as JSON, which is read again where it is dropped on the page.

    Of a start picture only its SHA-256 is in it.
    """
    facts = provenance(run.trajectories[0])
    facts.pop("lane")
    return json_text(facts)


def sigma_list(run: RecordedRun, lane: int) -> str:
    """A lane's sigmas as ComfyUI's nodes for custom sigmas take them: with commas, the last 0.

    One a whole step, those that the run covered; settings that cannot be read give those of the
    recorded calls.
    """
    return ", ".join(f"{sigma:.7g}" for sigma in _sigmas(run, lane))


def _sigmas(run: RecordedRun, lane: int) -> list[float]:
    try:
        settings = run.run_settings
        table = settings.lanes[lane].schedule(settings.steps)
        start = settings.step_ranges[lane].start
    except (ValueError, TypeError, IndexError):  # of another version, or made by hand
        calls = [call for call in run.trajectories[lane].calls if call.stage == STEP]
        end = calls[-1].sigma_next if calls else None
        return [call.sigma for call in calls] + [0.0 if end is None else end]
    if isinstance(table, Schedule):
        return [*table.sigma[start:].tolist(), table.final_sigma]
    return [*table.sigma[~table.second_call][start:].tolist(), table.sigma_end]
