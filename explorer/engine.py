"""The engine for programs: `engine.run(settings)` and `engine.stream(settings)`."""

from explorer.runs.engine import (
    BUNDLED,
    Engine,
    Event,
    LaneFrames,
    RunError,
    default_engine,
    run,
    stream,
)

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
