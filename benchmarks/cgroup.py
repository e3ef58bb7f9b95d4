"""A control group of Linux with a limit of memory, as containers have one."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


class NoGroups(RuntimeError):
    """This process may make no control groups here."""


class MemoryGroup:
    """A group below this process's own, so that limits around it hold as before."""

    def __init__(self, folder: Path, limit: str):
        self.folder, self._limit = folder, limit

    def enter(self) -> None:
        """Put the process that calls into the group; for a child before it becomes a program."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def limit(self, count: int) -> None:
        """Let the group have so many bytes; one process of it is killed beyond that."""
        (self.folder / self._limit).write_text(str(count))

    @property
    def kills(self) -> int:
        """How many of its processes the kernel has killed for memory."""
        for name in ("memory.oom_control", "memory.events"):
            with suppress(OSError):
                for line in (self.folder / name).read_text().splitlines():
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        return 0


@contextmanager
def memory_group(count: int, root: Path = ROOT) -> Iterator[MemoryGroup]:
    """A group that may take `count` bytes. Raises NoGroups where none can be made."""
    name = f"explorer-{os.getpid()}-{time.monotonic_ns()}"
    try:
        base, limit = _place(root)
        folder = base / name
        folder.mkdir()
    except OSError as error:
        raise NoGroups(f"no control group can be made here: {error.strerror}") from None
    try:
        group = MemoryGroup(folder, limit)
        try:
            group.limit(count)
        except OSError as error:
            raise NoGroups(f"a control group takes no limit here: {error.strerror}") from None
        yield group
    finally:
        for _ in range(100):  # its last process may be on its way out
            with suppress(OSError):
                folder.rmdir()
                break
            time.sleep(0.1)


def _place(root: Path) -> tuple[Path, str]:
    """The folder of this process's own group, and the name of the limit there, by version."""
    second = root
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return root / "memory" / path.strip("/"), "memory.limit_in_bytes"
        if not controllers:
            second = root / path.strip("/")
    return second, "memory.max"
