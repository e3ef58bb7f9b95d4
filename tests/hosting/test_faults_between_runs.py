"""Tabs closed at any moment, a disk that fails, a clock that is set: the next run is right."""

import ast
import asyncio
import builtins
import errno
import io
import os
import shutil
import time
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
from fake_engine import FakeEngine
from gradio.utils import get_upload_folder
from loops import finish
from polling import wait_until_async

from benchmarks.page_client import PageClient, layout_of
from explorer import ui
from explorer.hosting.run_store import RunStore
from explorer.records import history_folder
from explorer.records import run as records_run
from explorer.settings.limits import LIMITS

PATIENCE_S = 30
ROOT = Path(__file__).resolve().parents[2]
SHORT = replace(LIMITS, grace_s=0.2, no_listener_s=1)


@pytest.fixture
def engine():
    return FakeEngine(pace=0.002)


@pytest.fixture
def url(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "temporary"))
    engine.no_listener_s = SHORT.no_listener_s
    page = ui.build(engine, SHORT, RunStore(tmp_path / "runs"))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options(SHORT))
    yield url
    page.close(verbose=False)


@asynccontextmanager
async def pages(url):
    """A function that makes a visitor's page."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, limits=limits) as http:
        layout = await layout_of(http)
        yield lambda number: PageClient(http, layout, number)


# --- tabs ----------------------------------------------------------------------------------------


def test_a_tab_is_closed_at_any_message_of_its_run(engine, url):
    async def visits():
        async with pages(url) as page:
            for message in range(1, 14):
                run = await page(message).run(leave_after=message, steps=5)
                assert run.end == "left" if message < 3 else run.end in ("left", "done")
                await wait_until_async(lambda: not engine.queue.runs)
                assert not engine.queue.busy
            after = await page(99).run(steps=5)
            assert after.end == "done"
            assert after.places in ([], [0])

    finish(visits())


@pytest.mark.parametrize("moment", ["in the queue", "loading", "in a call", "frames"])
def test_a_tab_is_closed_while_its_run_stands_still(engine, url, moment):
    """The run is given up, those that wait behind it are served, and a stop is no error."""

    async def visits():
        async with pages(url) as page:
            if moment == "in the queue":
                with engine.lock:
                    leaves = asyncio.create_task(page(1).run(leave_after=3, steps=5))
                    assert (await leaves).end == "left"
                    await wait_until_async(lambda: engine.queue.runs == 1)  # the lock's own
            else:
                engine.hold_at = 3 if moment == "in a call" else None
                engine.hold_in = moment
                leaves = asyncio.create_task(page(1).run(leave_after=2, steps=5))
                behind = asyncio.create_task(page(2).run(steps=5))
                assert (await leaves).end == "left"
                await wait_until_async(lambda: engine.queue.runs <= 1)
                engine.hold_at, engine.hold_in = None, ""
                assert (await behind).end == "done"
            assert (await page(3).run(steps=5)).end == "done"

    finish(visits())
    assert not engine.queue.runs


# --- the disk ------------------------------------------------------------------------------------


@contextmanager
def no_writing(reason: int):
    """Nothing in this process can make a folder or open a file to write, wherever it is."""

    def refused(path):
        raise OSError(reason, os.strerror(reason), str(path))

    def low(path, flags, *more, **named):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            refused(path)
        return open_low(path, flags, *more, **named)

    def high(file, mode="r", *more, **named):
        if set(mode) & set("wax+"):
            refused(file)
        return open_high(file, mode, *more, **named)

    def folder(path, *_, **__):
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        refused(path)

    open_low, open_high = os.open, open
    with ExitStack() as undo:
        undo.enter_context(patch.object(os, "open", low))
        undo.enter_context(patch.object(os, "mkdir", folder))
        for module in (io, builtins):
            undo.enter_context(patch.object(module, "open", high))
        yield


async def uploaded(url) -> int:
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as http:
        answer = await http.post("gradio_api/upload", files={"files": ("a.png", b"x" * 99)})
        assert answer.status_code == 200 or "server cannot" in answer.json()["error"]
        return answer.status_code


async def kept_run(page) -> tuple[str, str, int]:
    """How a run ended, what was said, and how many the history has then."""
    run = await page.run(steps=3)
    return run.end, run.message, len(await page.listed())


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing_costs_files_and_no_run(url, reason, capfd):
    async def visits():
        async with pages(url) as page:
            visitor = page(1)
            assert await kept_run(visitor) == ("done", "", 1)
            with no_writing(reason):
                end, message, count = await kept_run(visitor)
                assert await uploaded(url) == 503
            assert (end, count) == ("done", 1)
            assert os.strerror(reason) in message
            assert "only in this page" in message
            assert "was not saved: the disk is" in message
            assert await kept_run(visitor) == ("done", "", 2)
            assert await uploaded(url) == 200

    finish(visits())


def test_a_temporary_folder_that_is_removed_is_made_again(url):
    async def visits():
        async with pages(url) as page:
            assert await uploaded(url) == 200
            shutil.rmtree(get_upload_folder())
            assert await uploaded(url) == 200
            shutil.rmtree(get_upload_folder())
            assert (await page(1).run(steps=3)).message == ""

    finish(visits())


# --- the clock -----------------------------------------------------------------------------------

# Files that read the calendar's clock, which may be set at any time, and what for.
READS_THE_CALENDAR = {
    "explorer/records/history_folder.py": "when a run was added, whether a deleted one is old",
    "explorer/records/history_listing.py": "whether a draft is old",
    "explorer/records/run.py": "when a run was made",
    "explorer/ui/full_frames.py": "a value that differs from the one before",
    "explorer/views/progress.py": "a value that differs from the one before",
}


def calendar_reads(file: Path) -> list[int]:
    """The lines of a file that read the calendar's clock."""
    tree, found = ast.parse(file.read_text()), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            if name in ("time.time", "time.time_ns", "datetime.now", "datetime.utcnow"):
                found.append(node.lineno)
    return found


def test_seconds_are_counted_by_the_clock_that_nobody_sets():
    files = [each for each in (ROOT / "explorer").rglob("*.py") if "training" not in each.parts]
    reading = {str(each.relative_to(ROOT)) for each in files if calendar_reads(each)}
    assert reading == set(READS_THE_CALENDAR)


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_is_set_costs_no_run_and_no_history(engine, url, monkeypatch, days):
    as_ever = time.time

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=days)

    async def visits():
        async with pages(url) as page:
            visitor = page(1)
            first = await visitor.run(steps=5)
            engine.hold_at = 3
            held = asyncio.create_task(visitor.run(steps=5))
            waiting = asyncio.create_task(page(2).run(steps=5))
            await wait_until_async(lambda: engine.queue.runs == 2)
            monkeypatch.setattr(time, "time", lambda: as_ever() + days * 86400)
            monkeypatch.setattr(history_folder, "datetime", Clock)
            monkeypatch.setattr(records_run, "datetime", Clock)
            await asyncio.sleep(0.3)
            engine.hold_at = None
            second = await held
            assert (await waiting).end == "done"
            third = await visitor.run(steps=5)
            listed = await visitor.listed()
            return [first, second, third], [each["id"] for each in listed]

    runs, listed = finish(visits())
    assert [run.end for run in runs] == ["done"] * 3
    assert listed == [run.id for run in reversed(runs)]
