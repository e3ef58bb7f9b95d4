"""Settings as other programs write them: A1111's text and its dialects, ComfyUI's graphs."""

from explorer.records.interchange.collected import ReadSettings, Unmapped
from explorer.records.interchange.read_settings import read_settings

__all__ = ["ReadSettings", "Unmapped", "read_settings"]
