"""What an operator allows: every limit of a server in one object.

Each field is a flag of the command line and an environment variable too (limit_options.py).
"""

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

from explorer.byte_sizes import GIB, MIB

NONE = "no limit"
MINE, HOST, SPACE = PLACES = "mine", "host", "space"  # where the program runs


def _limit(
    default: Any,
    text: str,
    least: float = 1,
    most: float = math.inf,
    *,
    host: Any = None,
    space: Any = None,
    zero_text: str = "",
) -> Any:
    """A field with what it is, for the operator, and the range that the program can run with.

    `default` is for a program that listens on this machine only, `host` for one that others reach,
    `space` for a Space: each that of the one before, if it is not given. `zero_text` is what 0
    means.
    """
    host = default if host is None else host
    defaults = {MINE: default, HOST: host, SPACE: host if space is None else space}
    metadata = {"text": text, "least": least, "most": most, "defaults": defaults}
    return field(default=default, metadata=metadata | {"zero_text": zero_text})


@dataclass(frozen=True, kw_only=True)
class Limits:
    """An operator's limits; names that end in `_bytes` are sizes in bytes, in `_s` seconds.

    `request_bytes` holds for every request but uploads and is looked at before parsing. A visitor
    of a run is a browser, or a session where a browser does not say which it is; for uploads, an
    address. Raises ValueError for a number out of range.
    """

    hub_models: int = _limit(
        1,
        "whether visitors may have the known models of the hub downloaded and loaded (1), or only "
        "those of `--model` and `--allow` (0)",
        least=0,
        most=1,
        host=0,
    )
    lanes: int = _limit(16, "lanes of a run", least=2, most=16, space=6)
    steps: int = _limit(1000, "steps of a run", least=20, most=1000, space=250)
    side: int = _limit(2048, "a picture's longer side, in pixels", least=512, most=2048, space=1024)
    batch_size: int = _limit(16, "pictures of a lane", most=16, space=4)
    run_s: int = _limit(
        0,
        "how long a run may take by its own estimate",
        least=0,
        host=1200,
        space=180,
        zero_text=NONE,
    )
    runs_per_minute: int = _limit(
        0, "runs that a visitor may begin in a minute", least=0, host=20, space=12, zero_text=NONE
    )
    runs_per_minute_per_address: int = _limit(
        0, "the same of one address", least=0, host=60, space=36, zero_text=NONE
    )
    device_s_per_minute: int = _limit(
        0,
        "what a visitor's runs may take of the device in a minute, on average",
        least=0,
        host=50,
        space=40,
        zero_text=NONE,
    )
    device_s_per_minute_per_address: int = _limit(
        0, "the same of one address", least=0, space=50, zero_text=NONE
    )
    recording_gib: float = _limit(
        0.0,
        "a run's recording in memory, in GiB",
        least=0.001,
        space=2.0,
        zero_text="half of what is free, at most 8",
    )
    text_characters: int = _limit(
        400_000, "characters of a pasted list, a settings file or a pin", least=1000
    )
    prompt_characters: int = _limit(2000, "characters of a prompt", least=100)
    pins: int = _limit(100, "pinned schedules that are drawn")
    kept_picture_bytes: int = _limit(
        3 * MIB, "a start picture's file in a run's settings, which are copied often", least=2**16
    )
    decoded_picture_bytes: int = _limit(256 * MIB, "a start picture in memory, decoded")
    memory_share: float = _limit(
        0.9, "a run's share of the free memory", least=0.1, most=1, host=0.8
    )
    tiled_above: int = _limit(
        1024, "a picture's longer side that a VAE makes whole, in pixels", least=512
    )
    frame_pixels: int = _limit(2**24, "one frame in full size, in pixels", least=2**18)
    request_bytes: int = _limit(2 * MIB, "one request that is no upload")
    request_values: int = _limit(
        20_000, "numbers, texts, lists and keys of one request", least=2000
    )
    request_s: int = _limit(60, "how long one request that is no upload may take to come")
    refused_request_bytes: int = _limit(
        64 * MIB, "what is still read of a refused request, for its client to read the answer"
    )
    refused_request_s: int = _limit(20, "how long a refused request is still read")
    sessions: int = _limit(300, "pages whose state is kept")
    upload_bytes: int = _limit(20 * MIB, "one uploaded file")
    upload_s: int = _limit(600, "how long an upload may take to come")
    uploads_per_visitor_bytes: int = _limit(100 * MIB, "uploads of one address, together")
    uploads_total_bytes: int = _limit(2 * GIB, "uploads of everybody, together", space=GIB)
    free_disk_bytes: int = _limit(256 * MIB, "disk that uploads leave free for the files of runs")
    keep_uploads_s: int = _limit(
        24 * 3600, "how long uploads and pictures are kept", space=6 * 3600
    )
    kept_recordings_bytes: int = _limit(
        256 * MIB, "recordings of finished runs, for frames in full size"
    )
    waiting_runs: int = _limit(64, "runs that wait for the device", space=32)
    waiting_runs_per_address: int = _limit(
        0,
        "those of one address, with the one under way",
        least=0,
        host=32,
        space=16,
        zero_text=NONE,
    )
    waiting_runs_per_visitor: int = _limit(
        1, "runs of one visitor that wait beside the one under way"
    )
    no_listener_s: int = _limit(20, "how long a run that nobody follows keeps its place")
    grace_s: int = _limit(60, "how long a run goes on that nobody watches any more", least=0)
    kept_runs: int = _limit(200, "finished runs that are kept in memory")
    watched_runs: int = _limit(200, "pages that watch a run again, such as after a reload")
    watched_runs_per_address: int = _limit(16, "those of one address")
    unread_sessions: int = _limit(100, "sessions that have events which nobody reads")
    unread_messages: int = _limit(200, "messages that wait for one page that does not read")
    waiting_request_bytes: int = _limit(32 * MIB, "large requests under way, together")
    handler_threads: int = _limit(40, "threads that compute what pages ask for")
    log_line_characters: int = _limit(2000, "characters of one line of the log", least=100)
    ending_s: int = _limit(8, "how long the program's end waits for the model call under way")
    history_bytes: int = _limit(4 * GIB, "the runs of a history, together")
    keep_deleted_s: int = _limit(24 * 3600, "how long a deleted run can be brought back", least=0)
    imported_run_bytes: int = _limit(2 * GIB, "a run out of a .zip, unpacked")
    exports: int = _limit(2, "files of runs that are made at a time, for visitors to take away")
    exports_per_visitor: int = _limit(6, "those of one visitor that are made or wait")
    downloads: int = _limit(64, "files of runs that are made, wait or are on their way")
    downloads_per_address: int = _limit(16, "the same of one address")
    download_s: int = _limit(600, "how long a file of a run may take to go", least=10)
    animations: int = _limit(1, "animations that are made at a time")
    waiting_animations: int = _limit(8, "animations that wait, or are made and not fetched yet")
    animations_per_visitor: int = _limit(2, "the same of one visitor")
    animations_per_address: int = _limit(4, "the same of one address")
    keep_animations_s: int = _limit(300, "how long a finished animation waits to be fetched")

    def __post_init__(self):
        for each in fields(self):
            least, most = each.metadata["least"], each.metadata["most"]
            value = getattr(self, each.name)
            if value not in each.metadata["defaults"].values() and not least <= value <= most:
                raise ValueError(f"{each.name} must be {in_range(each)}; got {value}.")

    @classmethod
    def for_place(cls, place: str) -> "Limits":
        """The defaults of a place: "mine" for a program that listens on this machine only, "host"
        for one that others reach, "space" for a Space."""
        return cls(**{each.name: each.metadata["defaults"][place] for each in fields(cls)})


def place_of(environment: Mapping[str, str], is_shared: bool) -> str:
    """Where the program runs, by its environment, and by whether it serves other machines."""
    if environment.get("SPACE_ID"):
        return SPACE
    return HOST if is_shared or environment.get("GRADIO_ROOT_PATH") else MINE


def in_range(each: Field) -> str:
    """A field's range in words."""
    least, most = each.metadata["least"], each.metadata["most"]
    return f"from {least:g}" + (f" to {most:g}" if most < math.inf else " upwards")


LIMITS = Limits()  # of this process; everything reads its limits here


def set_limits(limits: Limits) -> None:
    """Make `limits` those of this process; for its start, before anything runs."""
    for each in fields(Limits):
        object.__setattr__(LIMITS, each.name, getattr(limits, each.name))
