"""Which model's files a run was made with, said once for each model that is loaded."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

from explorer.records.made_with import model_fingerprint

if TYPE_CHECKING:
    from explorer.models.model import Model

LOG = logging.getLogger(__name__)


class Fingerprints:
    """The fingerprints of models in memory, each computed when a run of it first ends.

    That takes milliseconds, in the thread that asks, and so is never in the way of a run's start.
    """

    def __init__(self):
        self._known: WeakKeyDictionary[Model, str] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def of(self, model: "Model", files: Path | None) -> Callable[[], str]:
        """A function that returns a model's fingerprint, "" where its files cannot be read.

        It does not keep the model in memory.
        """
        reference = ref(model)

        def fingerprint() -> str:
            with self._lock:
                model = reference()
                known = self._known.get(model) if model is not None else None
                if known is not None:
                    return known
                try:
                    known = model_fingerprint(files) if files is not None else ""
                except OSError as error:
                    LOG.warning("a model's files could not be read: %s", error.strerror)
                    known = ""
                if model is not None:
                    self._known[model] = known
                return known

        return fingerprint
