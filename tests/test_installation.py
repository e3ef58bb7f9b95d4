"""The wheel works without the checkout; what it asks for is what the tests run with."""

import os
import re
import signal
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from program import fetched, program, read_until, start_run
from slow_files import BROWSER_FILES, SLOW_FILES

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PROMPT = """
import explorer
from explorer import engine
from explorer.settings import RunSettings
print(explorer.__file__)
trajectory, *_ = engine.run(RunSettings(prompt="a red boat", steps=2))
print(trajectory.image.shape)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The programs of an environment with the wheel; its dependencies are the tests' own."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run([*pip, *build], check=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    programs = environment / "bin"
    into = ["--python", programs / "python", "install", "--no-deps", "--no-index", wheel]
    subprocess.run([*pip, *into], check=True, timeout=300)
    (packages,) = environment.glob("lib/python3.*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return programs


def test_the_wheel_runs_a_prompt_from_any_folder(installed, tmp_path):
    done = subprocess.run(
        [installed / "python", "-c", PROMPT],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    where, size = done.stdout.splitlines()
    assert Path(where).is_relative_to(installed.parent)
    assert size == "(128, 128, 3)"


def test_the_command_serves_the_page_and_its_run(installed, tmp_path):
    command = [str(installed / "sampler-explorer")]
    with program(command, tmp_path / "pictures", cwd=tmp_path) as (process, url):
        read_until(start_run(url, steps=2), "image/jpeg")
        assert b"<style>" in fetched(url)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143


def test_the_wheel_carries_all_that_the_checkout_has(installed):
    (packages,) = installed.parent.glob("lib/python3.*/site-packages")
    for folder in ("configs", "examples", "export", "page", "scenes"):
        files = {
            path.relative_to(ROOT / "assets")
            for path in (ROOT / "assets" / folder).rglob("*")
            if path.is_file()
        }
        assert [each for each in files if not (packages / "explorer/_assets" / each).exists()] == []


def test_the_changelog_begins_with_the_version():
    assert (
        f"## {PROJECT['version']}\n"
        == re.search(r"## .*\n", (ROOT / "CHANGELOG.md").read_text())[0]
    )


def requirements(file: str) -> dict[str, Requirement]:
    lines = (re.sub("#.*", "", line).strip() for line in (ROOT / file).read_text().splitlines())
    parsed = [Requirement(line) for line in lines if line and not line.startswith("-r")]
    return {each.name: each for each in parsed}


@pytest.mark.parametrize(
    ("file", "asked"),
    [
        ("requirements.txt", PROJECT["dependencies"]),
        ("tests/requirements.txt", PROJECT["optional-dependencies"]["test"]),
    ],
)
def test_every_pin_lies_in_its_range(file, asked):
    ranges = {each.name: each for each in map(Requirement, asked)}
    pins = requirements(file)
    assert set(pins) == set(ranges)
    for name, pin in pins.items():
        (version,) = (each.version for each in pin.specifier)
        assert ranges[name].specifier.contains(version), name


def test_the_lists_of_slow_files_name_real_files():
    names = [*SLOW_FILES, *BROWSER_FILES]
    assert [name for name in names if not (ROOT / "tests" / name).is_file()] == []
