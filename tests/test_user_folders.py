"""Tests write nothing to the folders of whoever runs them: their programs have others."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from forked import ran
from program import config_of, forked_program, start_run

from explorer.runtime.kernels.compilation import keep_on_disk

ROOT = Path(__file__).resolve().parents[1]
WHERE = """
import json
from pathlib import Path
from explorer.records.history_folder import default_folder
from explorer.runs.kept_paces import KeptPaces
print(json.dumps([str(default_folder()), str(KeptPaces.of_user()._path)]))
"""


def here() -> list[str]:
    written: list[str] = []
    exec(compile(WHERE, "<where>", "exec"), {"print": written.append})
    return json.loads(written[0])


def forked() -> list[str]:
    done = ran(WHERE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def started() -> list[str]:
    command = [sys.executable, "-c", WHERE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("process", [here, forked, started])
def test_no_process_of_the_tests_has_a_folder_of_the_user(user_folders, process):
    runs, paces = map(Path, process())
    assert runs.is_relative_to(user_folders / "data")
    assert paces.is_relative_to(user_folders / "cache")


def test_kernels_are_kept_elsewhere_too(user_folders, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", "")
    keep_on_disk()
    assert Path(os.environ["TRITON_CACHE_DIR"]).is_relative_to(user_folders)


@pytest.mark.slow
def test_what_a_program_writes_of_its_own_accord_is_not_the_user_s(user_folders, tmp_path):
    paces = user_folders / "cache" / "sampler-explorer" / "paces.json"
    paces.unlink(missing_ok=True)
    with forked_program(tmp_path) as (_, url):
        config_of(url)
        with start_run(url, steps=2) as stream:
            assert any(b"process_completed" in line for line in stream)
        assert paces.is_file()
