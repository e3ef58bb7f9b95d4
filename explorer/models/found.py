"""A model's files: brought here, and looked through before anything is loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from explorer.models.catalog import Entry, ModelError
from explorer.models.families import Identity, identify
from explorer.models.hub import Hub, Unreachable
from explorer.models.weights import weight_files

HUB = Hub()
NETWORKS = ("text_encoder", "text_encoder_2", "unet", "vae")

Tell = Callable[[str, float | None], None]


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
    tell = tell or nobody
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
    networks = identity.parts.keys() & set(NETWORKS)
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


def nobody(sentence: str, fraction: float | None) -> None:
    """Where nobody wants to hear how a load gets on."""
