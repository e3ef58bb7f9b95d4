"""What models say of themselves, where the models are in another process."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from explorer.hosting.workers.backend import Backend, BackendError
from explorer.models.catalog import Catalog
from explorer.models.hub import Hub
from explorer.runs.model_facts import ModelFacts

MOST_PROMPTS = 64


@dataclass(frozen=True)
class _Loaded:
    """What a loaded model adds to its files."""

    notes: tuple[str, ...]


class _FarModels:
    """The part of `Residents` that ModelFacts asks."""

    def __init__(self, where: Callable[[str], Backend | None]):
        self._where = where

    def get(self, name: str) -> _Loaded | None:
        backend = self._where(name)
        known = backend.learned.models.get(name) if backend else None
        return _Loaded(known.notes) if known else None

    def folder(self, name: str) -> Path | None:
        backend = self._where(name)
        known = backend.learned.models.get(name) if backend else None
        return known.folder if known and known.folder.exists() else None


class FarFacts(ModelFacts):
    """ModelFacts of models that are `where` a function says: a backend, None for those of none.

    The files are read here; what a model's tokenizers say is asked of its backend.
    """

    def __init__(self, catalog: Catalog, where: Callable[[str], Backend | None], hub: Hub):
        super().__init__(catalog, _FarModels(where), hub)
        self._where = where
        self._asked = lru_cache(MOST_PROMPTS)(self._ask)

    def unread(self, prompt: str, name: str = "") -> str:
        """The end of the prompt, as typed, that does not fit into every text encoder.

        "" if the model is not in memory.
        """
        name = self._catalog.find(name).name
        if not prompt or self._where(name) is None:
            return ""
        try:
            return self._asked(prompt, name)
        except BackendError:
            return ""

    def _ask(self, prompt: str, name: str) -> str:
        backend = self._where(name)
        if backend is None:
            raise BackendError("The model is gone.")
        return backend.unread(prompt, name)
