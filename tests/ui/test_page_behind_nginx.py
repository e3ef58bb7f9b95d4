"""The page behind nginx, under /explorer/ and HTTPS, as docs/hosting.md configures it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from nginx import nginx
from PIL import Image
from playwright.sync_api import Page, expect
from reading import fill, run_to_end, wait_for

from explorer import ui
from explorer.hosting.run_store import RunStore
from explorer.settings.limits import LIMITS

pytestmark = pytest.mark.browser
SAME = "#same-visitor"
UPLOAD = "#init_image input[type=file]"


@contextmanager
def served(folder: Path, root_path: str) -> Iterator[tuple[int, FakeEngine]]:
    """A server with a history: its port and its engine."""
    engine = FakeEngine(pace=0.002)
    page = ui.build(engine, replace(LIMITS, grace_s=30), RunStore(folder / "runs"))
    options = ui.launch_options() | {"root_path": root_path}
    page.launch(prevent_thread_lock=True, quiet=True, **options)
    try:
        yield page.server_port, engine
    finally:
        engine.hold_at = None
        page.close(verbose=False)


@pytest.fixture
def tab(context) -> Iterator[Page]:
    page = context.new_page()
    yield page
    page.close()


@pytest.mark.parametrize("strips", [True, False], ids=["stripped", "whole"])
def test_page_run_upload_reload_and_history(tab, tmp_path, strips):
    with served(tmp_path, "/explorer") as (port, engine), nginx(tmp_path, port, strips) as address:
        tab.goto(address + SAME)
        tab.wait_for_selector("#plot .nsewdrag")
        tab.wait_for_selector(".past-runs[data-known]")
        assert tab.locator("#misplaced").count() == 0

        upload(tab, noise(tmp_path / "start.png"))
        run_to_end(tab)
        assert engine.settings.init_image
        expect(tab.locator(".past-run")).to_have_count(1)

        comes_back(tab, engine)
        expect(tab.locator(".past-run")).to_have_count(2)

        fill(tab, "prompt", "changed since")
        tab.locator(".past-run").last.click()
        expect(tab.locator("#prompt textarea")).not_to_have_value("changed since")
        tab.wait_for_selector(".viewer:not([data-fetching])")
        assert refused(tmp_path) == []


def upload(tab: Page, path: Path) -> None:
    """Choose a start picture that is larger than nginx takes by itself."""
    assert path.stat().st_size > 2**20
    tab.locator("#start_group .fold-head").click()
    tab.set_input_files(UPLOAD, path)
    expect(tab.locator("#start_group .summary")).to_contain_text("from step 6")


def comes_back(tab: Page, engine: FakeEngine) -> None:
    """Reload in the middle of a run: the page finds it again and sees its end."""
    engine.hold_at = 8
    tab.click("#run")
    expect(tab.locator("#progress .where")).to_contain_text("call 8 of")
    tab.reload()
    tab.wait_for_selector("#plot .nsewdrag")
    expect(tab.locator("#progress .where")).to_contain_text("call 8 of")
    wait_for(tab, "samplerExplorer.state === 'running'")
    engine.hold_at = None
    wait_for(tab, "samplerExplorer.state === 'done'")


def noise(path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (700, 700, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def refused(folder: Path) -> list[str]:
    """The requests to the page's own addresses that nginx or the server has refused.

    A browser asks for /favicon.ico, and Gradio's page for /manifest.json, at nginx's root.
    """
    lines = (folder / "access.log").read_text().splitlines()
    return [line for line in lines if re.search(r" /explorer/\S* HTTP/1.1\" [45]\d\d ", line)]


def test_a_forgotten_root_path_is_said_on_the_page(tab, tmp_path):
    with served(tmp_path, "") as (port, _), nginx(tmp_path, port) as address:
        tab.goto(address)
        expect(tab.get_by_role("alert")).to_have_text(
            "This page is below /explorer, and its server does not know that: start it with "
            "--root-path /explorer"
        )


def test_a_forgotten_root_path_is_said_where_there_is_no_page(tab, tmp_path, caplog):
    with served(tmp_path, "") as (port, _), nginx(tmp_path, port, strips=False) as address:
        answer = tab.goto(address)
        assert answer.status == 404
        expect(tab.locator("body")).to_contain_text("start it with --root-path and that path.")
        tab.goto(address)
    assert caplog.text.count("start it with --root-path") == 1


def test_a_proxy_that_keeps_the_host_to_itself_is_said_on_the_page(tab, tmp_path):
    def silent(server: str) -> str:
        return re.sub(r"proxy_set_header (X-Forwarded-)?Host .*;", "", server)

    with (
        served(tmp_path, "/explorer") as (port, _),
        nginx(tmp_path, port, changed=silent) as address,
    ):
        tab.goto(address)
        expect(tab.get_by_role("alert")).to_contain_text(
            f"its server takes https://127.0.0.1:{port} for its address"
        )


def test_a_server_that_knows_its_path_works_without_the_proxy_too(tab, tmp_path):
    with served(tmp_path, "/explorer") as (port, _):
        tab.goto(f"http://127.0.0.1:{port}/")
        tab.wait_for_selector("#plot .nsewdrag")
        assert tab.locator("#misplaced").count() == 0
        run_to_end(tab)
