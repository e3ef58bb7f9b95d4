"""A model's files: brought here, and looked through before anything is loaded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from explorer.models.catalog import Entry, ModelError
from explorer.models.families import NETWORKS, Identity, identify
from explorer.models.hub import Hub, Unreachable
from explorer.models.weights import Weights, check_whole, choose_weights

HUB = Hub()

Tell = Callable[[str, float | None], None]


@dataclass(frozen=True, eq=False)
class Found:
    """A model that is on this machine and was looked through; no weights are in memory yet."""

    entry: Entry
    folder: Path
    identity: Identity
    weights: Mapping[str, Weights] = field(default_factory=dict)  # by network, of a folder
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
    weights = {}
    for part in NETWORKS:
        if part in identity.parts:
            weights[part] = weights_in(folder / part, half, entry.name)
            check_whole(folder / part, weights[part], entry.name)
    return Found(entry, folder, identity, weights)


def weights_in(folder: Path, half: bool, name: str) -> Weights:
    """The weights in a network's folder; raises ModelError."""
    names = {file.name for file in folder.glob("*") if file.is_file()}

    def read(index: str) -> str:
        return (folder / index).read_text(encoding="utf-8", errors="replace")

    return choose_weights(folder.name, names, half, read, name)


def nobody(sentence: str, fraction: float | None) -> None:
    """Where nobody wants to hear how a load gets on."""
