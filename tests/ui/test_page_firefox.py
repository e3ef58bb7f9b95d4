"""The page's main script in Firefox, driven over WebDriver BiDi."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

FIREFOX = ("firefox-esr", "firefox")
SCRIPT = Path(__file__).with_name("firefox.mjs")


def test_firefox_opens_runs_scrubs_and_stops(server):
    firefox = next(filter(None, map(shutil.which, FIREFOX)), None)
    assert firefox, f"this test needs a browser: one of {', '.join(FIREFOX)}"
    assert shutil.which("node"), "this test needs node, and `npm ci` in tests/"
    done = subprocess.run(
        ["node", SCRIPT, firefox, server], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    stopped = seen.pop("stopped")
    assert seen == {"errors": [], "idle": "idle", "calls": 17, "scrubbed": True, "thumb": True}
    assert 3 < stopped < 999
