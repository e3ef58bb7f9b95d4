"""In which processes runs are computed: flags of the page and of `mcp`, and their engine."""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from explorer.commands.engine_options import DEVICES, check_models, engine_arguments, engine_of
from explorer.hosting.workers.starting import engine_on_workers
from explorer.settings.limits import LIMITS

if TYPE_CHECKING:
    from explorer.engine import Engine
    from explorer.hosting.workers.border_engine import BorderEngine

WORKERS = "EXPLORER_WORKERS"
MOST_WORKERS = 64
LOOKING_S = 120.0  # for PyTorch to say which devices there are
COUNT = "import torch; print(torch.cuda.device_count(), int(torch.backends.mps.is_available()))"


def add_worker_flags(parser: argparse.ArgumentParser) -> None:
    """Add --workers; several devices are given with --device."""
    parser.add_argument(
        "--workers",
        metavar="N",
        help="compute runs in N separate processes, so that running out of memory or a crash ends "
        "a run and not the program; with --device cuda:0,cuda:1 the default is one for each device "
        f"({WORKERS}; default: 0, in the program's process)",
    )


def serving_engine(
    options: argparse.Namespace, environment: Mapping[str, str] = os.environ
) -> "Engine | BorderEngine":
    """The engine for a server, whose workers have not begun; raises ValueError, with a sentence."""
    devices = options.device.split(",") if options.device else [None]
    workers = _workers(options.workers, environment, len(devices))
    if not workers:
        return engine_of(options)
    _check_devices(devices, options.offload)
    arguments = engine_arguments(options)
    each = devices * (workers // len(devices))
    engine = engine_on_workers(arguments, each, LIMITS)
    check_models(engine)
    return engine


def _workers(given: str | None, environment: Mapping[str, str], devices: int) -> int:
    """How many workers there are; raises ValueError for a number that cannot be."""
    name, text = "--workers", given
    if given is None:
        name, text = WORKERS, environment.get(WORKERS, "")
    least = devices if devices > 1 else 0
    if not text:
        return least
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and int(text) <= MOST_WORKERS):
        raise ValueError(
            f"{name} must be a whole number from 0 to {MOST_WORKERS}; got {text[:40]!r}."
        )
    if devices > 1 and int(text) % devices:
        raise ValueError(
            f"{name} {text} cannot be shared by {devices} devices: leave it out for one on each."
        )
    return max(int(text), least)


def _check_devices(devices: "Sequence[str | None]", offload: str) -> None:
    """Raise ValueError for devices that are none, that this machine lacks, or named twice.

    PyTorch is asked in a process of its own: that of the page does without it.
    """
    named = [each for each in devices if each is not None]
    for each in named:
        if not DEVICES.fullmatch(each):
            raise ValueError(
                "--device must be cpu, cuda, cuda:N or mps, or several such as cuda:0,cuda:1; got "
                f"{each[:40]!r}."
            )
    keys = ["cuda:0" if each == "cuda" else each for each in named]
    if twice := next((each for each in keys if keys.count(each) > 1), ""):
        raise ValueError(f"--device names {twice} twice; --workers 2 has two workers on it.")
    if offload != "none" and "cpu" in named:
        raise ValueError("--offload is for a GPU: with --device cpu leave it out.")
    if set(named) <= {"cpu"}:
        return
    asked = [sys.executable, "-c", COUNT]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=LOOKING_S, check=True)
        gpus, has_mps = map(int, told.stdout.split()[-2:])
    except (OSError, ValueError, subprocess.SubprocessError):
        raise ValueError("PyTorch could not say which devices this machine has.") from None
    for each in named:
        number = int(each.partition(":")[2] or 0)
        there = {"cpu": True, "mps": bool(has_mps)}.get(each, number < gpus)
        if not there:
            raise ValueError(f"This machine has no device {each} that PyTorch can use.")
