"""A run as it is shown: everything of it but the latents, which no picture on screen needs."""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from explorer.capture.sheets import FrameSheet
from explorer.capture.trajectory import MOST_PLAIN_BYTES
from explorer.records.errors import DamagedRun
from explorer.records.folder import RunFolder
from explorer.records.layout import STEPS
from explorer.records.manifest import LaneEntry, Manifest
from explorer.records.opening import read_picture, read_settings, read_sheets
from explorer.records.run import RecordedRun
from explorer.sampling.calls import STEP
from explorer.sampling.wording import lane_letter

LEVELS = ("sigma_next", "sigma_mid", "sigma_down", "sigma_up")  # of a step, which it may lack


@dataclass(frozen=True, kw_only=True)
class ShownCall:
    """Where a model call stood: its step from 0, whether it was that step's second one, its noise
    level `sigma` in units of the data, the timestep that the model was given, and its step's other
    levels, None where the sampler told none."""

    step: int
    second_call: bool
    sigma: float
    timestep: float
    sigma_next: float | None = None
    sigma_mid: float | None = None
    sigma_down: float | None = None
    sigma_up: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class ShownLane:
    """One lane: its calls, its picture as a PNG file, its frames as RecordedLane has them."""

    label: str
    state: str
    calls: tuple[ShownCall, ...] = ()
    picture: bytes | None = None
    sheets: Mapping[str, FrameSheet] = field(default_factory=dict)
    approximate: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class ShownRun:
    """A run that is over; the fields are those of RecordedRun."""

    id: str
    created: datetime
    state: str
    message: str
    model: str
    seed: int
    settings: Mapping[str, Any]
    lanes: tuple[ShownLane, ...]


def shown(run: RecordedRun) -> ShownRun:
    """What is shown of a run that is in memory."""
    lanes = tuple(
        ShownLane(
            label=lane.trajectory.label,
            state=lane.trajectory.state,
            calls=tuple(
                ShownCall(
                    step=call.step,
                    second_call=call.stage != STEP,
                    sigma=call.sigma,
                    timestep=call.timestep,
                    **{name: _level(getattr(call, name)) for name in LEVELS},
                )
                for call in lane.trajectory.calls
            ),
            picture=lane.picture,
            sheets=lane.sheets,
            approximate=lane.approximate,
        )
        for lane in run.lanes
    )
    return ShownRun(
        id=run.id,
        created=run.created,
        state=run.state,
        message=run.message,
        model=run.model,
        seed=run.seed,
        settings=run.settings,
        lanes=lanes,
    )


def open_shown(path: Path, called: str = "") -> ShownRun:
    """What is shown of a run's folder, its recordings unread; raises as `open_folder` does."""
    folder = RunFolder(path, called)
    manifest = folder.manifest()
    calls = _calls(folder, manifest)
    return ShownRun(
        id=manifest.id,
        created=manifest.created,
        state=manifest.state,
        message=manifest.message,
        model=manifest.model,
        seed=manifest.seed,
        settings=read_settings(folder, manifest),
        lanes=tuple(
            _lane(folder, manifest, entry, calls.get(lane_letter(position), ()))
            for position, entry in enumerate(manifest.lanes)
        ),
    )


def _lane(
    folder: RunFolder, manifest: Manifest, entry: LaneEntry, calls: tuple[ShownCall, ...]
) -> ShownLane:
    if len(calls) != entry.calls:
        raise DamagedRun(f"{folder.name} is damaged: {STEPS} has other calls than its lanes.")
    return ShownLane(
        label=entry.label,
        state=entry.state,
        calls=calls,
        picture=read_picture(folder, manifest, entry),
        sheets=read_sheets(folder, manifest, entry),
        approximate={view: each.approximate for view, each in entry.frames.items()},
    )


def _calls(folder: RunFolder, manifest: Manifest) -> dict[str, tuple[ShownCall, ...]]:
    """Each lane's calls by its letter; raises DamagedRun for a table that is none of ours."""
    entry = manifest.files.get(STEPS)
    if entry is None or entry.bytes > MOST_PLAIN_BYTES:
        raise DamagedRun(f"{folder.name} is damaged: it has no {STEPS}.")
    lanes: dict[str, list[ShownCall]] = {}
    try:
        for row in csv.DictReader(io.StringIO(folder.read(STEPS, entry).decode())):
            call = ShownCall(
                step=int(row["step"]),
                second_call=row["stage"] != STEP,
                sigma=float(row["sigma"]),
                timestep=float(row["timestep"]),
                **{name: _level(row[name] or None) for name in LEVELS},
            )
            if not math.isfinite(call.sigma + call.timestep):
                raise ValueError("no number")
            lanes.setdefault(row["lane"], []).append(call)
    except (ValueError, KeyError, TypeError, csv.Error):
        raise DamagedRun(f"{folder.name} is damaged: its {STEPS} is no table of calls.") from None
    return {letter: tuple(calls) for letter, calls in lanes.items()}


def _level(value: str | float | None) -> float | None:
    """A level, None where there is none."""
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else None
