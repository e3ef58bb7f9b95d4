"""Free memory as the system's files say it: the machine's, or a container's where that is less."""

import pytest

from explorer.runtime.free_memory import free_bytes

MIB = 2**20


@pytest.fixture
def system(tmp_path):
    """Folders in place of /proc and /sys/fs/cgroup; the machine has 64 MiB to give."""
    proc, cgroup = tmp_path / "proc", tmp_path / "cgroup"
    proc.mkdir()
    (cgroup / "memory").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal:  999999 kB\nMemAvailable:  65536 kB\n")
    return proc, cgroup


def test_without_a_container_it_is_the_machines(system):
    assert free_bytes(*system) == 64 * MIB


@pytest.mark.parametrize(
    ("limit", "used", "statistics", "cached"),
    [
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        (
            "memory/memory.limit_in_bytes",
            "memory/memory.usage_in_bytes",
            "memory/memory.stat",
            "total_inactive_file",
        ),
    ],
)
def test_a_containers_limit_counts_where_it_is_less(system, limit, used, statistics, cached):
    _, cgroup = system
    (cgroup / limit).write_text(f"{40 * MIB}\n")
    (cgroup / used).write_text(f"{30 * MIB}\n")
    (cgroup / statistics).write_text(f"file 9\n{cached} {5 * MIB}\nshmem 3\n")
    assert free_bytes(*system) == 15 * MIB  # a cache of files gives way
    (cgroup / limit).write_text(f"{900 * MIB}\n")
    assert free_bytes(*system) == 64 * MIB
    (cgroup / limit).write_text(f"{20 * MIB}\n")
    assert free_bytes(*system) == 0


def test_no_limit_is_none(system):
    _, cgroup = system
    (cgroup / "memory.max").write_text("max\n")
    (cgroup / "memory.current").write_text("5\n")
    (cgroup / "memory.stat").write_text("")
    assert free_bytes(*system) == 64 * MIB


def test_a_system_that_says_nothing_is_guessed_from_its_size(tmp_path):
    assert 2**28 < free_bytes(tmp_path, tmp_path) < 2**50
