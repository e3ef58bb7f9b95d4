"""The engine for programs: `engine.run(settings)` and `engine.stream(settings)`."""

from explorer.capture.frames import LaneFrames
from explorer.runs.engine import BUNDLED, Engine, RunError, default_engine, run, stream
from explorer.runs.events import (
    Cancelled,
    Computed,
    Denoising,
    Ended,
    Event,
    Failed,
    Finished,
    Loading,
    MakingFrames,
    Queued,
)

__all__ = [
    "BUNDLED",
    "Cancelled",
    "Computed",
    "Denoising",
    "Ended",
    "Engine",
    "Event",
    "Failed",
    "Finished",
    "LaneFrames",
    "Loading",
    "MakingFrames",
    "Queued",
    "RunError",
    "default_engine",
    "run",
    "stream",
]
