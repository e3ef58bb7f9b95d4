"""The folder that is pushed to be a Space: its files, what its README tells, and that it runs."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from huggingface_hub import SpaceHardware
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from program import fetched, forked_program, read_until, start_run

from explorer.hosting.space.front_matter import Variant
from explorer.hosting.space.requirements import space_requirements
from explorer.hosting.space.writing import NotWritten, write_space

ROOT = Path(__file__).resolve().parents[2]
COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
# What the platform's reference of a README's front matter documents, with each value's type.
DOCUMENTED = {
    "title": str,
    "emoji": str,
    "colorFrom": str,
    "colorTo": str,
    "sdk": str,
    "sdk_version": str,
    "python_version": str,
    "suggested_hardware": str,
    "app_file": str,
    "fullWidth": bool,
    "header": str,
    "short_description": str,
    "tags": list,
    "thumbnail": str,
    "license": str,
}
MOST_DESCRIBED = 60  # characters of a short description
VARIANTS = {"cpu": Variant(), "zero": Variant(zero_gpu=True, mcp=True, space_id="me/explorer")}


@pytest.fixture(scope="module", params=VARIANTS)
def written(request, tmp_path_factory) -> tuple[Path, Variant]:
    """Each of the two folders, written once."""
    folder, variant = tmp_path_factory.mktemp("space") / "folder", VARIANTS[request.param]
    write_space(folder, variant)
    return folder, variant


def front_matter(folder: Path) -> dict:
    text = (folder / "README.md").read_text(encoding="utf-8")
    return yaml.safe_load(re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)[1])


def pins(text: str) -> dict[str, Requirement]:
    lines = (re.sub("#.*", "", line).strip() for line in text.splitlines())
    return {each.name: each for each in map(Requirement, filter(None, lines))}


def test_the_front_matter_has_what_the_platform_documents(written):
    folder, variant = written
    given = front_matter(folder)
    assert {key: type(value) for key, value in given.items()}.items() <= DOCUMENTED.items()
    assert given["sdk"] == "gradio"
    assert (folder / given["app_file"]).is_file()
    assert given["colorFrom"] in COLOURS
    assert given["colorTo"] in COLOURS
    assert given["header"] == "mini"
    assert given["fullWidth"] is True
    assert len(given["short_description"]) <= MOST_DESCRIBED
    assert ("mcp-server" in given["tags"]) == variant.mcp


def test_each_hardware_gets_the_python_and_the_torch_that_it_runs(written):
    folder, variant = written
    given, pinned = front_matter(folder), pins((folder / "requirements.txt").read_text())
    source = pins((ROOT / "requirements.txt").read_text())
    assert str(pinned["gradio"].specifier) == f"=={given['sdk_version']}"
    if variant.zero_gpu:
        assert given["python_version"] == "3.12.12"
        assert given["suggested_hardware"] in {each.value for each in SpaceHardware}
        assert str(pinned.pop("torch").specifier) == "==2.11.0"
        assert str(pinned.pop("spaces").specifier) == "==0.51.3"
        assert str(pinned.pop("mcp").specifier) == "==1.30.0"
        assert "EXPLORER_MCP" in (folder / "app.py").read_text()
        assert given["thumbnail"].startswith("https://huggingface.co/spaces/me/explorer/")
        assert (folder / given["thumbnail"].rpartition("/")[2]).is_file()
        del source["torch"]
    else:
        assert given["python_version"] == "3.11"
        assert (folder / "app.py").read_text() == (ROOT / "app.py").read_text()
        assert "thumbnail" not in given
    assert {name: each.specifier for name, each in pinned.items()} == {
        name: each.specifier for name, each in source.items()
    }


def test_the_packages_come_with_hashes_before_the_others_that_then_are_there(written):
    """pip installs the first file by itself, and wants a hash of every package in it."""
    folder, variant = written
    hashed = (folder / "pre-requirements.txt").read_text()
    entries = re.split(r"\n(?=\S)", hashed.strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    there = dict(entry.split(maxsplit=1)[0].split("==") for entry in entries)
    for name, each in pins((folder / "requirements.txt").read_text()).items():
        assert each.specifier.contains(there[canonicalize_name(name)])
    assert there["torch"] == ("2.11.0" if variant.zero_gpu else "2.13.0")
    assert there.keys() >= {"spaces", "mcp", "uvicorn", "websockets"}  # the platform's own


def test_the_folder_has_all_that_the_program_needs_and_no_more(written):
    folder, _ = written
    assert sorted(path.name for path in folder.iterdir()) == [
        *(".gitattributes", "LICENSE", "README.md", "app.py", "assets", "docs", "explorer"),
        *("pre-requirements.txt", "requirements.txt", "thumbnail.webp"),
    ]
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    listed = ["git", "-C", ROOT, "ls-files", "assets", "explorer"]
    ours = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines()
    left_out = ("explorer/training/", "explorer/examples/", "explorer/hosting/space/")
    assert [name for name in ours if name not in files and not name.startswith(left_out)] == []
    assert [name for name in files if name.startswith(left_out) or "__pycache__" in name] == []


def test_git_of_the_platform_takes_every_file_that_is_no_text(written):
    folder, _ = written
    large = re.findall(r"^\*(\.\w+) filter=lfs", (folder / ".gitattributes").read_text(), re.M)
    for path in folder.rglob("*"):
        if path.is_file() and b"\0" in path.read_bytes():
            assert path.suffix in large, path


def test_the_folder_starts_and_serves_a_page_and_a_run(written, tmp_path):
    """From its own files: the checkout is not on the path."""
    folder, _ = written
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    where = [sys.executable, "-c", "import explorer.cli; print(explorer.cli.__file__)"]
    found = subprocess.run(
        where, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()).is_relative_to(folder)
    with forked_program(tmp_path, cwd=folder) as (process, url):
        read_until(start_run(url, steps=2), "image/jpeg")
        assert b"<style>" in fetched(url)
        assert b"DPM2" in fetched(url + "source/ancestral.md")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
        assert "Traceback" not in process.errors()


def test_a_folder_with_something_in_it_is_left_as_it_is(tmp_path):
    kept = tmp_path / "notes.txt"
    kept.write_text("mine")
    with pytest.raises(NotWritten, match=r"is not empty; name another folder, or .* --force"):
        write_space(tmp_path, Variant())
    assert list(tmp_path.iterdir()) == [kept]
    assert kept.read_text() == "mine"


def test_force_replaces_everything_but_the_clone(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main")
    (tmp_path / "explorer").mkdir()
    (tmp_path / "explorer" / "gone.py").write_text("")
    write_space(tmp_path, Variant(), force=True)
    assert (tmp_path / ".git" / "HEAD").read_text() == "ref: refs/heads/main"
    assert not (tmp_path / "explorer" / "gone.py").exists()
    assert (tmp_path / "app.py").is_file()


@pytest.mark.parametrize(
    ("out", "variant", "sentence"),
    [
        (ROOT, Variant(), "holds the source itself"),
        (ROOT / "explorer" / "new", Variant(), "holds the source itself"),
        (ROOT / "app.py", Variant(), "is a file; name a folder"),
        (Path("/dev/null/space"), Variant(), "cannot be written"),
        (
            Path("/nowhere"),
            Variant(space_id="no id"),
            "--id must look like OWNER/NAME; got 'no id'",
        ),
    ],
)
def test_what_cannot_be_written_is_a_sentence(out, variant, sentence):
    with pytest.raises(NotWritten, match=sentence):
        write_space(out, variant, force=True)


def test_the_command_says_how_the_folder_is_pushed_and_refuses_in_a_sentence(tmp_path):
    command = [sys.executable, "-m", "explorer.hosting.space", "--out", tmp_path / "space"]
    first, second = (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        for _ in range(2)
    )
    assert first.returncode == 0
    assert f"hf upload OWNER/NAME {tmp_path / 'space'} . --repo-type space" in first.stdout
    assert second.returncode == 2
    assert "is not empty" in second.stderr
    assert "Traceback" not in second.stderr


def test_pins_without_torch_are_no_silent_surprise():
    with pytest.raises(ValueError, match="no pin of torch"):
        space_requirements("gradio==6.31.0\n", Variant(zero_gpu=True))
