"""The packages of a Space: with hashes in pre-requirements.txt, by name in requirements.txt.

The platform installs pre-requirements.txt first, in a call of pip of its own, and then
requirements.txt in another, to which it adds packages. pip refuses those beside hashes, since they
have none. So the first file is a list of all packages with hashes, those of the platform too, and
the second one finds everything installed.
"""

import re

from explorer.hosting.space.front_matter import Variant

ZERO_TORCH = "torch==2.11.0"  # the newest that ZeroGPU runs
SPACES = "spaces==0.51.3"
MCP = "mcp==1.30.0"  # as gradio[mcp], which the platform installs, resolves it
# What the platform adds to every Space, as its build logs show; Gradio has the pinned version.
OF_THE_PLATFORM = ("gradio[oauth,mcp]", "uvicorn>=0.14.0", "websockets>=10.4", SPACES)


def space_requirements(pins: str, variant: Variant) -> str:
    """The pins of `requirements.txt` for a Space: for ZeroGPU with its PyTorch and `spaces`.

    The platform adds the Gradio of the front matter, which is the one that is pinned here.
    """
    lines = [pins.rstrip()]
    if variant.zero_gpu:
        lines[0], replaced = re.subn(r"^torch==\S+", ZERO_TORCH, lines[0], flags=re.MULTILINE)
        if not replaced:
            raise ValueError("requirements.txt has no pin of torch.")
        lines.append(SPACES)
    if variant.mcp:
        lines.append(MCP)
    return "\n".join(lines) + "\n"


def hashed_list(variant: Variant) -> str:
    """The file of this project that has the Space's packages with hashes."""
    return "requirements/zero_gpu.txt" if variant.zero_gpu else "requirements/space.txt"


def all_requirements(pins: str, variant: Variant) -> str:
    """What the list with hashes is made of: the Space's requirements and the platform's."""
    return space_requirements(pins, variant) + "\n".join(OF_THE_PLATFORM) + "\n"
