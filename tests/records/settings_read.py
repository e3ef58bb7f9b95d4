"""What was read from another program's text or graph, as tests compare it."""

from explorer.records.interchange import ReadSettings


def values_of(read: ReadSettings) -> dict:
    """The fields that were given, with their values."""
    (lane,) = read.settings.lanes
    return {
        name: getattr(lane, name.removeprefix("lanes."))
        if name.startswith("lanes.")
        else getattr(read.settings, name)
        for name in read.given
    }
