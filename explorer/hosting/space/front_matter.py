"""A Space's README: what the platform reads at its top, and a few lines for visitors.

The keys are those of https://huggingface.co/docs/hub/spaces-config-reference.
"""

import re
from dataclasses import dataclass

from huggingface_hub import RepoCard, SpaceCardData

THUMBNAIL = "thumbnail.webp"
# ZeroGPU offers two versions of Python; PyTorch 2.11 is the newest that it runs.
ZERO_PYTHON, ZERO_HARDWARE = "3.12.12", "zero-a10g"


@dataclass(frozen=True)
class Variant:
    """Which Space is written: for ZeroGPU or not, with tools for programs or not, and its id.

    `space_id` is OWNER/NAME; "" if it is not known yet, and then the Space has no thumbnail.
    """

    zero_gpu: bool = False
    mcp: bool = False
    space_id: str = ""


def readme(source: str, variant: Variant) -> str:
    """The Space's README.md, made of the front matter and the first section of this project's."""
    return f"---\n{front_matter(source, variant).to_yaml()}\n---\n\n{_introduction(source)}"


def front_matter(source: str, variant: Variant) -> SpaceCardData:
    """The front matter of the project's README with what this Space has besides."""
    given = RepoCard(source, ignore_metadata_errors=False).data.to_dict()
    given |= {"header": "mini", "fullWidth": True}
    tags = ["diffusion", "samplers", "stable-diffusion", "diffusers"]
    given["tags"] = [*tags, "mcp-server"] if variant.mcp else tags
    if variant.zero_gpu:
        given |= {"python_version": ZERO_PYTHON, "suggested_hardware": ZERO_HARDWARE}
    if variant.space_id:
        there = f"https://huggingface.co/spaces/{variant.space_id}/resolve/main/{THUMBNAIL}"
        given["thumbnail"] = there
    return SpaceCardData(**given)


def _introduction(source: str) -> str:
    """From the title to the first picture, whose file a Space does not have."""
    section = re.search(r"^# .*?(?=^!\[)", source, re.MULTILINE | re.DOTALL)
    if section is None:
        raise ValueError("README.md has no title with a picture below it.")
    return section[0].rstrip() + "\n"
