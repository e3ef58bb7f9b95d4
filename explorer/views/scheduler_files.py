"""A lane as a settings file, for the page: read and write; whatever is dropped is listed."""

from typing import Any

from explorer.settings import SettingsError
from explorer.settings.scheduler_file import read_scheduler_file, write_scheduler_file
from explorer.views.answers import answering
from explorer.views.lanes import lane_values, read_lanes

NAME = "scheduler_config.json"
NOT_WHOLE = {"problem": "Not taken over: the settings did not arrive whole; try again."}


@answering(lambda sentence: {"problem": sentence})
def take_file(given: Any) -> dict[str, Any]:
    """`{"text", "sampler"}` to `{"values", "notes"}` for a lane's column, or `{"problem"}`.

    Anybody may call this: it opens no path.
    """
    try:
        text, sampler = given["text"], given["sampler"]
        if not isinstance(text, str):
            return NOT_WHOLE
        read = read_scheduler_file(text, sampler)
    except (TypeError, KeyError):
        return NOT_WHOLE
    except SettingsError as error:
        return {"problem": str(error)}
    return {"values": lane_values(read.lane), "notes": list(read.notes)}


@answering(lambda sentence: {"problem": sentence})
def make_file(column: object) -> dict[str, str]:
    """A lane's column of the lanes' table to `{"text"}`, or `{"problem"}`."""
    lanes, problems = read_lanes({"lanes": [column], "same": False})
    if problems:
        return {"problem": problems[0][1]}
    return {"text": write_scheduler_file(lanes[0])}
