"""Which models and which device: flags of every command that loads a model, and their engine."""

import argparse
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from explorer.engine import Engine

DEVICES = re.compile(r"cpu|mps|cuda(:\d{1,2})?")


def add_engine_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that `engine_of` reads."""
    add = parser.add_argument
    add(
        "--model",
        action="append",
        help="a diffusers folder, a .safetensors checkpoint, a hub id or 'bundled'; may be given "
        "several times, the first one is loaded (default: bundled)",
    )
    add(
        "--allow",
        action="append",
        default=[],
        metavar="HUB_ID",
        help="offer this model of the hub too; may be given several times",
    )
    add(
        "--allow-any",
        action="store_true",
        help="let users name any hub id, and any path of this machine",
    )
    add("--device", help="cpu, cuda or mps (default: the best there is)")
    add(
        "--dtype",
        choices=["float32", "float16", "bfloat16"],
        help="precision (default: float16 on CUDA, else float32)",
    )
    add(
        "--offload",
        choices=["none", "model", "sequential"],
        default="none",
        help="for a small GPU: keep idle parts, or all layers but the current one, on the host",
    )


def engine_of(options: argparse.Namespace) -> "Engine":
    """The engine that the flags ask for; raises ValueError, with a sentence, where none can be."""
    _check_device(options.device, options.offload)
    from explorer.engine import BUNDLED, Engine
    from explorer.models.catalog import ModelError

    first, *others = options.model or [BUNDLED]
    try:
        engine = Engine(
            first,
            options.device,
            options.dtype,
            models=others,
            allow=options.allow,
            anything=options.allow_any,
            offload=options.offload,
        )
    except ModelError as error:
        raise ValueError(str(error)) from None
    for entry in engine.entries:
        if entry.kind in ("folder", "file") and not entry.path.exists():
            raise ValueError(
                f"--model {entry.source}: there is nothing at this path, and a hub id looks like "
                "owner/name."
            )
    return engine


def _check_device(device: str | None, offload: str) -> None:
    """Raise ValueError for a device that is none, or that this machine lacks."""
    if device is None:
        return
    if not DEVICES.fullmatch(device):
        raise ValueError(f"--device must be cpu, cuda, cuda:N or mps; got {device[:40]!r}.")
    if device == "cpu":
        if offload != "none":
            raise ValueError("--offload is for a GPU: with --device cpu leave it out.")
        return
    import torch

    if device == "mps":
        there = torch.backends.mps.is_available()
    else:
        there = int(device.partition(":")[2] or 0) < torch.cuda.device_count()
    if not there:
        raise ValueError(f"This machine has no device {device} that PyTorch can use.")
