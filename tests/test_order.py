"""Tests may come in any order, and in a process that has already run others."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FILES = sorted(path for path in TESTS.rglob("*.py") if "node_modules" not in path.parts)
LOOPS = ("asyncio.run", "anyio.run", "asyncio.Runner", "asyncio.new_event_loop")


def attributes(path: Path) -> list[str]:
    """All `name.attribute` in a file."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return [ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(TESTS).as_posix())
def test_no_file_runs_an_event_loop_in_the_main_thread(path):
    """Where a browser's test came before, Playwright's loop runs there: loops.py has a way."""
    if path.name != "loops.py":
        assert [each for each in attributes(path) if each in LOOPS] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(TESTS).as_posix())
def test_no_file_changes_the_environment_but_for_a_test(path):
    """monkeypatch.setenv takes back what it has done."""
    assigned = [
        ast.unparse(target)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assign | ast.Delete)
        for target in node.targets
    ]
    assert [each for each in assigned if each.startswith("os.environ")] == []
