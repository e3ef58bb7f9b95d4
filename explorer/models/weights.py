"""Safetensors files from outside: what is in them, and whether they are whole, without loading."""

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from explorer.byte_sizes import MIB
from explorer.models.catalog import ModelError

PICKLES = (".bin", ".ckpt", ".pt", ".pth")
_SHARD = re.compile(r"[\w-][\w.-]*\.safetensors", re.ASCII)
_BROKEN = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)
_LARGEST_HEADER = 100 * MIB  # as the format allows


def header(path: Path) -> dict[str, dict[str, Any]]:
    """Tensor names to `dtype`, `shape` and `data_offsets`; raises ModelError for a broken file."""
    try:
        if path.exists() and not path.is_file():
            raise ValueError("a pipe or a device, at which reading would wait")
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
    except (*_BROKEN, OSError):
        raise ModelError(f"{path.name} is not a safetensors file, or is damaged.") from None
    there = path.stat().st_size
    if there != 8 + size + end:
        raise ModelError(
            f"{path.name} is not whole: {there:,} bytes are there of {8 + size + end:,}. "
            "Download it again."
        )
    return tensors


@dataclass(frozen=True)
class Weights:
    """One network's weights in one precision: the variant's name, None for full, and its files."""

    variant: str | None
    files: tuple[str, ...]


def choose_weights(
    part: str, names: Collection[str], fp16: bool, read: Callable[[str], str], name: str
) -> Weights:
    """A network's weights among the files of its folder, as diffusers and transformers look.

    `fp16` prefers the fp16 variant; what is not whole is passed over. `read` gives the text of an
    index file, from which the list of a sharded network's files is taken. Raises ModelError, with
    what is missing, where nothing is whole.
    """
    problem = None
    for variant in ("fp16", None) if fp16 else (None, "fp16"):
        try:
            files = _files(part, names, variant, read, name)
        except ModelError as error:
            problem = problem or error
        else:
            if files:
                return Weights(variant, files)
    if problem:
        raise problem
    if any(PurePath(file).suffix in PICKLES for file in names):
        raise ModelError(
            f"{name} has its weights as pickle files (.bin, .ckpt, .pt), which can run code "
            "when they are read; only .safetensors files are loaded."
        )
    raise ModelError(f"The model {name} is incomplete: there are no weights in its {part} folder.")


def _files(
    part: str, names: Collection[str], variant: str | None, read: Callable[[str], str], name: str
) -> tuple[str, ...]:
    """The files of one precision, none where there are none; raises ModelError if not whole."""
    is_text = part.startswith("text_encoder")
    stem = "model" if is_text else "diffusion_pytorch_model"
    end = f".{variant}" if variant else ""
    single, index = f"{stem}{end}.safetensors", f"{stem}.safetensors.index{end}.json"
    if single in names and (is_text or index not in names):
        return (single,)
    if index not in names:
        return ()
    shards = shards_of(read(index), f"{part}/{index}", name)
    if missing := [shard for shard in shards if shard not in names]:
        raise ModelError(
            f"The model {name} is incomplete: its {part}/{index} names {len(shards)} files, and "
            f"{missing[0]} is not there."
        )
    return shards


def shards_of(text: str, index: str, name: str) -> tuple[str, ...]:
    """The files that an index file names, each once; raises ModelError for one that will not do.

    They are in its folder: a name with a path in it is refused.
    """
    try:
        shards = tuple(dict.fromkeys(json.loads(text)["weight_map"].values()))
        if not shards or not all(isinstance(shard, str) for shard in shards):
            raise ValueError("no files")
    except _BROKEN:
        raise ModelError(f"The {index} of {name} could not be read: it is damaged.") from None
    if not all(_SHARD.fullmatch(shard) and len(shard) < 200 for shard in shards):
        raise ModelError(
            f"The {index} of {name} names a file that is no .safetensors file beside it; nothing "
            "else is read."
        )
    return shards


def check_whole(folder: Path, weights: Weights, name: str) -> None:
    """Raise ModelError where one of the files is damaged."""
    for file in weights.files:
        try:
            header(folder / file)
        except ModelError as error:
            raise ModelError(f"The model {name} is damaged: {folder.name}/{error}") from None
