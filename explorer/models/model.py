"""A model on its device: its pipeline and the objects that belong to it."""

import gc
import json
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
from explorer.runtime.allocator import trim
from explorer.runtime.dry_run import CallMemory
from explorer.runtime.fast import release_graphs
from explorer.sampling.scheduler_classes import CLASSES, find_class


@dataclass(eq=False, kw_only=True)
class Model:
    """A model on its device, ready to run.

    `folder` holds its configuration files, `native` is its native (width, height), `tokenizers`,
    one per text encoder, are for the page only, because a tokenizer is not thread-safe. `decode`
    turns latents into small pictures; so does `approximate`, by linear colours, which without a
    tiny decoder is the same.
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
        """The peak memory of the model's calls."""
        return CallMemory(self.pipeline)

    def measure_memory(self) -> None:
        """Compute in advance the memory of a run of the model's native size."""
        self.memory.call(*self.native)
        self.memory.decode(*self.native, False)
        self.memory_is_known = True

    def free_device_bytes(self) -> int | None:
        """A GPU's free memory, including PyTorch's own pool; None on another device."""
        if self.device.type != "cuda":
            return None
        free, _ = torch.cuda.mem_get_info(self.device)
        pooled = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return free + pooled

    def prepare_vae(self, tiled: bool) -> None:
        """Make the VAE work in tiles for large pictures, which would take gigabytes otherwise."""
        if tiled:
            self.pipeline.vae.enable_tiling()
        else:
            self.pipeline.vae.disable_tiling()

    def after_run(self) -> None:
        """Move offloaded networks back to the host."""
        self.pipeline.maybe_free_model_hooks()

    def free(self) -> None:
        """Free the device's memory; the model cannot be used afterwards."""
        release_graphs(self.pipeline.unet)
        self.pipeline.remove_all_hooks()
        self.pipeline = self.decode = self.approximate = None
        free_cached_memory(self.device)


def free_cached_memory(device: torch.device) -> None:
    """Return the memory of unreferenced objects."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    trim()


def load_scheduler(folder: Path) -> SchedulerMixin:
    """The model's own scheduler, from a folder that `identify` has validated."""
    config = json.loads((folder / "scheduler_config.json").read_text(encoding="utf-8"))
    kind = find_class(config.get("_class_name")) or CLASSES["DDIMScheduler"]  # the index names it
    return getattr(diffusers, kind.name).from_config(config)
