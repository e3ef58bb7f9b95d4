"""Events: what a run sends while it goes on, one kind a state, as plain data."""

from dataclasses import dataclass
from typing import ClassVar

from explorer.capture.frames import LaneFrames
from explorer.capture.trajectory import CANCELLED, DONE, ERROR, Trajectory

QUEUED, LOADING, RUNNING = "queued", "loading", "running"


@dataclass(frozen=True, eq=False, kw_only=True)
class Event:
    """What every event of a run has; a run sends one of the kinds below, which can be pickled.

    `message` is a sentence or "". `seed` is the one that was drawn where the settings left it open,
    `model` the model's name, "" until it is known.
    """

    state: ClassVar[str]
    message: str = ""
    seed: int
    model: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Queued(Event):
    """The run waits for its turn.

    `place` is the number of runs before it, `wait_s` the seconds until its turn; both are None
    where they are not known.
    """

    state = QUEUED
    place: int | None = None
    wait_s: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Loading(Event):
    """The run's models are loaded, or another one's whose turn comes first."""

    state = LOADING


@dataclass(frozen=True, eq=False, kw_only=True)
class Computed(Event):
    """What events have from the beginning of the denoising on: how far it is, and previews.

    Step k of `steps` and call c of `calls` count from 1 and are 0 before the first call;
    `second_call` marks a call inside a step. `lane` is None where all lanes are in lockstep; where
    groups of lanes take turns it is one of the group's, and steps and calls are that lane's.
    `elapsed_s` are seconds since the denoising began, None before. `previews` are JPEGs of each
    lane's newest prediction, a batch tiled; None for a lane that has none yet.
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
    """Model calls are made; `eta_s` are the seconds left, None where they cannot be estimated."""

    state = RUNNING
    eta_s: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class MakingFrames(Computed):
    """All calls are made, and `made` of `due` frames; `eta_s` are the seconds for the others."""

    state = RUNNING
    made: int
    due: int
    eta_s: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Ended(Computed):
    """The last event: what the run recorded.

    A trajectory a lane, the lanes' frames, and their pictures as PNG, a batch in one grid. Frames
    and pictures are None for a lane that has none; the tuples are empty where no lane has one.
    `approximation` is a sentence on frames that a stop has left approximate, or "".
    """

    trajectories: tuple[Trajectory, ...] = ()
    frames: tuple[LaneFrames | None, ...] = ()
    images: tuple[bytes | None, ...] = ()
    approximation: str = ""


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
    """The run broke off; `message` says why."""

    state = ERROR


ENDINGS: dict[str, type[Ended]] = {each.state: each for each in (Finished, Cancelled, Failed)}
