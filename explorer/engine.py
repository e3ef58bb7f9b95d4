"""The engine for programs: `engine.run(settings)` and `engine.stream(settings)`."""

from explorer.capture.frames import LaneFrames
from explorer.runs.engine import BUNDLED, Engine, RunError, default_engine, run, stream
from explorer.runs.events import Event

__all__ = [
    "BUNDLED",
    "Engine",
    "Event",
    "LaneFrames",
    "RunError",
    "default_engine",
    "run",
    "stream",
]
