"""The documents tell the truth: their Python runs, their files exist, their pins are installed."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.settings import LaneSettings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
MAP = (ROOT / "ARCHITECTURE.md").read_text()
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def front_matter() -> dict[str, str]:
    lines = README.split("---")[1].strip().splitlines()
    return {key: value.strip(' "') for key, value in (line.split(":", 1) for line in lines)}


def test_the_python_block_runs(tmp_path, monkeypatch, capsys):
    block = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    assert len([line for line in block.splitlines() if line.strip()]) == 6
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "dpm2.safetensors").exists()
    assert len(capsys.readouterr().out.splitlines()) == 2 * 20 - 1


@pytest.mark.parametrize("path", re.findall(r"^  ?  ?(\S+\.py) ", MAP, re.MULTILINE))
def test_the_map_names_real_files(path):
    assert list((ROOT / "explorer").rglob(path)) or (ROOT / "explorer" / path).exists()


def test_the_map_forgets_no_room():
    rooms = [path.name for path in (ROOT / "explorer").rglob("*.py")]
    assert [room for room in rooms if room != "__init__.py" and room not in MAP] == []


@pytest.mark.parametrize("name", [*(spec.name for spec in fields(LaneSettings)), *SCHEDULE_TYPES])
def test_every_setting_of_a_lane_is_told(name):
    assert name == "sampler" or f"`{name}`" in README


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        assert link.startswith("https://") or (document.parent / link).exists(), link


def test_a_newcomer_reads_the_readme_in_one_sitting():
    assert len(README.splitlines()) <= 150


def test_a_space_gets_the_gradio_that_is_pinned():
    assert f"gradio=={front_matter()['sdk_version']}\n" in (ROOT / "requirements.txt").read_text()
    assert (ROOT / front_matter()["app_file"]).is_file()
