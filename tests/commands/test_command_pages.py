"""The examples of docs/command_line.md and docs/mcp.md, as they stand there."""

import json
import re
import shlex
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from loops import finish
from tool_server import Server

from explorer.cli import main
from explorer.commands import COMMANDS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "command_line.md").read_text()
MCP = (DOCS / "mcp.md").read_text()


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def test_the_page_s_examples_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    engine = FakeEngine(pace=0)
    monkeypatch.setattr("explorer.commands.run.engine_of", lambda options: engine)
    monkeypatch.setattr("explorer.commands.run.silence_libraries", lambda: None)
    lines = [line for block in blocks(PAGE, "sh") for line in block.splitlines()]
    assert len(lines) >= 9
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "sampler-explorer"
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        out, err = capsys.readouterr()
        assert not caught.value.code, (line, err)
        assert out, line
    assert len(list(tmp_path.glob("runs/*/run.json"))) == 3
    assert engine.settings is not None and engine.settings.cfg_scale == 5


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_page_and_has_help(command, capsys):
    assert f"| `{command}" in PAGE
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"sampler-explorer {command}" in capsys.readouterr().out


def test_the_client_s_settings_name_a_command_that_exists():
    (text,) = blocks(MCP, "json")
    entry = json.loads(text)["mcpServers"]["sampler-explorer"]
    assert entry["command"] == "sampler-explorer"
    assert entry["args"][0] in COMMANDS


def test_the_tools_example_runs(capsys):
    (code,) = blocks(MCP, "python")
    with Server() as server:
        address = f"127.0.0.1:{server.port}"
        source = compile(code.replace("127.0.0.1:7860", address), "mcp.md", "exec")

        async def in_a_thread_of_its_own() -> None:
            import asyncio

            await asyncio.to_thread(exec, source, {})

        finish(in_a_thread_of_its_own())
    assert "30 model calls" in capsys.readouterr().out


def test_every_tool_is_in_the_page():
    from explorer.hosting.mcp.tools import HANDLERS

    assert [name for name in HANDLERS if f"| `{name}` |" not in MCP] == []
