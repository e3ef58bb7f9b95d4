"""A run as the page sees it: the engine's events as plain JSON, and who may end them."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.models.previews import sheet
from explorer.sampling.calls import STEP
from explorer.settings import RunSettings
from explorer.settings.groups import groups_of
from explorer.settings.text import encodable
from explorer.ui.kept_pictures import Keep, Keeping, data_url
from explorer.ui.plot import schedule_key

if TYPE_CHECKING:
    from explorer.capture.frames import LaneFrames
    from explorer.capture.trajectory import Trajectory
    from explorer.runs.events import Event

LOG = logging.getLogger(__name__)

MOST_FLAGS = 4096
SHEET_PIXELS = 2**24  # of one sheet: what a phone can hold decoded, four times
INLINE_SHEET_PIXELS = 2**22  # of one that no file could be written for
JPEG_QUALITY = 95  # the change view amplifies what the compression leaves


class Cancels:
    """One flag for each open page that runs: set it, and the page's run ends."""

    def __init__(self):
        self._flags: dict[str, threading.Event] = {}

    def open(self, session: str) -> threading.Event:
        """A new flag for the page's next run; one of an earlier run is set and forgotten."""
        self.set(session)
        while len(self._flags) >= MOST_FLAGS:  # of pages that never said that they went
            self._flags.pop(next(iter(self._flags)))
        flag = self._flags[session] = threading.Event()
        return flag

    def set(self, session: str) -> None:
        if flag := self._flags.pop(session, None):
            flag.set()


def plan_payload(settings: RunSettings) -> dict[str, Any]:
    """What is about to run: the first thing that the page hears of it.

    Each lane says its `group`: lanes of one are called together, and groups take turns. Raises
    SettingsError (a ValueError), also for a lane that has no schedule.
    """
    lanes = []
    groups = {lane: at for at, group in enumerate(groups_of(settings)) for lane in group.lanes}
    for lane, span in zip(settings.lanes, settings.spans, strict=True):
        table = lane.calls(settings.steps)
        columns = table.step, table.half, table.sigma, table.timestep
        calls = [_call(*row) for row in zip(*columns, strict=True)][span.first_call :]
        about = {"label": lane.label, "steps": table.steps, "group": groups[len(lanes)]}
        lanes.append(about | {"calls": calls})
    return {"state": "running", "message": "Starting", "plan": lanes, "key": schedule_key(settings)}


def _call(step: int, half: bool, sigma: float, timestep: float) -> dict[str, Any]:
    """Where one model call stands in its schedule."""
    place = {"step": int(step), "half": bool(half)}
    return place | {"sigma": float(sigma), "timestep": float(timestep)}


async def run_payloads(
    events: AsyncIterator["Event"], keep: Keep, plan: dict[str, Any] | None = None
) -> AsyncIterator[dict[str, Any]]:
    """Yield one JSON payload an event of `engine.astream`; closing this closes `events`.

    The plan is said again until the first call: a page that is still coming up misses what comes
    before it can listen. Whatever goes wrong is a payload with state "error" and a sentence.
    """
    try:
        async with aclosing(events):
            async for event in events:
                if any(event.frames):  # sheets take a while: not in the event loop
                    told = await asyncio.to_thread(payload, event, keep)
                else:
                    told = payload(event, keep)
                yield told if event.call or plan is None else plan | told
    except Exception as error:
        LOG.exception("A run broke off")
        name = type(error).__name__  # its words may name files of the server
        yield failure(f"The run broke off unexpectedly ({name}); the server's log has the reason.")


def failure(message: str) -> dict[str, Any]:
    """A run's last payload; the time makes it news to a page that was told the same before."""
    return {"state": "error", "message": encodable(message[:500]), "at": time.time()}


def payload(event: "Event", keep: Keep) -> dict[str, Any]:
    """One event as JSON: progress and previews, and at the end the recorded run."""
    data = {
        "state": event.state,
        "message": event.message,
        "lane": event.lane,
        "step": event.step,
        "steps": event.steps,
        "call": event.call,
        "calls": event.calls,
        "half": event.half,
        "elapsed": event.elapsed_s,
        "eta": event.eta_s,
        "place": event.place,
        "wait": event.wait_s,
        "making_frames": event.frames_due > 0,
        "previews": [data_url(preview) for preview in event.previews],
    }
    if any(event.frames):
        images = event.images or [None] * len(event.frames)
        lanes = zip(event.trajectories, event.frames, images, strict=True)
        keeping = Keeping(keep)
        data["run"] = {"seed": event.seed, "lanes": [_lane(*lane, keeping) for lane in lanes]}
        data["message"] = " ".join(filter(None, (event.message, keeping.sentence)))
    return data


def _lane(
    trajectory: "Trajectory",
    frames: "LaneFrames | None",
    image: bytes | None,
    keeping: Keeping,
) -> dict[str, Any]:
    """What the scrubber needs of one lane: its calls, its two sheets of frames, its picture.

    A lane whose turn did not come has a label and no calls. Without files its sheets are smaller.
    """
    if frames is None:
        return {"label": trajectory.label, "calls": []}
    calls = [
        _call(call.step, call.stage != STEP, call.sigma, call.timestep) for call in trajectory.calls
    ]

    def sheets(pixels: int) -> dict[str, Any]:
        found = {}
        for view in ("denoised", "noisy"):
            data, found["grid"] = frame_sheet(getattr(frames, view), pixels)
            what = f"the frames of {trajectory.label}"
            found[view] = keeping.address(data, f"{view}.jpg", what)
        return found

    kept = {} if keeping.failed else sheets(SHEET_PIXELS)
    if keeping.failed:  # both views have one grid
        kept = sheets(INLINE_SHEET_PIXELS)
    picture = image and keeping.address(image, "image.png", f"the picture of {trajectory.label}")
    about = {"label": trajectory.label, "calls": calls, "approximate": frames.approximate}
    return {**about, **kept, "image": picture}


def frame_sheet(frames: np.ndarray, pixels: int = SHEET_PIXELS) -> tuple[bytes, dict[str, int]]:
    """All frames (n, H, W, 3) as one JPEG, and its grid.

    A long run's frames are made smaller, so that the decoded sheet stays within so many pixels.
    """
    count, height, width, _ = frames.shape
    shrink = math.ceil(math.sqrt(count * height * width / pixels))
    if shrink > 1:
        height, width = height // shrink, width // shrink
        frames = frames[:, : height * shrink, : width * shrink]
        blocks = frames.reshape(count, height, shrink, width, shrink, 3)
        frames = blocks.mean(axis=(2, 4)).astype(np.uint8)
    columns = math.ceil(math.sqrt(count))
    grid = {"columns": columns, "width": width, "height": height}
    return sheet(frames, columns, quality=JPEG_QUALITY), grid
