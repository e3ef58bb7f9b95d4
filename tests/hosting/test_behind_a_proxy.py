"""The program behind nginx, as docs/hosting.md configures it: whose requests, what passes."""

import json
import shutil
import ssl
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import certifi
import pytest
from made_runs import made_run
from nginx import CERTIFICATE, nginx
from program import config_of, forked_program, read_until, start_run

from explorer.byte_sizes import MIB
from explorer.records import History


class Site(NamedTuple):
    """The program's address below nginx, its own, and where it keeps runs."""

    outside: str
    inside: str
    runs: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    flags = ["--root-path", "/explorer", "--runs-dir", str(folder / "runs")]
    with (
        forked_program(folder / "pictures", *flags) as (_, inside),
        nginx(folder, urlsplit(inside).port) as outside,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("SSL_CERT_FILE", str(folder / "server.pem"))
        config_of(inside)
        yield Site(outside, inside, folder / "runs")


def test_the_page_knows_its_address_and_that_https_is_offloaded(site):
    assert config_of(site.outside)["root"] == site.outside.rstrip("/")
    assert config_of(site.outside)["root"].startswith("https://")


# A page with the tests' engine, whose runs stand still at their first call.
HELD = """
import sys, time
sys.path[:0] = ["tests", "."]
from fake_engine import FakeEngine
from explorer import ui
engine = FakeEngine()
engine.hold_at = 0
page = ui.build(engine)
port = int(sys.argv[sys.argv.index("--port") + 1])
options = {"server_port": port, "root_path": "/explorer", **ui.launch_options()}
page.launch(prevent_thread_lock=True, quiet=True, **options)
while True:
    time.sleep(1)
"""


LARGE_BUFFERS = "proxy_buffer_size 8m; proxy_buffers 8 8m; proxy_busy_buffers_size 16m;"


def with_large_buffers(server: str) -> str:
    """Which nothing fills in the time of a test, where nginx uses them."""
    return server.replace("proxy_http_version 1.1;", f"proxy_http_version 1.1; {LARGE_BUFFERS}")


def test_a_runs_events_come_while_it_goes_on(site, tmp_path, monkeypatch):
    """The run repeats what it told last, and so would fill small buffers."""
    monkeypatch.setattr("program.PATIENCE_S", 30)
    for name in CERTIFICATE:
        shutil.copyfile(site.runs.parent / name, tmp_path / name)
    with (
        forked_program(tmp_path / "pictures", source=HELD) as (_, inside),
        nginx(tmp_path, urlsplit(inside).port, changed=with_large_buffers) as outside,
    ):
        config_of(inside)
        with start_run(outside, steps=2) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            read_until(stream, '"running"')


def upload(address: str, size: int) -> str:
    """Send a file of this size as the page does; returns its path there."""
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    body = head.encode() + bytes(size) + f"\r\n--{boundary}--\r\n".encode()
    request = urllib.request.Request(
        address + "gradio_api/upload",
        body,
        {"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())[0]


def test_uploads_up_to_our_limit_pass_the_proxy_and_larger_ones_are_refused_by_us(site):
    assert Path(upload(site.outside, 20 * MIB - 1000)).name == "a.png"
    with pytest.raises(urllib.error.HTTPError) as refused:
        upload(site.outside, 24 * MIB + MIB // 2)
    assert refused.value.code == 413
    assert "nginx" not in refused.value.read().decode()


def test_nobody_behind_the_proxy_is_this_machines_user(site):
    """The history of whoever started the program is not that of a browser that comes through it."""
    History(site.runs).add(made_run())
    for address in (site.outside, site.inside):  # whoever reaches the port sees no more
        request = urllib.request.Request(address + "runs", headers={"x-visitor": uuid.uuid4().hex})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.loads(answer.read())["runs"] == []
    assert len(History(site.runs)) == 1


def test_https_is_nginxs(site):
    """Its certificate is asked for: the addresses above are not the program's own."""
    nobody = ssl.create_default_context(cafile=certifi.where())
    with pytest.raises(urllib.error.URLError, match="certificate"):
        urllib.request.urlopen(site.outside, timeout=60, context=nobody)
