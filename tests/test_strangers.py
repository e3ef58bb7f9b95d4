"""Runs that are started, stopped and left at random, for half a minute."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_strangers_find_no_fault():
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.strangers", "--seconds", "30"]
    done = subprocess.run(
        [*command, "--sequences", "40", "--seed", "5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.stdout.splitlines()[-1] == "no fault", done.stdout[-3000:] + done.stderr[-1000:]
    assert done.returncode == 0
