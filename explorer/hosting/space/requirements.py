"""A Space's requirements.txt, made of this project's pins."""

import re

from explorer.hosting.space.front_matter import Variant

ZERO_TORCH = "torch==2.11.0"  # the newest that ZeroGPU runs
ZERO_SPACES = "spaces==0.51.3"
MCP = "mcp==1.30.0"  # as gradio[mcp], which the platform installs, resolves it


def space_requirements(pins: str, variant: Variant) -> str:
    """The pins of `requirements.txt` for a Space: for ZeroGPU with its PyTorch and `spaces`.

    The platform adds the Gradio of the front matter, which is the one that is pinned here.
    """
    lines = [pins.rstrip()]
    if variant.zero_gpu:
        lines[0], replaced = re.subn(r"^torch==\S+", ZERO_TORCH, lines[0], flags=re.MULTILINE)
        if not replaced:
            raise ValueError("requirements.txt has no pin of torch.")
        lines.append(ZERO_SPACES)
    if variant.mcp:
        lines.append(MCP)
    return "\n".join(lines) + "\n"
