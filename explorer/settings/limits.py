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

    `request_bytes` holds for every request but uploads and is checked before parsing. A visitor
    of a run is a browser, or a session where a browser does not say which it is; for uploads, an
    address. Raises ValueError for a number out of range.
    """

    hub_models: int = _limit(
        1,
        "1 if visitors may choose any of the known models of the hub, which are then downloaded "
        "and loaded; 0 for only those of `--model` and `--allow`",
        least=0,
        most=1,
        host=0,
    )
    lanes: int = _limit(16, "lanes in a run", least=2, most=16, space=6)
    steps: int = _limit(1000, "steps in a run", least=20, most=1000, space=250)
    side: int = _limit(
        2048, "longer side of a picture, in pixels", least=512, most=2048, space=1024
    )
    batch_size: int = _limit(16, "pictures per lane", most=16, space=4)
    run_s: int = _limit(
        0,
        "estimated time that a run may take",
        least=0,
        host=1200,
        space=180,
        zero_text=NONE,
    )
    runs_per_minute: int = _limit(
        0, "runs that a visitor may start per minute", least=0, host=20, space=12, zero_text=NONE
    )
    runs_per_minute_per_address: int = _limit(
        0, "runs that one address may start per minute", least=0, host=60, space=36, zero_text=NONE
    )
    device_s_per_minute: int = _limit(
        0,
        "average time on the device, per minute, for one visitor's runs",
        least=0,
        host=50,
        space=40,
        zero_text=NONE,
    )
    device_s_per_minute_per_address: int = _limit(
        0,
        "average time on the device, per minute, for the runs of one address",
        least=0,
        space=50,
        zero_text=NONE,
    )
    recording_gib: float = _limit(
        0.0,
        "size of a run's recording in memory, in GiB",
        least=0.001,
        space=2.0,
        zero_text="half of the free memory, at most 8",
    )
    text_characters: int = _limit(
        400_000, "characters in a pasted list, a settings file or a pin", least=1000
    )
    prompt_characters: int = _limit(2000, "characters in a prompt", least=100)
    pins: int = _limit(100, "pinned schedules drawn on the plot")
    kept_picture_bytes: int = _limit(
        3 * MIB, "file of a start picture inside a run's settings", least=2**16
    )
    decoded_picture_bytes: int = _limit(256 * MIB, "decoded start picture in memory")
    memory_share: float = _limit(
        0.9, "share of the free memory that a run may use", least=0.1, most=1, host=0.8
    )
    tiled_above: int = _limit(
        1024, "longer side, in pixels, above which the VAE decodes a picture in tiles", least=512
    )
    frame_pixels: int = _limit(2**24, "pixels in one full-size frame", least=2**18)
    request_bytes: int = _limit(2 * MIB, "size of a request other than an upload")
    request_values: int = _limit(
        20_000, "numbers, texts, lists and keys in one request", least=2000
    )
    request_s: int = _limit(
        60, "time for a request other than an upload to arrive, and for the head of any request"
    )
    refused_request_bytes: int = _limit(
        64 * MIB,
        "bytes of a refused request that are still read, so that its client sees the answer",
    )
    refused_request_s: int = _limit(20, "time during which a refused request is still read")
    sessions: int = _limit(300, "open pages whose state is kept")
    upload_bytes: int = _limit(20 * MIB, "size of one uploaded file")
    upload_s: int = _limit(600, "time for an upload to arrive")
    uploads_per_visitor_bytes: int = _limit(100 * MIB, "total size of the uploads from one address")
    uploads_total_bytes: int = _limit(2 * GIB, "total size of all uploads", space=GIB)
    free_disk_bytes: int = _limit(
        256 * MIB, "disk space that uploads leave free for the files of runs"
    )
    keep_uploads_s: int = _limit(
        24 * 3600, "time for which uploads and pictures are kept", space=6 * 3600
    )
    kept_recordings_bytes: int = _limit(
        256 * MIB, "recordings of finished runs that are kept in memory for full-size frames"
    )
    waiting_runs: int = _limit(64, "runs waiting for the device", space=32)
    waiting_runs_per_address: int = _limit(
        0,
        "runs of one address that wait or are under way",
        least=0,
        host=32,
        space=16,
        zero_text=NONE,
    )
    waiting_runs_per_visitor: int = _limit(
        1, "runs of one visitor that wait while another of hers is under way"
    )
    no_listener_s: int = _limit(
        20, "time for which a waiting run keeps its place while nobody follows it"
    )
    grace_s: int = _limit(
        60, "time for which a run continues after the last page that watched it has gone", least=0
    )
    kept_runs: int = _limit(200, "finished runs kept in memory")
    watched_runs: int = _limit(200, "pages that have come back to a run, such as after a reload")
    watched_runs_per_address: int = _limit(16, "such pages from one address")
    unread_sessions: int = _limit(100, "sessions with unread events")
    unread_messages: int = _limit(200, "unread messages that are kept for one page")
    waiting_request_bytes: int = _limit(32 * MIB, "total size of the large requests under way")
    handler_threads: int = _limit(40, "threads that answer requests")
    log_line_characters: int = _limit(2000, "characters in one line of the log", least=100)
    ending_s: int = _limit(
        8, "time that the program, when it ends, waits for the model call under way"
    )
    hung_worker_s: int = _limit(
        120,
        "time after which a worker process is replaced if it gives no sign of life, or continues a "
        "run that was stopped",
        least=2,
    )
    history_bytes: int = _limit(4 * GIB, "total size of the runs in the history")
    keep_deleted_s: int = _limit(24 * 3600, "time for which a deleted run can be restored", least=0)
    imported_run_bytes: int = _limit(2 * GIB, "unpacked size of a run opened from a .zip")
    exports: int = _limit(2, "exports of runs that are made at the same time")
    exports_per_visitor: int = _limit(6, "exports of one visitor that are being made or wait")
    downloads: int = _limit(64, "exports that are being made, wait or are being downloaded")
    downloads_per_address: int = _limit(16, "such exports for one address")
    download_s: int = _limit(600, "time for one download", least=10)
    animations: int = _limit(1, "animations that are made at the same time")
    waiting_animations: int = _limit(
        8, "animations that wait, or are finished and not yet downloaded"
    )
    animations_per_visitor: int = _limit(2, "such animations of one visitor")
    animations_per_address: int = _limit(4, "such animations for one address")
    keep_animations_s: int = _limit(
        300, "time for which a finished animation is kept for its download"
    )

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
