"""The page on security: each row of its tables says how something is stopped, and by which test."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
# What the page speaks of, at least, by words of the rows.
SUBJECTS = (
    *("start picture", "paths in an answer", "device", "temporary folder"),
    *("prompts", "names", "infotext", "PNG metadata", "permalinks", "run's folder", ".zip"),
    *("page of its own", "bomb", "`../`", "links", "pickle", "memory", "disk", "queue", "log"),
    *("Sec-Fetch-Site", "credentials", "rebinding", "frame", "/metrics", "session", "endpoint"),
)


def rows(page: str) -> list[list[str]]:
    lines = [line for line in page.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [each for each in cells if each[0] not in ("who", "---")]


@cache
def names_in(file: str) -> set[str]:
    """The tests of a file, and the parts that its tests go through."""
    path = ROOT / "tests" / file
    if not path.is_file():
        return set()
    kinds = ast.FunctionDef, ast.AsyncFunctionDef
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    named = {node.id for node in nodes if isinstance(node, ast.Name)}
    made = {node.name for node in nodes if isinstance(node, kinds)}
    return {name for name in made if name.startswith("test_") or name in named}


def lacking(page: str) -> list[str]:
    """The rows that name no test, and the named tests that there are not."""
    without = [row[1] for row in rows(page) if len(row) != 4 or not NAMED.search(row[3])]
    absent = [f"{file}::{name}" for file, name in NAMED.findall(page) if name not in names_in(file)]
    return without + absent


def test_every_row_names_tests_that_exist():
    assert len(rows(PAGE)) > 40
    assert lacking(PAGE) == []


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_tables_speak_of(subject):
    assert any(subject in cell for row in rows(PAGE) for cell in row)


def test_a_row_without_a_test_and_a_test_that_is_gone_are_seen():
    page = "| visitor | asks | no | |\n| visitor | x | y | `ui/test_served.py::test_gone` |"
    assert lacking(page) == ["asks", "ui/test_served.py::test_gone"]


def test_a_part_that_no_test_goes_through_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    (tmp_path / "tests").mkdir()
    parts = "def a(): ...\ndef b(): ...\nPARTS = (a,)\ndef test_x(): ..."
    (tmp_path / "tests" / "test_parts.py").write_text(parts)
    page = "".join(
        f"| visitor | x | y | `test_parts.py::{name}` |\n" for name in ("a", "b", "test_x")
    )
    assert lacking(page) == ["test_parts.py::b"]
