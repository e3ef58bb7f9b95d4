"""A model on its device: its pipeline, and what belongs to it."""

import ctypes
import gc
import json
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from transformers import CLIPTokenizer

from explorer.models.catalog import Entry
from explorer.models.families import Family
from explorer.runtime.dry_run import CallMemory
from explorer.runtime.fast import release_graphs
from explorer.sampling.scheduler_classes import CLASSES, find_class


@dataclass(eq=False, kw_only=True)
class Model:
    """A model on its device, ready to run.

    `folder` holds its configuration files, `native` is the (width, height) it was made for,
    `tokenizers`, one a text encoder, are for the page alone: used by two threads, a tokenizer mixes
    up their options. `decode` turns latents into small pictures; so does `approximate`, by linear
    colours, which without a tiny decoder is the same.
    """

    entry: Entry
    family: Family
    pipeline: Any
    folder: Path
    native: tuple[int, int]
    tokenizers: tuple[CLIPTokenizer, ...]
    device: torch.device
    distilled: bool = False
    notes: tuple[str, ...] = ()
    offload: str = "none"
    decode: Any = field(default=None, repr=False)
    memory_is_known: bool = field(default=False, repr=False)
    approximate: Any = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def tokenizer(self) -> CLIPTokenizer:
        """That of the first text encoder."""
        return self.tokenizers[0]

    @property
    def is_refiner(self) -> bool:
        return self.family.is_refiner

    @cached_property
    def memory(self) -> CallMemory:
        """What the model's calls take at their peak."""
        return CallMemory(self.pipeline)

    def measure_memory(self) -> None:
        """Work out what a run of the model's own size takes, before somebody asks."""
        self.memory.call(*self.native)
        self.memory.decode(*self.native, False)
        self.memory_is_known = True

    def free_device_bytes(self) -> int | None:
        """What a GPU has left, PyTorch's own pool counted as free; None on another device."""
        if self.device.type != "cuda":
            return None
        free, _ = torch.cuda.mem_get_info(self.device)
        pooled = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return free + pooled

    def prepare_vae(self, tiled: bool) -> None:
        """Let the VAE work in tiles, as large pictures need: whole, they would take gigabytes."""
        if tiled:
            self.pipeline.vae.enable_tiling()
        else:
            self.pipeline.vae.disable_tiling()

    def after_run(self) -> None:
        """Bring offloaded networks back to the host."""
        self.pipeline.maybe_free_model_hooks()

    def free(self) -> None:
        """Let go of the device's memory; the model is of no use afterwards."""
        release_graphs(self.pipeline.unet)
        self.pipeline.remove_all_hooks()
        self.pipeline = self.decode = self.approximate = None
        free_cached_memory(self.device)


def free_cached_memory(device: torch.device) -> None:
    """Return the memory of what nobody refers to any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    trim()


def trim() -> None:
    """Return to the system what the C library keeps of freed memory.

    It counts as taken: of a run at 448 px it was seen to keep 400 MB, for which the next run in a
    container of 2 GiB would be split or refused.
    """
    with suppress(OSError, AttributeError):  # glibc's; others give back by themselves
        ctypes.CDLL(None).malloc_trim(0)


def load_scheduler(folder: Path) -> SchedulerMixin:
    """The model's own scheduler, of a folder that `identify` has looked at."""
    config = json.loads((folder / "scheduler_config.json").read_text(encoding="utf-8"))
    kind = find_class(config.get("_class_name")) or CLASSES["DDIMScheduler"]  # the index names it
    return getattr(diffusers, kind.name).from_config(config)
