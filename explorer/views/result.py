"""A recorded run for the viewer: its calls, its frames on sheets, its pictures.

The shape: `Result`, `{"id", "seed", "lanes": [LaneResult]}`. A lane that was not reached has a
label and no calls.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NotRequired, TypedDict

from explorer.capture.sheets import FrameSheet, frame_sheet
from explorer.sampling.calls import STEP
from explorer.views.examples import ExampleCard
from explorer.views.kept_pictures import Keeping
from explorer.views.plan import CallPlace, call_place

if TYPE_CHECKING:
    from explorer.capture.frames import LaneFrames
    from explorer.capture.trajectory import Call, Trajectory
    from explorer.records.shown import ShownCall
    from explorer.runs.events import Ended

INLINE_SHEET_PIXELS = 2**22  # of one that no file could be written for
LEVELS = ("sigma_next", "sigma_mid", "sigma_down", "sigma_up")


class Grid(TypedDict):
    """The layout of a sheet: frames row by row in `columns`, each `width` x `height` pixels."""

    columns: int
    width: int
    height: int


class LaneResult(TypedDict):
    """One lane of a recorded run.

    `denoised` and `noisy` are the addresses of two sheets with a frame per call, laid out as
    `grid`; `image` is that of the finished picture. Each is None where it is missing. `approximate`
    lists, by sheet, the calls whose frames are approximate because the run was stopped. `levels`
    are the noise levels of the steps that were recorded, by name (`LEVELS`): columns of one entry a
    call, None but in the rows of steps' first calls.
    """

    label: str
    calls: list[CallPlace]
    levels: NotRequired[dict[str, list[float | None]]]
    approximate: NotRequired[dict[str, tuple[int, ...]]]
    grid: NotRequired[Grid]
    denoised: NotRequired[str | None]
    noisy: NotRequired[str | None]
    image: NotRequired[str | None]


class Result(TypedDict):
    """What a run recorded; `seed` is the one drawn for the run if the form left it open.

    `id` is the run's, where it has one; a recorded `example` has its card.
    """

    id: NotRequired[str]
    example: NotRequired[ExampleCard]
    seed: int
    lanes: list[LaneResult]


def result_payload(event: "Ended", keeping: Keeping) -> Result:
    """The payload of a run's last event; its pictures are stored by `keeping`."""
    images = event.images or [None] * len(event.frames)
    lanes = zip(event.trajectories, event.frames, images, strict=True)
    return {"seed": event.seed, "lanes": [_lane(*lane, keeping) for lane in lanes]}


def _lane(
    trajectory: "Trajectory", frames: "LaneFrames | None", image: bytes | None, keeping: Keeping
) -> LaneResult:
    """One lane; without files its sheets are smaller."""
    if frames is None:
        return {"label": trajectory.label, "calls": []}
    lane: LaneResult = {
        "label": trajectory.label,
        "calls": [
            call_place(call.step, call.stage != STEP, call.sigma, call.timestep)
            for call in trajectory.calls
        ],
        "levels": levels_of(trajectory.calls, [call.stage != STEP for call in trajectory.calls]),
        "approximate": frames.approximate,
    }
    if not keeping.failed:
        _add_sheets(lane, frames.sheets, keeping)
    if keeping.failed:  # both sheets have one grid
        views = {"denoised": frames.denoised, "noisy": frames.noisy}
        small = {view: frame_sheet(each, INLINE_SHEET_PIXELS) for view, each in views.items()}
        _add_sheets(lane, small, keeping)
    what = f"the picture of {trajectory.label}"
    lane["image"] = keeping.address(image, "image.png", what) if image else None
    return lane


def levels_of(
    calls: Sequence["Call | ShownCall"], second: Sequence[bool]
) -> dict[str, list[float | None]]:
    """The recorded levels of a lane's steps as columns; `second` are the second calls of a step."""
    columns = {
        name: [
            None if is_second else getattr(call, name)
            for call, is_second in zip(calls, second, strict=True)
        ]
        for name in LEVELS
    }
    return {
        name: column for name, column in columns.items() if any(each is not None for each in column)
    }


def _add_sheets(lane: LaneResult, sheets: Mapping[str, FrameSheet], keeping: Keeping) -> None:
    what = f"the frames of {lane['label']}"
    denoised, noisy = sheets["denoised"], sheets["noisy"]
    lane["grid"] = Grid(columns=noisy.columns, width=noisy.width, height=noisy.height)
    lane["denoised"] = keeping.address(denoised.file, "denoised.jpg", what)
    lane["noisy"] = keeping.address(noisy.file, "noisy.jpg", what)
