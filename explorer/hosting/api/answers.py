"""What programs get of a run: progress without pictures, and at its end numbers and addresses.

The shapes: `RunProgress`, one after the other, the last one with `result`, a `RunResult`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import numpy as np

from explorer.capture.trajectory import Trajectory
from explorer.records.run import RecordedRun

WITHOUT = ("previews", "plan", "key", "run", "at")  # of a page's payload
ENDED = ("done", "cancelled", "error")


class Statistics(TypedDict):
    """Mean, standard deviation and ends of a latent's numbers."""

    mean: float
    std: float
    min: float
    max: float


class LaneNumbers(TypedDict):
    """One lane of a run.

    `calls` are those that it made, `seconds` what those took, together with the lanes that were
    called with it. `sigmas` and `timesteps` have an entry a call. `final` is about the last latent,
    None where the run did not reach it. `image` is the address of the picture, `denoised` and
    `noisy` those of the sheets with a frame a call, laid out as `grid`; None without.
    """

    label: str
    sampler: str
    calls: int
    seconds: float | None
    sigmas: list[float]
    timesteps: list[float]
    final: Statistics | None
    image: str | None
    denoised: str | None
    noisy: str | None
    grid: Mapping[str, int] | None


class RunResult(TypedDict):
    """What a run recorded; the addresses are relative to the server's.

    `settings` would repeat it, but for a start picture. `files` are by kind, and asked for with the
    header `x-visitor`.
    """

    id: str
    seed: int
    model: str
    device: str
    settings: Mapping[str, Any]
    lanes: list[LaneNumbers]
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
    run: RecordedRun, shown: Mapping[str, Any], seconds: Sequence[float | None]
) -> RunResult:
    """What a run recorded; `shown` is the page's result, with the addresses of its pictures."""
    lanes = shown.get("lanes", [])
    settings = {name: value for name, value in run.settings.items() if name != "init_image"}
    return {
        "id": run.id,
        "seed": run.seed,
        "model": run.model,
        "device": run.device,
        "settings": settings,
        "lanes": [
            _lane(trajectory, run.settings, lanes[at] if at < len(lanes) else {}, seconds[at])
            for at, trajectory in enumerate(run.trajectories)
        ],
        "files": {
            "zip": f"runs/{run.id}/save/zip",
            "table": f"runs/{run.id}/save/csv",
            "page": f"runs/{run.id}/save/html",
        },
    }


def _lane(
    trajectory: Trajectory,
    settings: Mapping[str, Any],
    shown: Mapping[str, Any],
    seconds: float | None,
) -> LaneNumbers:
    lanes = settings.get("lanes", ())
    return {
        "label": trajectory.label,
        "sampler": lanes[trajectory.lane]["sampler"] if trajectory.lane < len(lanes) else "",
        "calls": trajectory.nfe,
        "seconds": seconds,
        "sigmas": [float(call.sigma) for call in trajectory.calls],
        "timesteps": [float(call.timestep) for call in trajectory.calls],
        "final": _statistics(trajectory.final),
        "image": _address(shown.get("image")),
        "denoised": _address(shown.get("denoised")),
        "noisy": _address(shown.get("noisy")),
        "grid": shown.get("grid"),
    }


def _address(address: str | None) -> str | None:
    """An address of a file: where none could be written the page has the picture itself."""
    return None if address is None or address.startswith("data:") else address


def _statistics(latent: np.ndarray | None) -> Statistics | None:
    """Of an array of any shape; None without one, or where it is not all numbers."""
    if latent is None or not latent.size or not np.isfinite(latent).all():
        return None
    numbers = latent.astype(np.float64)
    return {
        "mean": float(numbers.mean()),
        "std": float(numbers.std()),
        "min": float(numbers.min()),
        "max": float(numbers.max()),
    }
