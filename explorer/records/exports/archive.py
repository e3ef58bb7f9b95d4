"""What a run's .zip has beside the files of its folder: for other programs, and to run it again.

A reader passes over them: they are made anew from the run, and the script is never read as data.
"""

import re
from collections.abc import Iterator

from explorer.assets import asset
from explorer.records.run import RecordedRun
from explorer.sampling.wording import lane_letter
from explorer.settings.scheduler_file import write_scheduler_file

SCRIPT = "reproduce.py"
_ADDED = re.compile(r"reproduce\.py|lane-[a-z]-scheduler_config\.json")


def added_files(run: RecordedRun) -> Iterator[tuple[str, bytes]]:
    """The script that reproduces a run, and each lane's `scheduler_config.json`, by name.

    The script is the same for all runs: what a run was stands in its other files. Settings that
    this version cannot run have no configurations.
    """
    yield SCRIPT, reproduce_script()
    for lane, config in enumerate(scheduler_configs(run)):
        yield f"lane-{lane_letter(lane).lower()}-scheduler_config.json", config.encode()


def reproduce_script() -> bytes:
    """A program that denoises the run beside it again, with diffusers and our schedulers."""
    return asset("export", SCRIPT).read_bytes()


def scheduler_configs(run: RecordedRun) -> tuple[str, ...]:
    """Each lane as diffusers' `scheduler_config.json`; none for settings that cannot be run."""
    try:
        lanes = run.run_settings.lanes
    except (ValueError, TypeError):  # of another version, or made by hand
        return ()
    return tuple(map(write_scheduler_file, lanes))


def is_added(name: str) -> bool:
    """Whether a file of a .zip has a name that `added_files` gives."""
    return _ADDED.fullmatch(name) is not None
