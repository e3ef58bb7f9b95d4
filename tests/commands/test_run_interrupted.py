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
from forked import ROOT, Forked

from explorer import open_run

COMMAND = "from explorer.cli import main; main()"
PATIENCE_S = 120  # on a busy machine
MADE_A_CALL = r"[1-9]\d*/1999"
TOLD = "Stopping, at the latest after the model call under way; Ctrl-C again stops at once."


class Whole(subprocess.Popen):
    """The command as its user starts it, with all that its libraries say when they are imported."""

    def __init__(self, arguments: list[str], terminal: int):
        command = [sys.executable, "-c", COMMAND, *arguments]
        super().__init__(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=terminal, text=True)

    def __exit__(self, *error) -> None:
        self.kill()
        super().__exit__(*error)

    def output(self) -> str:
        return self.stdout.read()


class Terminal:
    """A command whose standard error is a terminal, which is read as far as it is needed."""

    def __init__(self, process: "Forked | Whole", screen: int):
        self.process, self.text, self._screen = process, "", screen

    def read_until(self, wanted: str) -> None:
        """Read on until a pattern is there."""
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(wanted, self.text):
            assert time.monotonic() < deadline, self.text
            assert self._read(), self.text

    def _read(self) -> bool:
        """Read what is there; returns whether more may come."""
        has_ended = self.process.poll() is not None
        if not select.select([self._screen], [], [], 0.05)[0]:
            return not has_ended
        self.text += os.read(self._screen, 65536).decode(errors="replace")
        return True

    def end(self) -> tuple[int, str]:
        """Its exit status and what it has printed, once it has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read():
            assert time.monotonic() < deadline, self.text
        status = self.process.wait(PATIENCE_S)
        assert "Traceback" not in self.text
        assert "terminate called" not in self.text
        return status, self.process.output()


@contextmanager
def started(*arguments: object, is_whole: bool = False) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    line = ["run", *map(str, arguments)]
    if is_whole:
        program = Whole(line, theirs)
    else:
        program = Forked(COMMAND, line, terminal=os.ttyname(theirs))
    with program as process:
        yield Terminal(process, ours)
    os.close(theirs)
    os.close(ours)


def kept(folder: Path) -> list[Path]:
    """The runs that are there, and nothing that is not whole."""
    assert not [path for path in folder.rglob("*") if path.name.endswith(".part")]
    return sorted(path for path in folder.iterdir() if path.is_dir())


def test_a_run_shows_its_progress_and_nothing_of_the_libraries(tmp_path):
    arguments = "--prompt", "a red boat", "--steps", 3, "--out", tmp_path
    with started(*arguments, is_whole=True) as program:
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
