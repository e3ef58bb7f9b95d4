"""The whole program: a run of the bundled model on a terminal, and Ctrl-C at any moment."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from explorer import open_run

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120  # on a busy machine
MADE_A_CALL = r"[1-9]\d*/1999"
TOLD = "Stopping, at the latest after the model call under way; Ctrl-C again stops at once."


class Terminal:
    """A command whose standard error is a terminal, which is read as far as it is needed."""

    def __init__(self, process: subprocess.Popen, screen: int):
        self.process, self.text, self._screen = process, "", screen

    def read_until(self, wanted: str) -> None:
        """Read on until a pattern is there."""
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(wanted, self.text):
            assert time.monotonic() < deadline, self.text
            assert self._read(), self.text

    def _read(self) -> bool:
        if not select.select([self._screen], [], [], 0.2)[0]:
            return True
        try:
            self.text += os.read(self._screen, 65536).decode(errors="replace")
        except OSError:  # it has ended
            return False
        return True

    def end(self) -> tuple[int, str]:
        """Its exit status and what it has printed, once it has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read():
            assert time.monotonic() < deadline, self.text
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        assert "Traceback" not in self.text
        assert "terminate called" not in self.text
        return self.process.returncode, out


@contextmanager
def started(*arguments: object) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "explorer.cli", "run", *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def kept(folder: Path) -> list[Path]:
    """The runs that are there, and nothing that is not whole."""
    assert not [path for path in folder.rglob("*") if path.name.endswith(".part")]
    return sorted(path for path in folder.iterdir() if path.is_dir())


def test_a_run_shows_its_progress_and_nothing_of_the_libraries(tmp_path):
    with started("--prompt", "a red boat", "--steps", 3, "--out", tmp_path) as program:
        status, out = program.end()
    assert status == 0
    assert "Denoising" in program.text
    assert "/5" in program.text
    assert "Loading weights" not in program.text
    assert "torchvision" not in program.text
    (folder,) = kept(tmp_path)
    assert out.splitlines()[-1].endswith(str(folder))
    assert [lane.nfe for lane in open_run(folder)] == [5, 5]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_keeps_what_is_recorded(tmp_path, number, status):
    arguments = "--prompt", "a red boat", "--steps", 1000, "--seed", 1, "--seed", 2
    with started(*arguments, "--out", tmp_path) as program:
        program.read_until(MADE_A_CALL)
        program.process.send_signal(number)
        done, out = program.end()
    assert done == status
    assert TOLD in program.text
    assert "1 run not started." in program.text
    (folder,) = kept(tmp_path)
    run = open_run(folder)
    assert run.state == "cancelled"
    assert 1 <= run[0].nfe < 1999
    assert "; cancelled: " in out


def test_the_second_signal_ends_it_at_once_and_leaves_nothing_in_halves(tmp_path):
    with started("--steps", 1000, "--size", "256x256", "--out", tmp_path) as program:
        program.read_until(MADE_A_CALL)
        program.process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        program.process.send_signal(signal.SIGINT)
        assert program.end()[0] == 130
    assert len(kept(tmp_path)) <= 1


def test_a_signal_while_the_model_is_loaded_leaves_nothing(tmp_path):
    with started("--steps", 1000, "--out", tmp_path) as program:
        program.read_until("Loading")
        program.process.send_signal(signal.SIGINT)
        status, _out = program.end()
    assert status == 130
    assert "Nothing was recorded." in program.text or kept(tmp_path)
