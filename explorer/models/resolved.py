"""A model's files: downloaded if needed, and validated before anything is loaded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from explorer.models.catalog import Entry, ModelError
from explorer.models.families import NETWORKS, Identity, identify
from explorer.models.hub import Hub, Unreachable
from explorer.models.weights import Weights, check_whole, choose_weights

HUB = Hub()

OnProgress = Callable[[str, float | None], None]


@dataclass(frozen=True, eq=False)
class ResolvedModel:
    """A model whose files are on this machine and valid; no weights are in memory yet."""

    entry: Entry
    folder: Path
    identity: Identity
    weights: Mapping[str, Weights] = field(default_factory=dict)  # by network, of a folder
    file: Path | None = None  # the single file that has the weights, if any

    @property
    def checkpoint(self) -> Path:
        """The single file, of a model that is one."""
        assert self.file is not None, self.entry.name
        return self.file


def fetch_model(
    entry: Entry, fp16: bool, on_progress: OnProgress | None = None, hub: Hub = HUB
) -> ResolvedModel:
    """Download the model if needed, and validate it; raises ModelError.

    `fp16` prefers files in half precision if a model has both. If the hub cannot be reached,
    earlier downloads are used.
    """
    on_progress = on_progress or no_progress
    if entry.kind == "file":
        from explorer.models.single_file import find_file

        return ResolvedModel(entry, *find_file(entry), file=entry.path)
    if entry.kind != "hub":
        return validate_folder(entry, entry.path, fp16)
    try:
        return validate_folder(entry, hub.download(entry.source, fp16, on_progress), fp16)
    except Unreachable as error:
        folder = hub.cached(entry.source)
        if folder is None:
            raise
        try:
            return validate_folder(entry, folder, fp16)
        except ModelError:
            raise ModelError(f"Only a part of {entry.name} is on this machine. {error}") from None


def validate_folder(entry: Entry, folder: Path, fp16: bool) -> ResolvedModel:
    """Identify the model in a folder and check that its files are complete; raises ModelError."""
    identity = identify(folder, entry.name)
    weights = {}
    for part in NETWORKS:
        if part in identity.parts:
            weights[part] = weights_in(folder / part, fp16, entry.name)
            check_whole(folder / part, weights[part], entry.name)
    return ResolvedModel(entry, folder, identity, weights)


def weights_in(folder: Path, fp16: bool, name: str) -> Weights:
    """The weights in a network's folder; raises ModelError."""
    names = {file.name for file in folder.glob("*") if file.is_file()}

    def read(index: str) -> str:
        return (folder / index).read_text(encoding="utf-8", errors="replace")

    return choose_weights(folder.name, names, fp16, read, name)


def no_progress(sentence: str, fraction: float | None) -> None:
    """An `on_progress` that ignores its arguments."""
