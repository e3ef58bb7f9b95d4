"""A disk that is full, and a temporary folder of another user: a run over HTTP loses nothing."""

import json
import os
import re
import subprocess
import sys

import httpx
import pytest
from program import config_of, fetched, program, start_run
from test_ending import app

from explorer.hosting.sentences import UNABLE


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own, of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_up(folder) -> None:
    with open(folder / "filler", "wb", buffering=0) as filler:
        try:
            while filler.write(b"\0" * 4096):
                pass
        except OSError:
            pass


def told(url: str) -> str:
    """All that the server says of a run."""
    with start_run(url, steps=2) as stream:
        lines = []
        for line in stream:
            lines.append(line.decode())
            if "process_completed" in lines[-1]:
                return "".join(lines)
    raise AssertionError("the stream ended before the run")


def test_a_full_disk_costs_files_and_no_run(family_folder, small_disk):
    with app(family_folder("sd1"), small_disk) as (_, url):
        config_of(url)
        fill_up(small_disk)
        text = told(url)
    assert '"done"' in text
    assert "No space left on device" in text
    assert "only in this page" in text
    assert str(small_disk) not in text
    assert "kept/" not in text
    for name in ("denoised", "noisy", "image"):
        assert re.search(rf'"{name}": ?"data:image/', text), name
    assert '"sigma"' in text


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_another_users_temp_folder_is_left_alone_and_the_run_has_its_files(
    family_folder, tmp_path, monkeypatch
):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    # Begun as a user does, for Gradio reads the folder's name when it is imported.
    command = [sys.executable, "app.py", "--model", str(family_folder("sd1"))]
    with program(command, theirs) as (_, url):
        config_of(url)
        text = told(url)
        assert '"done"' in text
        files = set(re.findall(r"kept/[0-9a-f]{64}/\w+\.\w+", text))
        assert len(files) >= 4
        for file in files:
            assert len(fetched(url + file)) > 100
    assert list(theirs.iterdir()) == []


def test_a_file_in_the_folders_place_is_the_servers_trouble_and_no_visitors(
    family_folder, tmp_path
):
    """It is told so, with 503, and all is well when the folder is there again."""
    folder, aside = tmp_path / "temporary", tmp_path / "aside"
    with app(family_folder("sd1"), folder) as (_, url):
        config_of(url)
        upload = f"{url}gradio_api/upload?upload_id=a", {"files": ("a.png", b"a picture")}
        assert httpx.post(upload[0], files=upload[1]).status_code == 200
        folder.rename(aside)
        folder.touch()
        refused = httpx.post(upload[0], files=upload[1])
        assert refused.status_code == 503
        assert json.loads(refused.text)["detail"] == UNABLE
        assert str(tmp_path) not in refused.text
        folder.unlink()
        aside.rename(folder)
        assert httpx.post(upload[0], files=upload[1]).status_code == 200
