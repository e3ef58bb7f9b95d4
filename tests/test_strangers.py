"""Runs that are started, stopped and left at random, for half a minute."""

import pytest
from forked import ran

COMMAND = "from benchmarks.strangers import main; raise SystemExit(main())"


@pytest.mark.slow
def test_strangers_find_no_fault(family_folder):
    model = family_folder("sd1")  # what strangers do is the same to any
    done = ran(COMMAND, "--seconds", 30, "--sequences", 40, "--seed", 5, "--model", model)
    assert done.stdout.splitlines()[-1] == "no fault", done.stdout[-3000:] + done.stderr[-1000:]
    assert done.returncode == 0
