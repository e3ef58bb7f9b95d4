"""Safetensors files from outside: what is in them, and whether they are whole, without loading."""

import json
import math
from pathlib import Path
from typing import Any

from explorer.models.catalog import ModelError

PICKLES = ("*.bin", "*.ckpt", "*.pt", "*.pth")
_LARGEST_HEADER = 100 * 2**20  # as the format allows


def header(path: Path) -> dict[str, dict[str, Any]]:
    """Tensor names to `dtype`, `shape` and `data_offsets`; raises ModelError for a broken file."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if not 2 <= size <= _LARGEST_HEADER:
                raise ValueError("no header")
            tensors = json.loads(file.read(size))
        tensors.pop("__metadata__", None)
        for each in tensors.values():
            each["shape"] = [int(side) for side in each["shape"]]
        end = max((int(each["data_offsets"][1]) for each in tensors.values()), default=0)
    except FileNotFoundError:
        raise ModelError(f"There is no file {path.name}.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise ModelError(f"{path.name} is not a safetensors file, or is damaged.") from None
    there = path.stat().st_size
    if there != 8 + size + end:
        raise ModelError(
            f"{path.name} is not whole: {there:,} bytes are there of {8 + size + end:,}. "
            "Download it again."
        )
    return tensors


def parameters(tensors: dict[str, dict[str, Any]]) -> int:
    """How many numbers the tensors hold."""
    return sum(math.prod(each["shape"]) for each in tensors.values())


def weight_files(folder: Path, name: str) -> tuple[list[Path], list[Path]]:
    """A component's safetensors files: those of full precision, and those of the fp16 variant.

    Every file is looked into. Raises ModelError where there is none or one is damaged.
    """
    files = sorted(folder.glob("*.safetensors"))
    half = [file for file in files if ".fp16" in file.name]
    full = [file for file in files if ".fp16" not in file.name and ".non_ema" not in file.name]
    if not full and not half:
        if any(any(folder.glob(kind)) for kind in PICKLES):
            raise ModelError(
                f"{name} has its weights as pickle files (.bin, .ckpt, .pt), which can run code "
                "when they are read; only .safetensors files are loaded."
            )
        raise ModelError(
            f"The model {name} is incomplete: there are no weights in its {folder.name} folder."
        )
    for file in full or half:
        try:
            header(file)
        except ModelError as error:
            raise ModelError(f"The model {name} is damaged: {folder.name}/{error}") from None
    return full, half
