"""Events: what a run tells while it goes on, as plain data."""

from dataclasses import dataclass

from explorer.capture.frames import LaneFrames
from explorer.capture.trajectory import Trajectory


@dataclass(frozen=True, eq=False, kw_only=True)
class Event:
    """One piece of news of a run: plain data, picklable.

    `state` is "queued", "loading", "running", "done", "cancelled" or "error". Step k of `steps`
    and call c of `calls` count from 1; `half` marks a call inside a step. `lane` is None where the
    news is of all lanes, in lockstep; where groups of lanes take turns it is one of the group's,
    and steps and calls are that lane's. `previews` are JPEGs of each lane's newest prediction, a
    batch tiled. The last event brings what was recorded, the lanes' frames, and their pictures as
    PNG, a batch in one grid; None for a lane that has none, nothing where no lane has one. `seed`
    is the one that was drawn where the settings left it open, `model` the model's name once it is
    known. A run that waits for its turn has a `place`, the number of runs before it, and `wait_s`,
    the seconds until its turn where they can be estimated. When all calls are made and only frames
    are missing, `frames_made` of `frames_due` are there, and `eta_s` is of the others.
    """

    state: str
    message: str = ""
    lane: int | None = None
    step: int = 0
    steps: int = 0
    call: int = 0
    calls: int = 0
    half: bool = False
    elapsed_s: float | None = None
    eta_s: float | None = None
    previews: tuple[bytes | None, ...] = ()
    trajectories: tuple[Trajectory, ...] = ()
    frames: tuple[LaneFrames | None, ...] = ()
    images: tuple[bytes | None, ...] = ()
    seed: int = 0
    model: str = ""
    place: int | None = None
    wait_s: float | None = None
    frames_made: int = 0
    frames_due: int = 0
