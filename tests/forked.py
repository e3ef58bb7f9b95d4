"""Python programs, each in a fork of one process that has imported the large libraries.

Nine of ten seconds of a program's start are those imports. Beside them a fork is like a new
process: its modules of this project, path, streams and environment are its own.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import resource_tracker
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ["diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion", "gradio"]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(LIBRARIES)


class Forked:
    """A program, and what the tests use of subprocess.Popen; leaving its block kills it.

    `program` is a file, or source as of `python -c`. Its error stream is `terminal`, a device, if
    there is one.
    """

    def __init__(
        self,
        program: Path | str,
        arguments: Sequence[object] = (),
        *,
        cwd: Path = ROOT,
        environment: Mapping[str, str] | None = None,
        terminal: str = "",
    ):
        self._folder = TemporaryDirectory()
        self._out, self._errors = (Path(self._folder.name) / name for name in ("out", "errors"))
        for file in (self._out, self._errors):
            file.touch()
        given = dict(os.environ if environment is None else environment)
        streams = str(self._out), terminal or str(self._errors)
        line = [str(each) for each in arguments]
        self._process = FORKS.Process(target=_run, args=(program, line, cwd, given, streams))
        self._process.start()

    def __enter__(self) -> "Forked":
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def output(self) -> str:
        """What it has written to its output."""
        return self._out.read_text()

    def errors(self) -> str:
        """What it has written to its error stream."""
        return self._errors.read_text()


def ran(
    program: Path | str,
    *arguments: object,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    timeout: float = 300,
) -> subprocess.CompletedProcess[str]:
    """A program that has ended, as subprocess.run gives it."""
    with Forked(program, arguments, cwd=cwd, environment=environment) as process:
        status = process.wait(timeout)
        assert status is not None, f"It has not ended after {timeout} s: {process.errors()}"
        return subprocess.CompletedProcess(arguments, status, process.output(), process.errors())


def _run(
    program: Path | str,
    arguments: list[str],
    cwd: Path,
    environment: dict[str, str],
    streams: tuple[str, str],
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    for number, name in enumerate(streams, 1):
        stream = os.open(name, os.O_WRONLY | os.O_NOCTTY | os.O_APPEND)
        os.dup2(stream, number)
        os.close(stream)
    tracker = resource_tracker._resource_tracker  # one of its own, which says what it has leaked
    tracker._fd = tracker._pid = None
    is_file = isinstance(program, Path)
    given = environment.get("PYTHONPATH", "").split(os.pathsep)
    installed = [each for each in sys.path if each.startswith((sys.prefix, sys.base_prefix))]
    sys.path[:] = [str(program.parent if is_file else cwd), *filter(None, given), *installed]
    sys.argv = [str(program) if is_file else "-c", *arguments]
    if is_file:
        runpy.run_path(str(program), run_name="__main__")
    else:
        exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
