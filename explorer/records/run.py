"""A run that lasts: its lanes with what they recorded, and what it was made with."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.capture.sheets import FrameSheet
from explorer.capture.trajectory import CANCELLED, DONE, ERROR, Trajectory
from explorer.records.errors import NotSaved, is_nameable
from explorer.records.made_with import versions
from explorer.records.manifest import MOST_LANES
from explorer.records.pictures import lane_png
from explorer.settings import RunSettings

if TYPE_CHECKING:
    from explorer.capture.frames import LaneFrames


def new_run_id() -> str:
    """128 random bits as hexadecimal digits: nobody guesses another's."""
    return secrets.token_hex(16)


@dataclass(frozen=True, eq=False, kw_only=True)
class RecordedLane:
    """One lane of a run: its recording, its pictures as a PNG file, its frames on sheets.

    `picture_file` is that PNG where there is one already. `sheets` are by view, "denoised" and
    "noisy", with a frame a call; `approximate` holds, by view, the calls whose frames a stop has
    made approximate.
    """

    trajectory: Trajectory
    picture_file: bytes | None = None
    sheets: Mapping[str, FrameSheet] = field(default_factory=dict)
    approximate: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @cached_property
    def picture(self) -> bytes | None:
        """The pictures as a PNG file, a batch in one grid; None for a lane without any.

        It is made when it is first asked for: on a GPU it would take a third of a run's time.
        """
        if self.picture_file is None and self.trajectory.images is not None:
            return lane_png(self.trajectory)
        return self.picture_file


@dataclass(frozen=True, eq=False, kw_only=True)
class RecordedRun:
    """A run that is over, whole: what a folder keeps of it. It is a sequence of its trajectories.

    `settings` are plain data, as RunSettings.to_dict makes them; `state` is "done", "cancelled" or
    "error", `message` a sentence or "". `model_fingerprint` is that of made_with.py, or "".
    """

    settings: Mapping[str, Any]
    lanes: tuple[RecordedLane, ...]
    id: str = field(default_factory=new_run_id)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    state: str = DONE
    message: str = ""
    model: str = ""
    device: str = ""
    model_fingerprint: str = ""
    versions: Mapping[str, str] = field(default_factory=versions)

    def __post_init__(self):
        if not 1 <= len(self.lanes) <= MOST_LANES:
            raise ValueError(f"A run is kept with 1 to {MOST_LANES} lanes; got {len(self.lanes)}.")
        if self.created.tzinfo is None:
            object.__setattr__(self, "created", self.created.astimezone())

    @classmethod
    def of(
        cls,
        trajectories: Sequence[Trajectory],
        frames: "Sequence[LaneFrames | None]" = (),
        pictures: Sequence[bytes | None] = (),
        **more: Any,
    ) -> "RecordedRun":
        """A run of what `engine.run` returns, or of the parts of an event that ends a run.

        `frames` are uint8 (calls, H, W, 3) a lane, `pictures` PNG files, which are made where they
        are missing; `more` are other fields. Raises ValueError for no lanes, or too many.
        """
        count = len(trajectories)
        lanes = zip(trajectories, frames or [None] * count, pictures or [None] * count, strict=True)
        first = trajectories[0] if count else Trajectory()
        facts = {"settings": first.settings, "model": first.model, "device": first.device}
        states = [each.state for each in trajectories]
        worst = next((each for each in (ERROR, CANCELLED) if each in states), DONE)
        facts |= {"state": worst, "message": next((t.error for t in trajectories if t.error), "")}
        return cls(lanes=tuple(_lane(*lane) for lane in lanes), **facts | more)

    @property
    def run_settings(self) -> RunSettings:
        """The settings, checked; raises SettingsError where this version cannot run them."""
        return RunSettings.from_dict(dict(self.settings))

    @property
    def trajectories(self) -> tuple[Trajectory, ...]:
        return tuple(lane.trajectory for lane in self.lanes)

    @property
    def seed(self) -> int:
        seed = self.settings.get("seed")
        return seed if type(seed) is int and seed >= 0 else 0

    def __len__(self) -> int:
        return len(self.lanes)

    def __iter__(self) -> Iterator[Trajectory]:
        return iter(self.trajectories)

    def __getitem__(self, lane: int) -> Trajectory:
        return self.lanes[lane].trajectory

    def save(self, path: str | Path) -> Path:
        """Write the run as a new folder, or as a .zip where the path ends so; return its path.

        It is there whole or not at all; docs/run_format.md says what is in it. Raises NotSaved,
        with a sentence.
        """
        path = Path(path)
        if not is_nameable(path):
            raise NotSaved("The run was not saved: nothing can have that name; choose another.")
        if path.suffix == ".zip":
            from explorer.records.zip_file import save_zip

            return save_zip(self, path)
        from explorer.records.folder import write_folder
        from explorer.records.layout import run_files

        return write_folder(path, run_files(self))


def _lane(
    trajectory: Trajectory, frames: "LaneFrames | None", picture: bytes | None
) -> RecordedLane:
    if frames is None:
        return RecordedLane(trajectory=trajectory, picture_file=picture)
    return RecordedLane(
        trajectory=trajectory,
        picture_file=picture,
        sheets=frames.sheets,
        approximate={view: tuple(calls) for view, calls in frames.approximate.items()},
    )
