"""The settings of a run, their validation, and the files that store them. No torch."""

from explorer.settings.fields import Refused, SettingsError
from explorer.settings.lane import LaneSettings
from explorer.settings.run import RunSettings
from explorer.settings.start_picture import picture_url

__all__ = ["LaneSettings", "Refused", "RunSettings", "SettingsError", "picture_url"]
