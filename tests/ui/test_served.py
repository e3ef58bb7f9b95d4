"""What the server tells a browser: no place of this machine, files under names of their own."""

import json
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from reading import run_to_end

from explorer.hosting.files import KEPT

ROOT = Path(__file__).resolve().parents[2]
PLACES = (str(ROOT), sys.prefix, str(Path(json.__file__).parent))


def get(url: str) -> tuple[int, bytes, dict]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read(), dict(error.headers)


@pytest.mark.parametrize("path", ["", "config", "gradio_api/info", "gradio_api/openapi.json"])
def test_no_place_of_the_machine_is_told(server, path):
    status, body, _ = get(server + path)
    assert status in (200, 404)
    for place in PLACES:
        assert place.encode() not in body


@pytest.mark.parametrize(
    "path", ["monitoring", "monitoring/summary", "gradio_api/monitoring/summary"]
)
def test_there_is_no_monitoring(server, path):
    status, body, _ = get(server + path)
    assert status in (403, 404) or b"success_count" not in body


def test_the_page_and_plotly_are_served_by_name(server):
    for name, kind in (("page/viewer/viewer.js", "javascript"), ("plotly.js", "javascript")):
        status, body, headers = get(server + name)
        assert status == 200 and len(body) > 1000
        assert kind in headers["content-type"]
        assert "cache-control" in headers


@pytest.mark.parametrize("name", [
    "page/../../app.py", "page/%2e%2e/%2e%2e/app.py", "page/..%2f..%2fapp.py", "page//etc/passwd",
    f"{KEPT}/../../etc/passwd", f"{KEPT}/%2e%2e/state.json", f"{KEPT}//etc/passwd", f"{KEPT}/",
    f"{KEPT}/{'a' * 64}/state.json", f"{KEPT}/{'a' * 64}/none.png", f"{KEPT}/a%00.png",
])  # fmt: skip
def test_nothing_else_is(server, name):
    status, body, _ = get(server + name)
    assert status == 404
    assert b"root:" not in body and b"import" not in body


def test_a_runs_pictures_are_named_by_their_contents_alone(page, server):
    fetched = []
    page.on("request", lambda request: fetched.append(request.url))
    run_to_end(page)
    kept = [url for url in fetched if f"/{KEPT}/" in url]
    assert kept
    for url in kept:
        assert re.fullmatch(rf"{re.escape(server)}{KEPT}/[0-9a-f]{{64}}/[\w-]+\.(jpg|png)", url)
        assert get(url)[0] == 200
    assert not [url for url in fetched if "file=" in url]
