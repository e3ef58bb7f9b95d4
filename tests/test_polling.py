"""What tests wait with: it ends when the condition is true, and says which one never was."""

import ast
import asyncio
import threading
import time
from pathlib import Path

import pytest
from loops import finish
from polling import wait_until, wait_until_async

TESTS = Path(__file__).parent
FILES = sorted(path for path in TESTS.rglob("*.py") if "node_modules" not in path.parts)


def test_it_returns_when_another_thread_has_made_it_true():
    happened = threading.Event()
    threading.Timer(0.05, happened.set).start()
    wait_until(happened.is_set, 30)
    assert happened.is_set()


def test_other_tasks_go_on_meanwhile():
    happened = asyncio.Event()

    async def wait() -> None:
        asyncio.get_running_loop().call_later(0.05, happened.set)
        await wait_until_async(happened.is_set, 30)

    finish(wait())
    assert happened.is_set()


@pytest.mark.parametrize("is_async", [False, True])
def test_what_never_comes_true_fails_with_its_source(is_async):
    began, never = time.monotonic(), []
    with pytest.raises(AssertionError, match=r"within 0\.1 s: .*len\(never\) > 3"):
        if is_async:
            finish(wait_until_async(lambda: len(never) > 3, 0.1))
        else:
            wait_until(lambda: len(never) > 3, 0.1)
    assert 0.1 <= time.monotonic() - began < 30


def test_no_other_file_has_a_copy():
    copies = [
        f"{path.relative_to(TESTS)}: {node.name}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name in ("until", "wait_until", "wait_until_async", "wait_for")
        and path.relative_to(TESTS).as_posix() not in ("polling.py", "ui/reading.py")  # of a page
    ]
    assert copies == []
