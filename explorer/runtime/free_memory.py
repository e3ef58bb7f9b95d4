"""The host's memory that is still available to a program, also in a container."""

import os
from pathlib import Path

from explorer.byte_sizes import GIB

UNKNOWN = 16 * GIB  # if the system does not report it
# By version of Linux's control groups: the limit, what is used, and statistics with what of it is
# only a cache of files, which gives way.
CGROUPS = (
    ("", "memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "memory.stat",
        "total_inactive_file",
    ),
)


def free_bytes(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """The machine's free memory, or the container's if that is less.

    A limit applies to a control group and all groups within it, so the parents' limits count too.
    """
    rooms = [_of_the_machine(proc)]
    for controller, *names in CGROUPS:
        base = cgroup / controller
        rooms += [_of_a_container(folder, *names) for folder in _groups(proc, base, controller)]
    return min(rooms)


def _groups(proc: Path, base: Path, controller: str) -> list[Path]:
    """The folders of this process's control group and its parents, the outermost first."""
    try:
        lines = [line.split(":", 2) for line in (proc / "self/cgroup").read_text().splitlines()]
    except OSError:
        return [base]
    paths = [line[2] for line in lines if len(line) == 3 and controller in line[1].split(",")]
    parts = paths[0].strip("/").split("/") if paths else []
    return [base.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]


def _of_the_machine(proc: Path) -> int:
    try:
        for line in (proc / "meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return UNKNOWN


def _of_a_container(cgroup: Path, limit: str, used: str, statistics: str, cached: str) -> int:
    """The rest below the limit; more than any machine's memory if there is no limit."""
    try:
        room = int((cgroup / limit).read_text()) - int((cgroup / used).read_text())
        for line in (cgroup / statistics).read_text().splitlines():
            if line.startswith(f"{cached} "):
                room += int(line.split()[1])
    except (OSError, ValueError, IndexError):  # "max" is no number: no limit
        return 2**63
    return max(0, room)
