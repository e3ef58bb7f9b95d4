"""What a run came to, in numbers: for tables, and for programs."""

import math
from typing import TypedDict

import numpy as np

from explorer.capture.trajectory import Trajectory
from explorer.records.run import RecordedRun
from explorer.sampling.wording import lane_letter
from explorer.settings import SettingsError
from explorer.views.lane_texts import write_lane_text


class LaneNumbers(TypedDict):
    """One lane of a run.

    `lane` is its letter, `text` what a command line calls it ("" for settings of another version).
    `latent_mean` and `latent_std` are those of its last latents. `difference` is the root mean
    square difference of its pictures from those of the first lane that has some, out of 255. They
    are None where a lane has none.
    """

    lane: str
    label: str
    text: str
    state: str
    message: str
    calls: int
    latent_mean: float | None
    latent_std: float | None
    difference: float | None


class RunFacts(TypedDict):
    """A run without its lanes; `seconds` are those of its denoising, None where unknown."""

    id: str
    state: str
    message: str
    seed: int
    model: str
    device: str
    seconds: float | None
    calls: int


class RunNumbers(RunFacts):
    """A run, and the numbers of its lanes."""

    lanes: list[LaneNumbers]


def run_numbers(run: RecordedRun, seconds: float | None = None) -> RunNumbers:
    """The numbers of a run that has ended."""
    first = next((each.images for each in run if each.images is not None), None)
    try:
        texts = [write_lane_text(lane) for lane in run.run_settings.lanes]
    except (SettingsError, TypeError):
        texts = [""] * len(run)
    return RunNumbers(
        id=run.id,
        state=run.state,
        message=run.message,
        seed=run.seed,
        model=run.model,
        device=run.device,
        seconds=seconds,
        calls=sum(each.nfe for each in run),
        lanes=[_lane(at, each, texts[at], first) for at, each in enumerate(run)],
    )


def _lane(at: int, lane: Trajectory, text: str, first: np.ndarray | None) -> LaneNumbers:
    final = None if lane.final is None else lane.final.astype(np.float64)
    return LaneNumbers(
        lane=lane_letter(at),
        label=lane.label,
        text=text,
        state=lane.state,
        message=lane.error,
        calls=lane.nfe,
        latent_mean=None if final is None else _finite(final.mean()),
        latent_std=None if final is None else _finite(final.std()),
        difference=_difference(lane.images, first),
    )


def _difference(images: np.ndarray | None, first: np.ndarray | None) -> float | None:
    if images is None or first is None or images.shape != first.shape:
        return None
    apart = images.astype(np.float64) - first
    return math.sqrt(np.mean(apart * apart))


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
