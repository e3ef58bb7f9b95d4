"""A Space's requirements.txt, made of this project's pins."""

import re

from explorer.hosting.space.front_matter import Variant

ZERO_TORCH = "torch==2.11.0"  # the newest that ZeroGPU runs
ZERO_SPACES = "spaces==0.51.3"


def space_requirements(pins: str, variant: Variant) -> str:
    """The pins of `requirements.txt` for a Space: for ZeroGPU with its PyTorch and `spaces`.

    The platform adds the Gradio of the front matter, which is the one that is pinned here.
    """
    if variant.mcp:
        pins = re.sub(r"^gradio==", "gradio[mcp]==", pins, flags=re.MULTILINE)
    if not variant.zero_gpu:
        return pins
    pins, replaced = re.subn(r"^torch==\S+", ZERO_TORCH, pins, flags=re.MULTILINE)
    if not replaced:
        raise ValueError("requirements.txt has no pin of torch.")
    return f"{pins.rstrip()}\n{ZERO_SPACES}\n"
