"""A disk that is full, and a temporary folder of another user: a run over HTTP loses nothing."""

import asyncio
import os
import subprocess

import pytest
from fake_engine import FakeEngine
from loops import finish
from test_queue_over_http import Site, join, states_until_the_end

from explorer import ui
from explorer.hosting.folders import choose_temp_folder


@pytest.fixture
def full_disk(tmp_path):
    """A folder on a disk of its own on which no byte is free."""
    folder = tmp_path / "full"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.decode().strip()}")
    with open(folder / "filler", "wb", buffering=0) as filler:
        try:
            while filler.write(b"\0" * 4096):
                pass
        except OSError:
            pass
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def run_over_http(monkeypatch, folder) -> dict:
    """The last payload of a run on a page server whose temporary files lie in that folder."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    page = ui.build(FakeEngine(pace=0))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    try:
        site = Site(page, url)

        async def visit():
            async with site.client() as http:
                await join(http, site, "visitor")
                async with asyncio.timeout(60):
                    return await states_until_the_end(http, "visitor")

        states, last = finish(visit())
        assert states[-1] == "done"
        return last
    finally:
        page.close(verbose=False)


def test_a_full_disk_costs_files_and_no_run(full_disk, monkeypatch):
    last = run_over_http(monkeypatch, full_disk)
    assert "No space left on device" in last["message"]
    assert "only in this page" in last["message"]
    assert str(full_disk) not in str(last)
    for lane in last["run"]["lanes"]:
        assert len(lane["calls"]) == 3
        for name in ("denoised", "noisy", "image"):
            assert lane[name].startswith("data:image/")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_another_users_temp_folder_is_left_alone_and_the_run_has_its_files(tmp_path, monkeypatch):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(theirs))
    mine = choose_temp_folder()
    assert mine != theirs
    last = run_over_http(monkeypatch, mine)
    assert last["message"] == ""
    for lane in last["run"]["lanes"]:
        for name in ("denoised", "noisy", "image"):
            assert lane[name].startswith("kept/")
            assert (mine / lane[name].removeprefix("kept/")).is_file()
    assert list(theirs.iterdir()) == []
