"""Events that a run sends, one kind for each state, as plain data."""

from dataclasses import dataclass
from typing import ClassVar

from explorer.capture.frames import LaneFrames
from explorer.capture.trajectory import CANCELLED, DONE, ERROR, Trajectory

QUEUED, LOADING, RUNNING = "queued", "loading", "running"


@dataclass(frozen=True, eq=False, kw_only=True)
class Event:
    """The fields of every event of a run; a run sends the kinds below, which can be pickled.

    `message` is a sentence or "". `seed` is the one that was drawn if the settings left it open,
    `model` the model's name, "" until it is known.
    """

    state: ClassVar[str]
    message: str = ""
    seed: int
    model: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Queued(Event):
    """The run waits for its turn.

    `place` is the number of runs before it, `wait_s` the seconds until its turn; both are None if
    unknown.
    """

    state = QUEUED
    place: int | None = None
    wait_s: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Loading(Event):
    """The run's models are being loaded, or those of an earlier run."""

    state = LOADING


@dataclass(frozen=True, eq=False, kw_only=True)
class Computed(Event):
    """The fields of events from the start of the denoising on: progress and previews.

    Step k of `steps` and call c of `calls` count from 1 and are 0 before the first call;
    `second_call` marks a step's second call. `lane` is None if all lanes are in lockstep; if groups
    of lanes take turns, it is one of the group's lanes, and steps and calls are those of that lane.
    `elapsed_s` are seconds since the denoising began, None before. `previews` are JPEGs of each
    lane's newest prediction, a batch tiled; None for a lane without one.
    """

    lane: int | None = None
    step: int = 0
    steps: int
    call: int = 0
    calls: int
    second_call: bool = False
    elapsed_s: float | None = None
    previews: tuple[bytes | None, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Denoising(Computed):
    """Model calls are made; `eta_s` are the seconds left, None if they cannot be estimated."""

    state = RUNNING
    eta_s: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class MakingFrames(Computed):
    """All calls and `made` of `due` frames are made; `eta_s` are the seconds for the others."""

    state = RUNNING
    made: int
    due: int
    eta_s: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Ended(Computed):
    """The last event, with the run's recording.

    There is a trajectory for each lane, its frames, and its pictures as PNG, a batch in one grid.
    Frames and pictures are None for a lane without any; the tuples are empty if no lane has one.
    `approximation` is a sentence on frames that are approximate because of a stop, or "";
    `model_fingerprint` tells the model's files from another's (records/made_with.py), or is "".
    """

    trajectories: tuple[Trajectory, ...] = ()
    frames: tuple[LaneFrames | None, ...] = ()
    images: tuple[bytes | None, ...] = ()
    approximation: str = ""
    model_fingerprint: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Finished(Ended):
    """The run made every call and every picture."""

    state = DONE


@dataclass(frozen=True, eq=False, kw_only=True)
class Cancelled(Ended):
    """The run was stopped."""

    state = CANCELLED


@dataclass(frozen=True, eq=False, kw_only=True)
class Failed(Ended):
    """The run broke off; `message` says why, `worker_died` whether its process has ended."""

    state = ERROR
    worker_died: bool = False


ENDINGS: dict[str, type[Ended]] = {each.state: each for each in (Finished, Cancelled, Failed)}
