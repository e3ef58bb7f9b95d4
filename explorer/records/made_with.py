"""What a run was made with: the versions of what computed it, and which model's files."""

import hashlib
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGES = ("sampler-explorer", "torch", "diffusers", "transformers", "numpy", "safetensors")
TEXT_FILES = (".json", ".txt", ".model")
WHOLE_BYTES = 2**20  # a file up to this size is hashed whole
SAMPLES, SAMPLE_BYTES = 16, 2**16  # of a larger one, spread evenly from its beginning to its end


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that a run's numbers come from, by name.

    A package that is not installed, as this one is not in a checkout, is left out.
    """
    return dict(_installed())


@cache
def _installed() -> dict[str, str]:
    """The same; reading it takes milliseconds, and every run asks."""
    installed = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed


def model_fingerprint(path: Path) -> str:
    """Sixty-four hexadecimal digits that tell a model's files from another's, in milliseconds.

    `path` is a model folder or one checkpoint. It is a SHA-256 over the configurations and
    vocabularies, and over the size, the header and samples of each weights file, by their names
    inside the folder: gigabytes are not read through, so it is no proof against a forger. Raises
    OSError.
    """
    files = [path]
    if path.is_dir():
        files = [
            each
            for each in path.rglob("*")
            if each.suffix in (*TEXT_FILES, ".safetensors") and each.is_file()
        ]
    total = hashlib.sha256()
    for file in sorted(files, key=lambda each: each.relative_to(path).as_posix()):
        name = file.relative_to(path).as_posix() if file != path else ""
        total.update(f"{name}\0{_file_digest(file)}\0".encode())
    return total.hexdigest()


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        size = file.seek(0, 2)
        digest.update(f"{size}\0".encode())
        if size <= WHOLE_BYTES:
            file.seek(0)
            digest.update(file.read())
            return digest.hexdigest()
        for index in range(SAMPLES):
            file.seek((size - SAMPLE_BYTES) * index // (SAMPLES - 1))
            digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()
