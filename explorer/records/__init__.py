"""What outlives a run: its folder, its zip, the history, and settings as others write them."""

from explorer.records.errors import RecordError
from explorer.records.history_folder import History, history
from explorer.records.opening import open_run
from explorer.records.run import RecordedLane, RecordedRun

__all__ = ["History", "RecordError", "RecordedLane", "RecordedRun", "history", "open_run"]
