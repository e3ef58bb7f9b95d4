"""A start as on a Space, where the platform's own package may be missing, prints no trace."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from program import config_of, free_port

from explorer.hosting.reloading import only_where_possible

ROOT = Path(__file__).resolve().parents[2]


def test_a_start_on_a_space_prints_no_trace(tmp_path):
    port = free_port()
    space = {"SYSTEM": "spaces", "SPACE_ID": "a/b", "GRADIO_TEMP_DIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "app.py", "--device", "cpu", "--port", str(port)],
        cwd=ROOT,
        env=os.environ | space | {"GRADIO_ANALYTICS_ENABLED": "False"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        config = config_of(f"http://127.0.0.1:{port}/")
        process.send_signal(signal.SIGTERM)
        said, errors = process.communicate(timeout=30)
    assert config["space_id"] == "a/b"
    assert process.returncode == 143
    assert "Traceback" not in errors
    assert "HOT_RELOAD" not in said + errors


def test_the_environment_is_as_it_was_afterwards(monkeypatch, tmp_path):
    monkeypatch.setenv("SYSTEM", "spaces")
    with only_where_possible():
        assert "SYSTEM" not in os.environ
    assert os.environ["SYSTEM"] == "spaces"
    installed = tmp_path / "spaces-0.51.3.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: spaces\nVersion: 0.51.3\n")
    monkeypatch.syspath_prepend(tmp_path)
    with only_where_possible():
        assert os.environ["SYSTEM"] == "spaces"
    monkeypatch.delenv("SYSTEM")
    with only_where_possible():
        assert "SYSTEM" not in os.environ
