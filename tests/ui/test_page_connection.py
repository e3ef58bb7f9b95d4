"""A server that has gone is said, and what was typed is there when it is back."""

import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect
from reading import choose, fill, wait_for

pytestmark = pytest.mark.browser


SERVER = """
import sys
sys.path[:0] = sys.argv[1], sys.argv[2]
from fake_engine import FakeEngine
from explorer import ui
port = int(sys.argv[3])
ui.build(FakeEngine(pace=0.5)).launch(server_port=port, quiet=True, **ui.launch_options())
"""


@contextmanager
def serving(port: int):
    """A server in a process of its own, which is killed at the end as by a power cut."""
    here = Path(__file__).parent
    command = [sys.executable, "-c", SERVER, str(here), str(here.parent), str(port)]
    process = subprocess.Popen(command, cwd=here.parents[1], stdout=subprocess.DEVNULL)
    try:
        wait_until_served(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def wait_until_served(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            return urlopen(f"http://127.0.0.1:{port}/gradio_api/app_id").close()
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not come up")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_run_does_not_go_on_after_its_server(context):
    page = context.new_page()
    with serving(free_port()) as url:
        page.goto(url)
        page.wait_for_selector("#plot .nsewdrag")
        page.wait_for_selector("#history [data-ready]")
        page.click("#run")
        wait_for(page, "samplerExplorer.call >= 2")
        page.route("**/app_id", lambda route: route.abort())
        page.wait_for_function(
            "document.body.innerText.includes('connection to the server is lost')"
        )
        page.close()


def test_what_was_typed_is_there_when_a_server_is_back(context):
    port = free_port()
    page = context.new_page()
    with serving(port) as url:
        page.goto(url)
        page.wait_for_selector("#plot .nsewdrag")
        page.wait_for_selector("#history [data-ready]")
        fill(page, "prompt", "a car that was typed")
        fill(page, "a_beta_end", "0.02")
        page.click("#picture_group .fold-head")
        page.click("#run")
        wait_for(page, "samplerExplorer.call === 2")
        page.evaluate("window.before = true")
    wait_for(page, "samplerExplorer.state === 'error'")
    page.wait_for_timeout(1000)  # Gradio itself sees it, too, and tells of no change from then on
    fill(page, "negative_prompt", "typed while it was gone")
    fill(page, "steps", "11")
    fill(page, "a_beta_start", "0.002")
    choose(page, "#preview_decoder", "TAESD")
    with serving(port):
        wait_for(page, "!window.before")  # Gradio reloads the page
        page.wait_for_selector("#history [data-ready]")
        expect(page.locator("#prompt textarea")).to_have_value("a car that was typed")
        expect(page.locator("#a_beta_end input")).to_have_value("0.02")
        expect(page.locator("#negative_prompt textarea")).to_have_value("typed while it was gone")
        expect(page.locator("#steps input")).to_have_value("11")
        expect(page.locator("#a_beta_start input")).to_have_value("0.002")
        expect(page.locator("#preview_decoder input")).to_have_value("TAESD")
        page.close()
