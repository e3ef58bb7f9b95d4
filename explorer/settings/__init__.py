"""What a run may be told: its settings, their checks, and the files that hold them. No torch."""

from explorer.settings.fields import SettingsError
from explorer.settings.lane import LaneSettings
from explorer.settings.run import MAX_LANES, RunSettings
from explorer.settings.start_picture import picture_url

__all__ = ["MAX_LANES", "LaneSettings", "RunSettings", "SettingsError", "picture_url"]
