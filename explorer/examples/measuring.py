"""The numbers of the examples' claims: errors against fine runs, and how far lanes are apart."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from explorer.capture.trajectory import Trajectory
from explorer.records.run import RecordedRun
from explorer.settings import LaneSettings, RunSettings

FINE_STEPS = 400  # of the run that an error is measured against
SEEDS = 8  # of a claim that is about more than one picture
FINE_STEPS_OF_SEEDS = 100  # errors of some tenths are measured against it

Run = Callable[[RunSettings], RecordedRun]

FINE = LaneSettings(schedule_type="karras", round_timesteps="off")  # what DPM2 converges to


def fine_run(run: Run, settings: RunSettings, steps: int = FINE_STEPS) -> Trajectory:
    """The picture of these settings to which DPM2 converges, by many steps of one lane."""
    return run(replace(settings, steps=steps, lanes=(FINE,)))[0]


def rms(one: Trajectory, other: Trajectory) -> np.ndarray:
    """How far the final latents of each picture are apart: root mean square, shape (pictures,)."""
    assert one.final is not None
    assert other.final is not None
    difference = one.final.astype(np.float64) - other.final
    return np.sqrt(np.mean(difference**2, axis=(1, 2, 3)))


def levels(one: Trajectory, other: Trajectory) -> float:
    """How far the finished pictures are apart: mean of the difference, in levels of 255."""
    assert one.images is not None
    assert other.images is not None
    return float(np.mean(np.abs(one.images.astype(np.float64) - other.images)))


def apart(run: RecordedRun) -> np.ndarray:
    """How far the first two lanes' predictions are apart at each call: rms, shape (calls,)."""
    pairs = zip(run[0].calls, run[1].calls, strict=True)
    return np.array(
        [np.sqrt(np.mean((one.denoised - other.denoised) ** 2)) for one, other in pairs]
    )


def is_equal(one: Trajectory, other: Trajectory) -> bool:
    """Whether two lanes are equal to the bit: every recorded call, and the last latents."""
    if one.nfe != other.nfe:
        return False
    assert one.final is not None
    assert other.final is not None
    if not np.array_equal(one.final, other.final):
        return False
    pairs = zip(one.calls, other.calls, strict=True)
    return all(
        each.scale == its.scale and np.array_equal(each.values, its.values)
        for call, other_call in pairs
        for each, its in zip(call.packed(), other_call.packed(), strict=True)
    )
