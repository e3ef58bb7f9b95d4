"""From an entry of the catalogue to a model on a device: safetensors only, no foreign code."""

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import torch
from transformers import CLIPTokenizer

from explorer.models.catalog import ModelError
from explorer.models.families import NETWORKS, Identity, identify
from explorer.models.model import Model, free_cached_memory, load_scheduler
from explorer.models.resolved import OnProgress, ResolvedModel, no_progress
from explorer.runtime.out_of_memory import memory_that_ran_out

LOG = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
# An absolute path, of which the last component is kept.
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[\\/](?:[^\s'\"/\\]+[\\/])*([^\s'\"/\\]*)")
OFFLOADS = ("none", "model", "sequential")


def best_device() -> str:
    """A GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def load_resolved(
    resolved: ResolvedModel,
    device: str | torch.device,
    dtype: torch.dtype | None = None,
    offload: str = "none",
    on_progress: OnProgress | None = None,
) -> Model:
    """Load a model whose files are on this machine; raises ModelError."""
    device, name = torch.device(device), resolved.entry.name
    dtype = dtype_for(device, dtype)
    on_progress = on_progress or no_progress
    unexpected = ""
    try:
        with torch.no_grad():
            if resolved.file is not None:
                from explorer.models.single_file import components

                parts = components(resolved, dtype, on_progress)
            else:
                parts = _components(resolved, dtype, on_progress)
            pipeline = _pipeline(resolved.identity, parts)
            notes = _place(pipeline, device, offload)
            if resolved.file is not None:
                resolved = _with_measured_prediction(resolved, pipeline, device)
            tokenizers = _tokenizers_for_page(resolved)
    except ModelError:
        raise
    except Exception as error:  # whatever a broken file makes the libraries raise
        LOG.exception("loading %s", resolved.entry.source)
        unexpected = load_error_message(
            f"The model {name}", device, error, resolved.file or resolved.folder
        )
    if unexpected:  # not raised above: the error would keep all loaded weights in memory
        free_cached_memory(device)
        raise ModelError(unexpected)
    identity = resolved.identity
    return Model(
        entry=resolved.entry,
        family=identity.family,
        pipeline=pipeline,
        folder=resolved.folder,
        native=(identity.width, identity.height),
        tokenizers=tokenizers,
        device=device,
        distilled=identity.distilled,
        notes=(*identity.notes, *notes),
        offload=offload,
    )


def _tokenizers_for_page(resolved: ResolvedModel) -> tuple[CLIPTokenizer, ...]:
    parts = [part for part in ("tokenizer", "tokenizer_2") if part in resolved.identity.parts]
    if resolved.file is not None:
        from explorer.models.single_file import tokenizer

        return tuple(tokenizer(resolved.folder, part) for part in parts)
    folders = [resolved.folder / part for part in parts]
    return tuple(CLIPTokenizer.from_pretrained(each, local_files_only=True) for each in folders)


def _with_measured_prediction(
    resolved: ResolvedModel, pipeline: Any, device: torch.device
) -> ResolvedModel:
    """A checkpoint need not say whether it predicts noise or v: ask its U-Net."""
    from explorer.models.single_file import measured_folder, unheeded_mark

    folder = measured_folder(resolved, pipeline.unet, device)
    if folder == resolved.folder:
        note = unheeded_mark(resolved)
        notes = (*resolved.identity.notes, note) if note else resolved.identity.notes
        return replace(resolved, identity=replace(resolved.identity, notes=notes))
    pipeline.scheduler = load_scheduler(folder / "scheduler")
    return replace(resolved, folder=folder, identity=identify(folder, resolved.entry.label))


def dtype_for(device: str | torch.device, dtype: torch.dtype | None = None) -> torch.dtype:
    """The requested precision, else the device's default; raises ModelError if unsupported."""
    kind = torch.device(device).type
    if dtype is None:
        return torch.float16 if kind == "cuda" else torch.float32
    if kind == "cpu" and dtype == torch.float16:
        raise ModelError("A CPU does not run models in float16: use float32 or bfloat16.")
    return dtype


def _components(
    resolved: ResolvedModel, dtype: torch.dtype, on_progress: OnProgress
) -> dict[str, Any]:
    """The parts of a diffusers folder, one after the other, the fraction counting bytes."""
    folder, parts = resolved.folder, resolved.identity.parts
    loaded: dict[str, Any] = {}
    sizes = {
        part: sum((folder / part / file).stat().st_size for file in weights.files)
        for part, weights in resolved.weights.items()
    }
    done = 0
    for part in parts:
        if part not in NETWORKS:
            loaded[part] = CLIPTokenizer.from_pretrained(folder / part, local_files_only=True)
            continue
        label, kind = NETWORKS[part].label, NETWORKS[part].load_class()
        on_progress(
            f"Loading {label} of {resolved.entry.label}.", done / (sum(sizes.values()) or 1)
        )
        network, report = kind.from_pretrained(
            folder / part,
            local_files_only=True,
            use_safetensors=True,
            variant=resolved.weights[part].variant,
            dtype=dtype,
            output_loading_info=True,
        )
        if missing := sorted(report["missing_keys"]):
            raise ModelError(
                f"The model {resolved.entry.name} is incomplete: {len(missing)} of the weights of "
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


def _place(pipeline: Any, device: torch.device, offload: str) -> list[str]:
    """Move the pipeline to its device, in the device's best memory layout; returns notes."""
    if offload not in OFFLOADS:
        raise ModelError(f"Offloading must be one of {', '.join(OFFLOADS)}; got {offload!r}.")
    if device.type == "cuda":  # for our kernels; on a CPU it would take a twelfth longer
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


def load_error_message(
    name: str, device: str | torch.device, error: Exception, source: Path | None = None
) -> str:
    """The message to the user about a model that did not load, without the path of `source`."""
    ran_out = memory_that_ran_out(error)
    if ran_out == "device":
        return (
            f"{name} does not fit into the memory of {device}: start the app with --offload model, "
            "or with --dtype float16, or choose a smaller model."
        )
    if ran_out == "host":
        return f"{name} does not fit into this machine's memory: choose a smaller model."
    text = next(iter(str(error).strip().splitlines()), "")
    for path in (source, source and source.resolve()):
        text = text.replace(str(path), path.name) if path else text
    text = _PATH.sub(r"\1", text)[:200].strip()
    return f"{name} could not be loaded on {device} ({type(error).__name__}: {text})."
