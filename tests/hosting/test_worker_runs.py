"""The bundled model in a worker process: results to the bit, memory, the whole program."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from loops import everything
from polling import wait_until
from program import PATIENCE_S, config_of, drain, forked_program, read_until, start_run

from explorer.engine import Engine
from explorer.hosting.workers.border_engine import BorderEngine
from explorer.hosting.workers.starting import engine_on_workers
from explorer.runs.events import Ended, Finished
from explorer.settings import LaneSettings, RunSettings

LANES = LaneSettings(), LaneSettings(sampler="dpm2_a")
RUN = RunSettings(prompt="a red boat", steps=3, seed=11, batch_size=2, lanes=LANES)
SHORT = RunSettings(prompt="a red boat", steps=1, seed=3, lanes=LANES[:1])
BEFORE, AFTER = 8, 30  # runs, after which the memory is looked at
GROWTH = 1.03
MIB = 2**20


@pytest.fixture(scope="module")
def engine() -> Iterator[BorderEngine]:
    engine = engine_on_workers({"model": "bundled"}, ["cpu"])
    engine.start()
    yield engine
    engine.close(0.0)


def run(engine, settings: RunSettings) -> Ended:
    *_, last = everything(engine.astream(settings))
    assert isinstance(last, Finished), last.message
    return last


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_what_a_worker_makes_equals_the_same_run_in_this_process_to_the_bit(engine):
    near = Engine(device="cpu")
    here, there = run(near, RUN), run(engine, RUN)
    assert (here.seed, here.images) == (there.seed, there.images)
    assert here.model_fingerprint == there.model_fingerprint != ""
    for ours, theirs in zip(here.trajectories, there.trajectories, strict=True):
        assert ours.settings == theirs.settings
        np.testing.assert_array_equal(ours.final, theirs.final)
        np.testing.assert_array_equal(ours.images, theirs.images)
        for one, other in zip(ours.calls, theirs.calls, strict=True):
            for mine, its in zip(one.packed(), other.packed(), strict=True):
                assert mine.scale == its.scale
                np.testing.assert_array_equal(mine.values, its.values)
    for ours, theirs in zip(here.frames, there.frames, strict=True):
        np.testing.assert_array_equal(ours.denoised, theirs.denoised)
        np.testing.assert_array_equal(ours.noisy, theirs.noisy)
    full = [
        list(each.full_frames(last.trajectories)) for each, last in ((near, here), (engine, there))
    ]
    assert full[0] == full[1] != []
    prompt = "a red boat " * 40
    assert engine.facts.unread(prompt) == near.facts.unread(prompt) != ""
    assert engine.memory_use(RUN) == near.memory_use(RUN) != ""
    near.close(PATIENCE_S)


def test_the_page_s_process_does_without_torch():
    """Fresh, because the tests' own has it."""
    source = (
        "import sys\n"
        "from explorer.hosting.workers.starting import engine_on_workers\n"
        "engine = engine_on_workers({'model': 'bundled'}, ['cpu'])\n"
        "engine.facts.identity(), engine.facts.examples(), engine.entries\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", source]) == 0


def test_the_memory_of_both_processes_stays_level(engine):
    sizes = {}
    for at in range(1, AFTER + 1):
        run(engine, SHORT)
        if at in (BEFORE, AFTER):
            time.sleep(0.5)  # what follows a run
            pids = os.getpid(), engine.backends[0].pid
            sizes[at] = [resident_bytes(pid) for pid in pids]
    for before, after in zip(sizes[BEFORE], sizes[AFTER], strict=True):
        assert after <= GROWTH * before + 4 * MIB


def children(pid: int) -> list[int]:
    """The worker processes of a program."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def test_a_page_outlives_its_worker_and_ends_with_its_next(tmp_path, monkeypatch):
    monkeypatch.delenv("EXPLORER_NO_HISTORY", raising=False)
    flags = "--workers", "1", "--runs-dir", str(tmp_path / "runs")
    with forked_program(tmp_path, *flags) as (process, url):
        config_of(url)
        stream = start_run(url, steps=200)
        read_until(stream, "image/jpeg")
        (worker,) = children(process.pid)
        os.kill(worker, signal.SIGKILL)
        assert any(b"was ended by the system" in line for line in stream)
        stream = start_run(url, steps=200)
        read_until(stream, "image/jpeg")
        (other,) = children(process.pid)
        assert other != worker
        threading.Thread(target=drain, args=(stream,), daemon=True).start()
        process.send_signal(signal.SIGTERM)
        assert process.wait(12) == 143
        wait_until(lambda: not children(process.pid) and not Path(f"/proc/{other}").exists())
        errors = process.errors()
        assert "Traceback" not in errors
        assert "leaked" not in errors
