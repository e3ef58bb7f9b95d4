"""What programs get of a run: progress without pictures, and at its end numbers and addresses.

The shapes: `RunProgress`, one after the other, the last one with `result`, a `RunResult`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from explorer.capture.trajectory import Trajectory
from explorer.records.run import RecordedRun
from explorer.views.run_numbers import LaneNumbers, RunFacts, run_numbers

WITHOUT = ("previews", "plan", "key", "run", "at")  # of a page's payload
FILES = {"zip": "zip", "table": "csv", "page": "html"}  # by kind, as save_routes.py calls it
ENDED = ("done", "cancelled", "error")


class LaneResult(LaneNumbers):
    """One lane of a run, with its numbers.

    `seconds` are what its calls took, together with the lanes that were called with it. `sigmas`
    and `timesteps` have an entry a call. `image` is the address of the picture, `denoised` and
    `noisy` those of the sheets with a frame a call, laid out as `grid`; None without.
    """

    sampler: str
    seconds: float | None
    sigmas: list[float]
    timesteps: list[float]
    image: str | None
    denoised: str | None
    noisy: str | None
    grid: Mapping[str, int] | None


class RunResult(RunFacts):
    """What a run recorded: its facts, and these.

    `settings` would repeat it, but for a start picture. The addresses are relative to the server's;
    `files` are by kind, and asked for with the header `x-visitor`.
    """

    settings: Mapping[str, Any]
    lanes: list[LaneResult]
    files: Mapping[str, str]


class RunProgress(TypedDict):
    """One message of a run; see views.progress.Progress for its fields.

    `id` is the run's, `visitor` whose it is: only requests with that in their header `x-visitor`
    get the run's files.
    """

    id: str
    visitor: str
    state: str
    message: str
    result: NotRequired[RunResult]


def progress_of(payload: Mapping[str, Any], visitor: str) -> dict[str, Any]:
    """A page's payload as a program's message: no picture is in it."""
    told = {name: value for name, value in payload.items() if name not in WITHOUT}
    return {"visitor": visitor, **told}


def result_of(
    run: RecordedRun,
    shown: Mapping[str, Any],
    lane_seconds: Sequence[float | None],
    seconds: float | None = None,
) -> RunResult:
    """What a run recorded; `shown` is the page's result, with the addresses of its pictures.

    `lane_seconds` has an entry a lane, `seconds` are those of the whole run.
    """
    numbers, pictures = run_numbers(run, seconds), shown.get("lanes", [])
    lanes = [
        _lane(
            numbers["lanes"][at],
            trajectory,
            run.settings,
            pictures[at] if at < len(pictures) else {},
            lane_seconds[at],
        )
        for at, trajectory in enumerate(run.trajectories)
    ]
    return {
        **numbers,
        "settings": {key: value for key, value in run.settings.items() if key != "init_image"},
        "lanes": lanes,
        "files": {kind: f"runs/{run.id}/save/{name}" for kind, name in FILES.items()},
    }


def _lane(
    numbers: LaneNumbers,
    trajectory: Trajectory,
    settings: Mapping[str, Any],
    shown: Mapping[str, Any],
    seconds: float | None,
) -> LaneResult:
    lanes = settings.get("lanes", ())
    return {
        **numbers,
        "sampler": lanes[trajectory.lane]["sampler"] if trajectory.lane < len(lanes) else "",
        "seconds": seconds,
        "sigmas": [float(call.sigma) for call in trajectory.calls],
        "timesteps": [float(call.timestep) for call in trajectory.calls],
        "image": _address(shown.get("image")),
        "denoised": _address(shown.get("denoised")),
        "noisy": _address(shown.get("noisy")),
        "grid": shown.get("grid"),
    }


def _address(address: str | None) -> str | None:
    """An address of a file: where none could be written the page has the picture itself."""
    return None if not address or address.startswith("data:") else address
