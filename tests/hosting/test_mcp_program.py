"""The whole program: tools over pipes, tools of the page's server, and neither without asking."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from loops import finish
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from program import SETTINGS, config_of, forked_program

from explorer.cli import main
from explorer.hosting.mcp.package import MCP, is_asked_for

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = "import sys; sys.modules['mcp'] = None; from explorer.cli import main; main({})"


@pytest.mark.parametrize("flags", [[], ["--workers", "1"]], ids=["by itself", "by a worker"])
def test_tools_over_pipes(tmp_path, flags):
    """As a client on a desktop starts the program; nothing but answers is on its output."""
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "explorer.cli", "mcp", "--runs-dir", str(tmp_path), "--device", "cpu", *flags],
        cwd=ROOT,
        env={**os.environ, **SETTINGS, "EXPLORER_NO_HISTORY": "0"},
    )
    heard = []

    async def hear(*progress) -> None:
        heard.append(progress)

    async def session():
        async with stdio_client(command) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            arguments = {"prompt": "a red boat", "steps": 4}
            return (
                await session.call_tool("sigma_list", {"steps": 3}),
                await session.call_tool("compare_samplers", arguments, progress_callback=hear),
            )

    sigmas, run = finish(session())
    assert sigmas.content[0].text.splitlines() == ["14.6146, 1.61558, 0.0291672, 0"] * 2
    assert not run.isError, run.content
    assert [each.type for each in run.content] == ["text", "text", "image", "text", "image"]
    assert f"It is in the history as {run.structuredContent['id']}." in run.content[0].text
    assert [path.name for path in tmp_path.rglob("run.json")]
    assert heard
    assert run.structuredContent["lanes"][1]["difference"] > 1


def test_the_page_s_server_has_the_tools_where_they_are_asked_for(family_folder, tmp_path):
    async def names(url: str) -> list[str]:
        async with (
            streamable_http_client(f"{url}mcp") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            answered = await session.call_tool("explain_schedule", {"steps": 3})
            assert not answered.isError
            return [tool.name for tool in (await session.list_tools()).tools]

    with forked_program(tmp_path, "--model", str(family_folder("sd1")), "--mcp") as (_, url):
        config_of(url)
        assert "compare_samplers" in finish(names(url))
        other = httpx.post(f"{url}mcp", json={}, headers={"origin": "https://example.org"})
        assert other.status_code == 403
        assert httpx.get(f"{url}gradio_api/mcp/").status_code in (404, 405)
    with forked_program(tmp_path, "--model", str(family_folder("sd1"))) as (_, url):
        config_of(url)
        assert httpx.post(f"{url}mcp", json={}).status_code in (404, 405)


@pytest.mark.parametrize("arguments", [["mcp"], ["--mcp"]])
def test_without_the_package_it_is_a_sentence_and_status_2(arguments):
    code = WITHOUT.format(arguments)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "The Model Context Protocol needs the package mcp, which is not installed: pip install "
        "'sampler-explorer[mcp]'.\n"
    )


@pytest.mark.parametrize(
    ("flag", "text", "asked"),
    [(None, "", False), (None, "0", False), (None, "1", True), (True, "", True), (True, "0", True)],
)
def test_it_is_asked_for_by_flag_or_environment(flag, text, asked):
    assert is_asked_for(flag, {MCP: text} if text else {}) is asked


def test_a_word_that_is_neither_is_a_sentence():
    with pytest.raises(ValueError, match=r"EXPLORER_MCP must be 1 or 0; got 'maybe'\."):
        is_asked_for(None, {MCP: "maybe"})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "/nowhere/model"], "there is nothing at this path"),
        (["--runs-dir", "/dev/null/runs"], "--runs-dir '/dev/null/runs' lies under a file;"),
        (["--port", "7860"], "Unrecognized arguments: --port 7860. See --help."),
        (["--workers", "many"], "--workers must be a whole number from 0 to 64; got 'many'."),
        (["--device", "cuda:0,tpu"], "or several such as cuda:0,cuda:1; got 'tpu'."),
    ],
)
def test_what_is_wrong_is_a_sentence_and_status_2(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as caught:
        main(["mcp", *arguments])
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err
