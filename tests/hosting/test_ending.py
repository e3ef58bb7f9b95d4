"""SIGINT and SIGTERM in every state of the program: it ends soon, with its code, and cleanly."""

import signal
import threading
import time
from pathlib import Path

import pytest
from PIL import Image
from program import PATIENCE_S, config_of, drain, forked_program, read_until, start_run

from explorer.records.folder import PART
from explorer.records.history_folder import History

CODES = {signal.SIGINT: 0, signal.SIGTERM: 143}


# The program, with something that says in a file that it has begun and then holds on.
HELD_UP = """
import time
from pathlib import Path
began, seconds = Path({began!r}), {seconds}

def hold():
    began.touch()
    time.sleep(seconds)

{change}
from explorer.cli import main
main()
"""
# Decoding the last pictures, which after that goes on as ever.
DECODING = """
from explorer.models.previews import VaeDecoder
as_ever = VaeDecoder._finish
def _finish(*arguments):
    hold()
    return as_ever(*arguments)
VaeDecoder._finish = _finish
"""
# Writing pictures: the first file holds on when half of it is there.
WRITING = """
import io, os
class Half(io.FileIO):
    def write(self, data):
        middle = len(data) // 2
        super().write(data[:middle])
        self.flush()
        hold()
        return super().write(data[middle:])
import explorer.whole_files as whole_files
class Os:
    def __getattr__(self, name):
        return getattr(os, name)
    def fdopen(self, handle, mode):
        return Half(handle, mode)
whole_files.os = Os()
"""
# Keeping the run: its folder holds on when two files of it are there.
SAVING = """
import os
os.environ.pop("EXPLORER_NO_HISTORY")
from explorer.records import folder
as_ever = folder._write
def _write(part, files):
    def slowly():
        for number, each in enumerate(files):
            if number == 2:
                hold()
            yield each
    return as_ever(part, slowly())
folder._write = _write
"""


def app(folder, temporary, *more, **source):
    """The program with a model and a folder for its pictures: its process and its address."""
    return forked_program(temporary, "--model", str(folder), *more, **source)


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("state", ["idle", "loading", "running", "ending"])
def test_a_signal_ends_the_program_soon_and_cleanly(family_folder, tmp_path, state, number):
    with app(family_folder("sd1"), tmp_path) as (process, url):
        config_of(url)
        if state != "idle":
            stream = start_run(url, steps=2 if state == "ending" else 1000)
            if state != "loading":
                read_until(stream, '"call"')
                read_until(stream, "image/jpeg")
            threading.Thread(target=drain, args=(stream,), daemon=True).start()
        process.send_signal(number)
        assert process.wait(10) == CODES[number]
        errors = process.errors()
        assert "terminate called" not in errors
        assert "Traceback" not in errors
    assert_whole(tmp_path)


def assert_whole(folder: Path) -> None:
    """Every file in the folder is a picture that can be opened."""
    for file in folder.rglob("*"):
        if not file.is_dir():
            assert file.suffix in (".jpg", ".png"), file
            Image.open(file).load()


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize(
    ("change", "seconds", "files"),
    [
        pytest.param(DECODING, 1, 0, id="decoding"),
        pytest.param(DECODING, 600, 0, id="decoding that does not end"),
        pytest.param(WRITING, 0.2, 1, id="writing"),
        pytest.param(WRITING, 600, 0, id="writing that does not end"),
    ],
)
def test_a_signal_while_pictures_are_made_leaves_nothing_in_halves(
    family_folder, tmp_path, change, seconds, files, number
):
    began, pictures = tmp_path / "began", tmp_path / "pictures"
    script = HELD_UP.format(began=str(began), seconds=seconds, change=change)
    patience = ("--ending-s", "3") if seconds > 60 else ()
    with app(family_folder("sd1"), pictures, *patience, source=script) as (process, url):
        run_until(began, process, url)
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == CODES[number]
        errors = process.errors()
        assert "terminate called" not in errors
        assert "Traceback" not in errors
        assert ("still under way" in errors or "were removed" in errors) == (seconds > 60)
    assert_whole(pictures)
    assert sum(not file.is_dir() for file in pictures.rglob("*")) >= files


def run_until(began: Path, process, url: str) -> None:
    """Start a run and follow it until it is held up."""
    stream = start_run(url, steps=2)
    threading.Thread(target=drain, args=(stream,), daemon=True).start()
    deadline = time.monotonic() + PATIENCE_S
    while not began.exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "seconds"), [(signal.SIGINT, 0.5), (signal.SIGTERM, 600)])
def test_a_signal_while_a_run_is_saved_leaves_it_whole_or_not_there(
    family_folder, tmp_path, number, seconds
):
    began, runs = tmp_path / "began", tmp_path / "runs"
    script = HELD_UP.format(began=str(began), seconds=seconds, change=SAVING)
    places = "--runs-dir", str(runs), "--ending-s", "3"
    with app(family_folder("sd1"), tmp_path / "kept", *places, source=script) as (process, url):
        run_until(began, process, url)
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == CODES[number]
        errors = process.errors()
        assert "terminate called" not in errors
        assert "Traceback" not in errors
    history = History(runs)
    assert len(history) == (1 if seconds < 1 else 0)
    for entry in history:
        assert entry.state == "done"
        assert len(history.open(entry.id)) == 2
    kept = [each for each in history.folder.iterdir() if each.is_dir()]
    assert len([each for each in kept if not each.name.endswith(PART)]) == len(history)
