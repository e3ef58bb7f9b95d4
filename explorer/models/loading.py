"""From an entry of the catalogue to a model on a device: safetensors only, no code of others."""

import gc
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, SchedulerMixin, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from explorer.models.catalog import Entry, ModelError
from explorer.models.families import Family, Identity, identify
from explorer.models.fast import let_go
from explorer.models.hub import Hub, Unreachable
from explorer.models.weights import weight_files

LOG = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
OFFLOADS = ("none", "model", "sequential")
TILED_ABOVE = 1024  # a picture's longer side, in pixels

HUB = Hub()

Tell = Callable[[str, float | None], None]

_NETWORKS = {
    "text_encoder": ("the text encoder", CLIPTextModel),
    "text_encoder_2": ("the second text encoder", CLIPTextModelWithProjection),
    "unet": ("the U-Net", UNet2DConditionModel),
    "vae": ("the VAE", AutoencoderKL),
}


def best_device() -> str:
    """A GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(eq=False, kw_only=True)
class Model:
    """A model on its device, ready to run.

    `folder` holds its configuration files, `native` is the (width, height) it was made for,
    `tokenizer` is one of its own for the page: used by two threads, a tokenizer mixes up their
    options. `decode` turns latents into small pictures.
    """

    entry: Entry
    family: Family
    pipeline: Any
    folder: Path
    native: tuple[int, int]
    tokenizer: CLIPTokenizer
    device: torch.device
    distilled: bool = False
    notes: tuple[str, ...] = ()
    offload: str = "none"
    decode: Any = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def is_refiner(self) -> bool:
        return self.family.is_refiner

    @cached_property
    def image_to_image(self) -> Any:
        """The stock pipeline that starts from a picture, with the same networks."""
        pipeline = self.pipeline
        kind = getattr(diffusers, self.family.image_to_image)
        if type(pipeline) is kind:
            return pipeline
        options = {}
        if "requires_safety_checker" in pipeline.config:
            options["requires_safety_checker"] = False
        else:
            options["add_watermarker"] = False
            options["force_zeros_for_empty_prompt"] = pipeline.config.force_zeros_for_empty_prompt
        other = kind(**pipeline.components, **options)
        other.set_progress_bar_config(disable=True)
        return other

    def prepare_vae(self, width: int, height: int) -> None:
        """Decode a large picture in tiles: whole, it would need gigabytes; the others whole."""
        if max(width, height) > TILED_ABOVE:
            self.pipeline.vae.enable_tiling()
        else:
            self.pipeline.vae.disable_tiling()

    def after_run(self) -> None:
        """Bring offloaded networks back to the host."""
        self.pipeline.maybe_free_model_hooks()

    def free(self) -> None:
        """Let go of the device's memory; the model is of no use afterwards."""
        let_go(self.pipeline.unet)
        self.pipeline.remove_all_hooks()
        vars(self).pop("image_to_image", None)
        self.pipeline = self.decode = None
        give_back(self.device)


def give_back(device: torch.device) -> None:
    """Return the memory of what nobody refers to any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


@dataclass(frozen=True, eq=False)
class Found:
    """A model that is on this machine and was looked through; no weights are in memory yet."""

    entry: Entry
    folder: Path
    identity: Identity
    variant: str | None = None
    file: Path | None = None  # the single file that has the weights, where there is one


def find_model(entry: Entry, half: bool, tell: Tell | None = None, hub: Hub = HUB) -> Found:
    """Bring the model here where it is not yet, and look it through; raises ModelError.

    `half` prefers files in half precision, where a model has both. What was downloaded before will
    do where the hub cannot be asked.
    """
    tell = tell or _nobody
    if entry.kind == "file":
        from explorer.models.single_file import find_file

        return Found(entry, *find_file(entry), file=entry.path)
    if entry.kind != "hub":
        return look_through(entry, entry.path, half)
    try:
        return look_through(entry, hub.download(entry.source, half, tell), half)
    except Unreachable as error:
        folder = hub.cached(entry.source)
        if folder is None:
            raise
        try:
            return look_through(entry, folder, half)
        except ModelError:
            raise ModelError(f"Only a part of {entry.name} is on this machine. {error}") from None


def look_through(entry: Entry, folder: Path, half: bool) -> Found:
    """Identify the model in a folder and check that its files are whole; raises ModelError."""
    identity = identify(folder, entry.name)
    full_parts, half_parts = set(), set()
    networks = identity.parts.keys() & _NETWORKS.keys()
    for part in networks:
        full, halves = weight_files(folder / part, entry.name)
        if full:
            full_parts.add(part)
        if halves:
            half_parts.add(part)
    variant = None
    if half_parts == networks and (half or full_parts != networks):
        variant = "fp16"
    elif full_parts != networks:
        missing = ", ".join(sorted(networks - full_parts))
        raise ModelError(f"The model {entry.name} is incomplete: no full weights of {missing}.")
    return Found(entry, folder, identity, variant)


def load_model(
    entry: Entry,
    device: str | torch.device,
    dtype: torch.dtype | None = None,
    offload: str = "none",
    tell: Tell | None = None,
) -> Model:
    """Find a model and load it; half precision on CUDA and float32 elsewhere unless `dtype` is
    given. `tell` hears a sentence and the fraction done. Raises ModelError.
    """
    half = dtype_for(device, dtype) != torch.float32
    return load_found(find_model(entry, half, tell), device, dtype, offload, tell)


def load_found(
    found: Found,
    device: str | torch.device,
    dtype: torch.dtype | None = None,
    offload: str = "none",
    tell: Tell | None = None,
) -> Model:
    """Load what was found; raises ModelError."""
    device, name = torch.device(device), found.entry.name
    dtype = dtype_for(device, dtype)
    tell = tell or _nobody
    unexpected = ""
    try:
        with torch.no_grad():
            if found.file is not None:
                from explorer.models.single_file import components

                parts = components(found, dtype, tell)
            else:
                parts = _components(found, dtype, tell)
            pipeline = _pipeline(found.identity, parts)
            notes = _put(pipeline, device, offload)
            if found.file is not None:
                found = _with_measured_prediction(found, pipeline, device)
            own = _own_tokenizer(found, parts)
    except ModelError:
        raise
    except Exception as error:  # whatever a broken file makes the libraries raise
        LOG.exception("loading %s", found.entry.source)
        unexpected = trouble(f"The model {name}", device, error)
    if unexpected:  # not raised above: the error holds on to all that was loaded
        give_back(device)
        raise ModelError(unexpected)
    identity = found.identity
    return Model(
        entry=found.entry,
        family=identity.family,
        pipeline=pipeline,
        folder=found.folder,
        native=(identity.width, identity.height),
        tokenizer=own,
        device=device,
        distilled=identity.distilled,
        notes=(*identity.notes, *notes),
        offload=offload,
    )


def _own_tokenizer(found: Found, parts: dict[str, Any]) -> CLIPTokenizer:
    part = "tokenizer" if "tokenizer" in parts else "tokenizer_2"
    if found.file is not None:
        from explorer.models.single_file import tokenizer

        return tokenizer(found.folder, part)
    return CLIPTokenizer.from_pretrained(found.folder / part, local_files_only=True)


def _with_measured_prediction(found: Found, pipeline: Any, device: torch.device) -> Found:
    """A checkpoint of SD 2.x does not say whether it predicts noise or v: ask its U-Net."""
    from explorer.models.single_file import predicts_v

    folder = found.folder.with_name("sd2-v")
    if found.identity.family.key != "sd2" or not folder.is_dir():
        return found
    if not predicts_v(pipeline.unet, device):
        return found
    pipeline.scheduler = load_scheduler(folder / "scheduler")
    return replace(found, folder=folder, identity=identify(folder, found.entry.label))


def dtype_for(device: str | torch.device, dtype: torch.dtype | None = None) -> torch.dtype:
    """The precision asked for, else the device's own; raises ModelError where they do not fit."""
    kind = torch.device(device).type
    if dtype is None:
        return torch.float16 if kind == "cuda" else torch.float32
    if kind == "cpu" and dtype == torch.float16:
        raise ModelError("A CPU does not run models in float16: use float32 or bfloat16.")
    return dtype


def _components(found: Found, dtype: torch.dtype, tell: Tell) -> dict[str, Any]:
    """The parts of a diffusers folder, one after the other, the fraction counting bytes."""
    folder, parts = found.folder, found.identity.parts
    loaded: dict[str, Any] = {}
    sizes = {
        part: sum(file.stat().st_size for file in (folder / part).glob("*.safetensors"))
        for part in parts
        if part in _NETWORKS
    }
    done = 0
    for part in parts:
        if part not in _NETWORKS:
            loaded[part] = CLIPTokenizer.from_pretrained(folder / part, local_files_only=True)
            continue
        label, kind = _NETWORKS[part]
        tell(f"Loading {label} of {found.entry.label}.", done / (sum(sizes.values()) or 1))
        network, report = kind.from_pretrained(
            folder / part,
            local_files_only=True,
            use_safetensors=True,
            variant=found.variant,
            dtype=dtype,
            output_loading_info=True,
        )
        if missing := sorted(report["missing_keys"]):
            raise ModelError(
                f"The model {found.entry.name} is incomplete: {len(missing)} of the weights of "
                f"{label} are missing, {missing[0]} among them."
            )
        loaded[part] = network
        done += sizes[part]
    loaded["scheduler"] = load_scheduler(folder / "scheduler")
    return loaded


def load_scheduler(folder: Path) -> SchedulerMixin:
    """The model's own scheduler; runs use only its arguments, so any class will hold them."""
    config = json.loads((folder / "scheduler_config.json").read_text(encoding="utf-8"))
    kind = getattr(diffusers, str(config.get("_class_name")), None)
    if not (isinstance(kind, type) and issubclass(kind, SchedulerMixin)):
        kind = diffusers.DDIMScheduler
    return kind.from_config(config)


def _pipeline(identity: Identity, parts: dict[str, Any]) -> Any:
    family = identity.family
    missing = {"text_encoder": None, "tokenizer": None} if family.is_refiner else {}
    if family.key in ("sd1", "sd2"):
        missing |= {"safety_checker": None, "feature_extractor": None}
    pipeline = getattr(diffusers, family.pipeline)(**missing | parts, **identity.options)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _put(pipeline: Any, device: torch.device, offload: str) -> list[str]:
    """Put the pipeline on its device, laid out as the device likes it; returns notes."""
    if offload not in OFFLOADS:
        raise ModelError(f"Offloading must be one of {', '.join(OFFLOADS)}; got {offload!r}.")
    if device.type in ("cpu", "cuda"):
        pipeline.unet.to(memory_format=torch.channels_last)  # a tenth faster, and our kernels' way
    if device.type == "cuda":
        pipeline.vae.to(memory_format=torch.channels_last)
    if offload != "none" and device.type == "cpu":
        return ["The model is on a CPU: there is nothing to offload it from."]
    if offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
        return ["Parts of the model are moved to the GPU when they are needed."]
    if offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
        return ["The model is moved to the GPU layer by layer: slow, and small."]
    pipeline.to(device)
    return []


def trouble(name: str, device: str | torch.device, error: Exception) -> str:
    """What to tell a human where a model did not load."""
    text = next(iter(str(error).strip().splitlines()), "")[:200]
    if isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error):
        return (
            f"{name} does not fit into the memory of {device}: start the app with --offload model, "
            "or with --dtype float16, or choose a smaller model."
        )
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return f"{name} does not fit into this machine's memory: choose a smaller model."
    return f"{name} could not be loaded on {device} ({type(error).__name__}: {text})."


def _nobody(sentence: str, fraction: float | None) -> None:
    """Where nobody wants to hear."""
