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
FOLDERS = [*(ROOT / "explorer").rglob("__init__.py")]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def front_matter() -> dict[str, str]:
    lines = README.split("---")[1].strip().splitlines()
    return {key: value.strip(' "') for key, value in (line.split(":", 1) for line in lines)}


def test_the_python_blocks_run(tmp_path, monkeypatch, capsys):
    first, *others = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in first.splitlines() if line.strip()]) == 6
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    names = {}
    exec(compile(first, "README.md", "exec"), names)
    assert (tmp_path / "dpm2.safetensors").exists()
    assert len(capsys.readouterr().out.splitlines()) == 2 * 20 - 1
    for block in others:
        exec(compile(block, "README.md", "exec"), names)
    assert names["dpm2_a"].nfe == 2 * 4 - 1
    (kept,) = names["explorer"].history()
    assert kept.prompt == "a blue house"
    assert len(names["run"].model_fingerprint) == 64


@pytest.mark.parametrize("path", re.findall(r"^  ?  ?(\S+\.py) ", MAP, re.MULTILINE))
def test_the_map_names_real_files(path):
    assert list((ROOT / "explorer").rglob(path)) or (ROOT / "explorer" / path).exists()


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in FOLDERS))
def test_the_map_forgets_no_room(folder):
    (place,) = (path.parent for path in FOLDERS if path.parent.name == folder)
    if folder == "explorer":
        part = "\n".join(re.findall(r"^  \S.*", MAP, re.MULTILINE))
    else:
        part = re.search(rf"^ *{folder}/.*?(?=^  \S|^\S)", MAP, re.MULTILINE | re.DOTALL)[0]
    rooms = [path.name for path in place.glob("*.py") if path.name != "__init__.py"]
    assert [room for room in rooms if not re.search(rf"(?<!\w){room}", part)] == []


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
