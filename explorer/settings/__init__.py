"""What a run may be told: its settings, their checks, and the files that hold them. No torch."""

from explorer.settings.fields import SettingsError
from explorer.settings.lane import LaneSettings
from explorer.settings.run import RunSettings
from explorer.settings.start_picture import picture_url

__all__ = ["LaneSettings", "RunSettings", "SettingsError", "picture_url"]
