"""What outlives a run: its folder, its zip, the history, and settings as others write them."""

from explorer.records.errors import RecordError
from explorer.records.opening import open_run
from explorer.records.run import RecordedLane, RecordedRun

__all__ = ["RecordError", "RecordedLane", "RecordedRun", "open_run"]
