"""Which models and which device: flags of every command that loads a model, and their engine."""

import argparse
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explorer.engine import Engine
    from explorer.views.engine_protocol import EngineLike

DEVICES = re.compile(r"cpu|mps|cuda(:\d{1,2})?")


def add_engine_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that `engine_of` reads."""
    add_model_flag(parser, " may be given several times, the first one is loaded")
    add = parser.add_argument
    add(
        "--allow",
        action="append",
        default=[],
        metavar="HUB_ID",
        help="a hub model that may be chosen too; may be given several times",
    )
    add(
        "--allow-any",
        action="store_true",
        help="let users choose any hub id and any path on this machine",
    )
    add(
        "--device",
        help="cpu, cuda, cuda:N or mps; for the page and mcp also several, such as cuda:0,cuda:1 "
        "(default: a GPU if there is one)",
    )
    add(
        "--dtype",
        choices=["float32", "float16", "bfloat16"],
        help="precision of the model (default: float16 on CUDA, else float32)",
    )
    add(
        "--offload",
        choices=["none", "model", "sequential"],
        default="none",
        help="for a small GPU: keep idle networks (model), or all layers but the current one "
        "(sequential), in the host's memory",
    )


def add_model_flag(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Add --model alone; `more` is said of it too."""
    parser.add_argument(
        "--model",
        action="append",
        help="a diffusers folder, a .safetensors checkpoint, a hub id or 'bundled'"
        f"{more and ';'}{more} (default: bundled)",
    )


def engine_of(options: argparse.Namespace) -> "Engine":
    """The engine that the flags ask for, as far as there are some.

    Raises ValueError, with a sentence, where none can be.
    """
    device, offload = getattr(options, "device", None), getattr(options, "offload", "none")
    _check_device(device, offload)
    from explorer.engine import Engine
    from explorer.models.catalog import ModelError
    from explorer.runs.kept_paces import KeptPaces

    try:
        engine = Engine(device=device, paces=KeptPaces.of_user(), **engine_arguments(options))
    except ModelError as error:
        raise ValueError(str(error)) from None
    check_models(engine)
    return engine


def engine_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `Engine` that the flags ask for, but for the device; plain data."""
    from explorer.engine import BUNDLED

    first, *others = options.model or [BUNDLED]
    return {
        "model": first,
        "dtype": getattr(options, "dtype", None),
        "models": others,
        "allow": getattr(options, "allow", ()),
        "anything": getattr(options, "allow_any", False),
        "offload": getattr(options, "offload", "none"),
    }


def check_models(engine: "EngineLike") -> None:
    """Raise ValueError for a path where there is no model."""
    for entry in engine.entries:
        if entry.kind in ("folder", "file") and not entry.path.exists():
            raise ValueError(
                f"--model {entry.source}: there is nothing at this path, and a hub id looks like "
                "owner/name."
            )


def check_facts(engine: "Engine", options: argparse.Namespace) -> None:
    """Raise ValueError where the files of a model that was named give no schedule, with the reason.

    Without this its lanes would have Stable Diffusion's defaults, and nobody would know.
    """
    if not options.model:
        return
    if problem := engine.facts.problem():
        raise ValueError(f"--model {engine.entries[0].source}: {problem}")
    if engine.facts.identity() is None:
        raise ValueError(
            f"--model {engine.entries[0].source}: its configuration is not on this machine."
        )


def _check_device(device: str | None, offload: str) -> None:
    """Raise ValueError for a device that is none, or that this machine lacks."""
    if device is None:
        return
    if "," in device:
        raise ValueError(
            "--device names one device here: several are for the page and mcp, which have a worker "
            "process on each."
        )
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
