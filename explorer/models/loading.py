"""From an entry of the catalogue to a model on a device: safetensors only, no code of others."""

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from explorer.models.catalog import Entry, ModelError
from explorer.models.families import Identity, identify
from explorer.models.found import Found, Tell, find_model, nobody
from explorer.models.model import Model, give_back, load_scheduler

LOG = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
# An absolute path, of which the last part is kept.
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[\\/](?:[^\s'\"/\\]+[\\/])*([^\s'\"/\\]*)")
OFFLOADS = ("none", "model", "sequential")

_NETWORKS = {
    "text_encoder": ("the text encoder", CLIPTextModel),
    "text_encoder_2": ("the second text encoder", CLIPTextModelWithProjection),
    "unet": ("the U-Net", UNet2DConditionModel),
    "vae": ("the VAE", AutoencoderKL),
}


def best_device() -> str:
    """A GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


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
    tell = tell or nobody
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
            tokenizers = _tokenizers_for_page(found)
    except ModelError:
        raise
    except Exception as error:  # whatever a broken file makes the libraries raise
        LOG.exception("loading %s", found.entry.source)
        unexpected = trouble(f"The model {name}", device, error, found.file or found.folder)
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
        tokenizers=tokenizers,
        device=device,
        distilled=identity.distilled,
        notes=(*identity.notes, *notes),
        offload=offload,
    )


def _tokenizers_for_page(found: Found) -> tuple[CLIPTokenizer, ...]:
    parts = [part for part in ("tokenizer", "tokenizer_2") if part in found.identity.parts]
    if found.file is not None:
        from explorer.models.single_file import tokenizer

        return tuple(tokenizer(found.folder, part) for part in parts)
    folders = [found.folder / part for part in parts]
    return tuple(CLIPTokenizer.from_pretrained(each, local_files_only=True) for each in folders)


def _with_measured_prediction(found: Found, pipeline: Any, device: torch.device) -> Found:
    """A checkpoint need not say whether it predicts noise or v: ask its U-Net."""
    from explorer.models.single_file import measured_folder, unheeded_mark

    folder = measured_folder(found, pipeline.unet, device)
    if folder == found.folder:
        note = unheeded_mark(found)
        notes = (*found.identity.notes, note) if note else found.identity.notes
        return replace(found, identity=replace(found.identity, notes=notes))
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
        part: sum((folder / part / file).stat().st_size for file in weights.files)
        for part, weights in found.weights.items()
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
            variant=found.weights[part].variant,
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
    if device.type == "cuda":  # our kernels' way; on a CPU it would take a twelfth longer
        pipeline.unet.to(memory_format=torch.channels_last)
    if device.type in ("cpu", "cuda"):
        pipeline.vae.to(memory_format=torch.channels_last)  # on a CPU a quarter faster
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


def trouble(
    name: str, device: str | torch.device, error: Exception, source: Path | None = None
) -> str:
    """What to tell a human where a model did not load: nothing of where its `source` lies."""
    if isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error):
        return (
            f"{name} does not fit into the memory of {device}: start the app with --offload model, "
            "or with --dtype float16, or choose a smaller model."
        )
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return f"{name} does not fit into this machine's memory: choose a smaller model."
    text = next(iter(str(error).strip().splitlines()), "")
    for path in (source, source and source.resolve()):
        text = text.replace(str(path), path.name) if path else text
    text = _PATH.sub(r"\1", text)[:200].strip()
    return f"{name} could not be loaded on {device} ({type(error).__name__}: {text})."
