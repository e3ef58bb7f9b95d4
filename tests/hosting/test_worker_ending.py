"""SIGINT and SIGTERM for a program with worker processes: none is left, and what is done stays."""

import os
import signal
import threading
from contextlib import suppress

import pytest
from polling import wait_until
from program import config_of, drain, forked_program, read_until, start_run
from test_ending import CODES
from test_worker_process import is_alive
from test_worker_runs import children

from explorer.records.history_folder import History


@pytest.mark.slow
@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("state", ["beginning", "loading", "running"])
def test_a_signal_ends_the_program_and_its_workers(tmp_path, monkeypatch, state, number):
    """A terminal's Ctrl-C reaches the workers as well."""
    monkeypatch.delenv("EXPLORER_NO_HISTORY", raising=False)
    runs = tmp_path / "runs"
    flags = "--workers", "2", "--runs-dir", str(runs)
    with forked_program(tmp_path / "temporary", *flags) as (process, url):
        config_of(url)
        wait_until(lambda: len(children(process.pid)) == 2)
        workers = children(process.pid)
        if state == "running":
            for line in start_run(url, steps=2):
                if b"process_completed" in line:
                    break
            wait_until(lambda: len(History(runs)) == 1)
        if state != "beginning":
            stream = start_run(url, steps=400)
            if state == "running":
                read_until(stream, "image/jpeg")
            threading.Thread(target=drain, args=(stream,), daemon=True).start()
        for pid in (*workers, process.pid) if number == signal.SIGINT else (process.pid,):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        assert process.wait(12) == CODES[number]
        wait_until(lambda: not any(map(is_alive, workers)))
        errors = process.errors()
        for word in ("Traceback", "leaked", "terminate called"):
            assert word not in errors
    states = sorted(entry.state for entry in History(runs))
    if state == "running":
        assert states in (["done"], ["cancelled", "done"])
    else:
        assert "done" not in states
