"""How far a run is, as the page shows it above the pictures.

The shape: `Progress`, one per event of the run; the last one has `run` of result.py beside it.
"""

import time
from typing import TypedDict

from explorer.runs.events import Computed, Denoising, Event, MakingFrames, Queued
from explorer.settings.text import encodable
from explorer.views.kept_pictures import data_url

LONGEST_MESSAGE = 500  # characters


class Progress(TypedDict):
    """One event of a run.

    `state` is "queued", "loading", "running", "done", "cancelled" or "error", `message` a sentence
    or "". Step k of `steps` and call c of `calls` count from 1 and are those of `lane`, or of all
    lanes where that is None, and 0 before the denoising begins; `second_call` says that the call is
    the second one of its step. `elapsed` and `eta` are seconds, None where unknown. In the queue
    `place` is the number of runs before this one and `wait` the seconds until its turn.
    `making_frames` says that all calls are made and only frames are missing. `previews` are each
    lane's newest prediction as a data URL, or None.
    """

    state: str
    message: str
    lane: int | None
    step: int
    steps: int
    call: int
    calls: int
    second_call: bool
    elapsed: float | None
    eta: float | None
    place: int | None
    wait: float | None
    making_frames: bool
    previews: list[str | None]


class Failure(TypedDict):
    """The last payload of a run that broke off; `at` makes it differ from an earlier one."""

    state: str
    message: str
    at: float


def progress_payload(event: Event) -> Progress:
    """One event of a run, without what it recorded."""
    payload: Progress = {
        "state": event.state,
        "message": event.message,
        "lane": None,
        "step": 0,
        "steps": 0,
        "call": 0,
        "calls": 0,
        "second_call": False,
        "elapsed": None,
        "eta": None,
        "place": None,
        "wait": None,
        "making_frames": isinstance(event, MakingFrames),
        "previews": [],
    }
    if isinstance(event, Queued):
        payload.update(place=event.place, wait=event.wait_s)
    if isinstance(event, Computed):
        payload.update(lane=event.lane, step=event.step, steps=event.steps, call=event.call)
        payload.update(calls=event.calls, second_call=event.second_call, elapsed=event.elapsed_s)
        payload["previews"] = [data_url(preview) for preview in event.previews]
    if isinstance(event, Denoising | MakingFrames):
        payload["eta"] = event.eta_s
    return payload


def failure(message: str) -> Failure:
    """A run's last payload, with a sentence on what went wrong."""
    return {"state": "error", "message": encodable(message[:LONGEST_MESSAGE]), "at": time.time()}
