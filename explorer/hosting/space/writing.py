"""Writes a Space's folder: the program, its assets, and the files that the platform reads."""

import re
import shutil
import tempfile
from pathlib import Path

from explorer.assets import asset
from explorer.hosting.files import GUIDE_PICTURES, GUIDES
from explorer.hosting.space.front_matter import THUMBNAIL, Variant, readme
from explorer.hosting.space.requirements import hashed_list, space_requirements

SOURCE = asset().parent
# What the program runs without: how its model and its examples were made, and this writer.
LEFT_OUT = ("explorer/training", "explorer/examples", "explorer/hosting/space")
PICTURE = "docs/pictures/done.webp"
NEEDED = ("app.py", "LICENSE", "README.md", "requirements.txt", "explorer", "assets", PICTURE)
# Git of the platform takes them only so.
LARGE_FILES = "".join(
    f"*.{kind} filter=lfs diff=lfs merge=lfs -text\n"
    for kind in ("safetensors", "jpg", "png", "webp", "gz")
)
SPACE_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


WITH_MCP = '''"""Start Sampler Explorer as a Space, with its tools for language models."""

import os

from explorer.cli import main

if __name__ == "__main__":
    os.environ.setdefault("EXPLORER_MCP", "1")  # 0 among the Space's variables leaves them out
    main()
'''


class NotWritten(ValueError):
    """A folder that was not written; the message says why, and what to do."""


def write_space(out: Path, variant: Variant, *, force: bool = False) -> int:
    """Write the folder of a Space to `out` and return its size in bytes.

    With `force` everything in it is replaced but hidden files, such as a clone's `.git`. Raises
    NotWritten; then nothing in `out` has changed.
    """
    _check(out, variant, force)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".space-", dir=out.parent) as draft:
            _write(Path(draft), variant)
            size = sum(path.stat().st_size for path in Path(draft).rglob("*") if path.is_file())
            out.mkdir(exist_ok=True)
            for old in out.iterdir():
                if not old.name.startswith("."):
                    shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
            for new in Path(draft).iterdir():
                new.replace(out / new.name)
    except OSError as error:
        raise NotWritten(f"--out {out}: it cannot be written ({error.strerror}).") from None
    return size


def _check(out: Path, variant: Variant, force: bool) -> None:
    needed = *NEEDED, hashed_list(variant)
    if missing := [name for name in needed if not (SOURCE / name).exists()]:
        raise NotWritten(
            f"A Space is written from a checkout of the source; here {missing[0]} is missing."
        )
    if variant.space_id and not SPACE_ID.fullmatch(variant.space_id):
        raise NotWritten(f"--id must look like OWNER/NAME; got {variant.space_id[:80]!r}.")
    place = out.resolve()
    if SOURCE.is_relative_to(place) or place.is_relative_to(SOURCE / "explorer"):
        raise NotWritten(f"--out {out}: it holds the source itself; name another folder.")
    if out.exists() and not out.is_dir():
        raise NotWritten(f"--out {out} is a file; name a folder.")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise NotWritten(
            f"--out {out} is not empty; name another folder, or replace what is in it with --force."
        )


def _write(folder: Path, variant: Variant) -> None:
    for name in ("explorer", "assets"):
        shutil.copytree(SOURCE / name, folder / name, ignore=_ignored)
    (folder / "docs" / "pictures").mkdir(parents=True)
    for name in (*GUIDES, *GUIDE_PICTURES):
        shutil.copyfile(SOURCE / "docs" / name, folder / "docs" / name)
    for name in ("app.py", "LICENSE"):
        shutil.copyfile(SOURCE / name, folder / name)
    if variant.mcp:
        (folder / "app.py").write_text(WITH_MCP, encoding="utf-8")
    shutil.copyfile(SOURCE / PICTURE, folder / THUMBNAIL)
    source = (SOURCE / "README.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text(readme(source, variant), encoding="utf-8")
    pins = (SOURCE / "requirements.txt").read_text(encoding="utf-8")
    (folder / "requirements.txt").write_text(space_requirements(pins, variant), encoding="utf-8")
    shutil.copyfile(SOURCE / hashed_list(variant), folder / "pre-requirements.txt")
    (folder / ".gitattributes").write_text(LARGE_FILES, encoding="utf-8")


def _ignored(folder: str, names: list[str]) -> set[str]:
    """What is not copied of one folder of the source."""
    left_out = {str(SOURCE / name) for name in LEFT_OUT}
    return {name for name in names if name == "__pycache__" or str(Path(folder, name)) in left_out}
