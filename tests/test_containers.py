"""Runs in little memory: random permitted ones in a container, and what one leaves behind."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import containers
from benchmarks.cgroup import NoGroups, memory_group
from explorer.engine import Engine
from explorer.runtime.allocator import trim
from explorer.settings import LaneSettings, RunSettings

MIB, GIB = 2**20, 2**30


def test_random_settings_are_permitted_and_reach_every_end():
    runs = []
    for index in range(400):
        data = containers.random_settings(0, index)
        assert data == containers.random_settings(0, index)
        data.pop("init_image", None)
        runs.append(RunSettings.from_dict(data))
    assert max(len(run.lanes) for run in runs) == 16
    assert {1, 16} <= {run.batch_size for run in runs}
    assert min(run.width for run in runs) < 100
    assert max(run.width for run in runs) > 1900
    assert any("init_image" in containers.random_settings(0, index) for index in range(20))


def row(**changed) -> dict:
    usual = {
        "ended": 3,
        "outcome": "done",
        "message": "",
        "before": 700 * MIB,
        "peak": 1000 * MIB,
        "frames_peak": 900 * MIB,
        "said": 400 * MIB,
    }
    return usual | changed


def test_what_goes_wrong_in_a_container_is_a_sentence():
    assert containers.problems([row(), row(outcome="refused"), row(outcome="stopped")], 2) == []
    assert containers.problems([row(outcome="failed", message="No.")], 2) == [
        "run 3 of 2 GiB failed: No."
    ]
    assert containers.problems([row(frames_peak=3 * GIB)], 2) == ["run 3 of 2 GiB took 3.00 GiB"]
    assert containers.problems([row(said=200 * MIB)], 2) == [
        "run 3 of 2 GiB took 0.29 GiB more; it said 0.20"
    ]


GREEDY = "held = [bytearray(b'x' * 2**20) for _ in range(300)]"


def test_a_control_group_kills_what_takes_too_much():
    try:
        with memory_group(200 * MIB) as group:
            done = subprocess.run([sys.executable, "-c", GREEDY], preexec_fn=group.enter)
            assert done.returncode == -9
            assert group.kills == 1
        assert not group.folder.exists()
    except NoGroups as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's peak counter")
@pytest.mark.parametrize("index", [95, 193])  # more than fits at once, and soon over
def test_a_permitted_run_is_not_killed_in_a_container_of_2_gib(index):
    options = ["--first", str(index), "--runs", "1", "--seconds", "60", "--megapixels", "0.25"]
    try:
        rows, problem = containers.in_container(2, options, pretend=False)
    except NoGroups:  # the same by what the process takes, without a kernel that kills
        rows, problem = containers.in_container(2, options, pretend=True)
    assert problem == ""
    assert [(each["ended"], each["outcome"]) for each in rows] == [(index, "done")]
    assert containers.problems(rows, 2) == []
    assert rows[0]["parts"] > 1


def resident() -> int:
    text = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmRSS:\s+(\d+)", text).group(1))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's counters")
def test_a_run_leaves_only_what_it_recorded():
    engine = Engine()
    lanes = (LaneSettings(sampler="euler"), LaneSettings(sampler="ddim"))
    engine.run(RunSettings(seed=1, steps=1, lanes=lanes))
    trim()
    before = resident()
    engine.run(RunSettings(seed=1, steps=1, width=448, height=448, lanes=lanes))
    assert resident() - before < 200 * MIB
