"""The page's pure modules, tested in node: no browser, no server, some milliseconds each."""

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


def test_the_modules_that_need_no_page():
    node = shutil.which("node")
    assert node, "this test needs node, which `bash tests/run` installs"
    tests = sorted(HERE.glob("*.test.mjs"))
    assert tests
    done = subprocess.run([node, "--test", *tests], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
