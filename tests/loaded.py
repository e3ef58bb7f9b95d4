"""Models for tests that run them by themselves: loaded in one call, and from a picture."""

from typing import Any

import diffusers
import torch

from explorer.models.catalog import Entry
from explorer.models.loading import dtype_for, load_resolved
from explorer.models.model import Model
from explorer.models.resolved import OnProgress, fetch_model


def load_model(
    entry: Entry,
    device: str | torch.device,
    dtype: torch.dtype | None = None,
    offload: str = "none",
    on_progress: OnProgress | None = None,
) -> Model:
    """Fetch a model and load it; raises ModelError."""
    fp16 = dtype_for(device, dtype) != torch.float32
    return load_resolved(fetch_model(entry, fp16, on_progress), device, dtype, offload, on_progress)


def image_to_image(model: Model) -> Any:
    """The stock pipeline that starts from a picture, with the model's networks."""
    pipeline, name = model.pipeline, model.family.pipeline
    if "Img2Img" in name:
        return pipeline
    options = {}
    if "requires_safety_checker" in pipeline.config:
        options["requires_safety_checker"] = False
    else:
        options["add_watermarker"] = False
        options["force_zeros_for_empty_prompt"] = pipeline.config.force_zeros_for_empty_prompt
    kind = getattr(diffusers, name.replace("Pipeline", "Img2ImgPipeline"))
    other = kind(**pipeline.components, **options)
    other.set_progress_bar_config(disable=True)
    return other
