"""The models in memory: one, and the refiner that runs use; the previous one is freed."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.models.catalog import Entry, ModelError
from explorer.models.hub import Hub

if TYPE_CHECKING:
    import torch

    from explorer.models.model import Model
    from explorer.models.resolved import OnProgress, ResolvedModel

LOG = logging.getLogger(__name__)


class Residents:
    """The models of one engine in memory, and the progress of loading the next one.

    `check(folder, name)` raises ModelError for invalid settings in a model's folder;
    `rehearse(model, on_progress)` does the work that a first run on a GPU would wait for;
    `measure(model)` is called with a model that is ready. `threads` is the measured number of CPU
    threads, None on another device.
    """

    def __init__(
        self,
        device: str | None,
        dtype: "torch.dtype | str | None",
        offload: str,
        hub: Hub,
        check: Callable[[Path, str], None],
        rehearse: "Callable[[Model, OnProgress], None]",
        measure: "Callable[[Model], None]" = lambda model: None,
        lanes: int = 2,
    ):
        self.offload = offload
        self.threads: int | None = None
        self.name = ""  # of the model that is not a refiner
        self.progress: tuple[str, float | None] | None = None
        self._device, self._dtype = device, dtype
        self._hub, self._check = hub, check
        self._rehearse, self._measure, self._lanes = rehearse, measure, lanes
        self._fetching = threading.Lock()
        self._resolved: dict[str, ResolvedModel] = {}
        self._fetched_names: set[str] = set()  # of all models that were ever fetched
        self._models: dict[str, Model] = {}
        self._problem = ""

    @property
    def state(self) -> str:
        """ "loading" until a model is loaded, "ready", or "absent: " and a sentence."""
        if self.progress is not None:
            return "loading"
        if self.name:
            return "ready"
        return f"absent: {self._problem}" if self._problem else "loading"

    @property
    def device(self) -> str:
        if self._device is None:
            from explorer.models.loading import best_device

            self._device = best_device()
        return self._device

    @property
    def dtype(self) -> "torch.dtype | None":
        """The requested precision."""
        if not isinstance(self._dtype, str):
            return self._dtype
        from explorer.models.loading import DTYPES

        if self._dtype not in DTYPES:
            raise ModelError(f"The precision must be one of {', '.join(DTYPES)}.")
        return DTYPES[self._dtype]

    def get(self, name: str) -> "Model | None":
        """The model of that name, if it is in memory."""
        return self._models.get(name)

    def folder(self, name: str) -> Path | None:
        """The folder of a fetched model's configuration files."""
        resolved = self._resolved.get(name)
        return resolved and resolved.folder

    def known(self) -> dict[str, tuple[Path, tuple[str, ...]]]:
        """By name, the folder of each fetched model, and the notes of those in memory."""
        models = self._models
        return {
            name: (resolved.folder, models[name].notes if name in models else ())
            for name, resolved in tuple(self._resolved.items())
        }

    def files(self, name: str) -> Path | None:
        """A fetched model's folder or its single file, with its weights."""
        resolved = self._resolved.get(name)
        return resolved and (resolved.file or resolved.folder)

    def on_progress(self, text: str, fraction: float | None = None) -> None:
        """Store the progress of loading."""
        self.progress = text, fraction

    def fetch(self, entries: Sequence[Entry], on_progress: "OnProgress") -> None:
        """Download and validate models, without freeing any."""
        from explorer.models.loading import dtype_for
        from explorer.models.resolved import fetch_model

        if all(entry.name in self._resolved for entry in entries):
            return  # without waiting for another thread's download
        with self._fetching, self._keeping_problem():
            fp16 = dtype_for(self.device, self.dtype).itemsize == 2
            for entry in entries:
                if entry.name not in self._resolved:
                    on_progress(f"Looking for {entry.label}.", None)
                    resolved = fetch_model(entry, fp16, on_progress, self._hub)
                    self._check(resolved.folder, entry.name)
                    self._resolved[entry.name] = resolved
                    self._fetched_names.add(entry.name)

    def has_fetched(self, entry: Entry) -> bool:
        """Whether the model was fetched before."""
        return entry.name in self._fetched_names

    def make_resident(self, entries: Sequence[Entry], on_progress: "OnProgress") -> None:
        """Load a base and its refiner unless they are in memory; the caller holds the device.

        All others are freed first. If one does not load, the previous model is loaded again, unless
        loading was stopped.
        """
        missing = [entry for entry in entries if entry.name not in self._models]
        if missing:
            before, self.name = self.name, ""
            self._free(self._models.keys() - {entry.name for entry in entries})
            try:
                with self._keeping_problem():
                    for entry in missing:
                        self._models[entry.name] = self._load(entry, on_progress)
            except Exception:
                self._restore(before, on_progress)
                raise
            except BaseException:  # it was stopped: the next run loads what is missing
                self.name = before if before in self._models else ""
                raise
        self.name, self._problem = entries[0].name, ""

    def _free(self, names: Iterable[str]) -> None:
        for name in names:
            self._models.pop(name).free()

    def _restore(self, before: str, on_progress: "OnProgress") -> None:
        self._free(self._models.keys() - {before})
        with suppress(Exception):
            if before and before not in self._models:
                self._models[before] = self._load(self._resolved[before].entry, on_progress)
            self.name = before

    def _load(self, entry: Entry, on_progress: "OnProgress") -> "Model":
        from explorer.runtime.threads import in_own_thread

        load = partial(self._load_in_this_thread, entry, on_progress)
        return in_own_thread(load) if self.device.startswith("cpu") else load()

    def _load_in_this_thread(self, entry: Entry, on_progress: "OnProgress") -> "Model":
        from explorer.models.loading import load_resolved
        from explorer.models.preview_decoder import decoders_for
        from explorer.runtime.fast import is_small, warm_up, warm_up_decoding
        from explorer.runtime.threads import choose_threads

        try:
            resolved = self._resolved[entry.name]
            model = load_resolved(resolved, self.device, self.dtype, self.offload, on_progress)
        except Exception:
            del self._resolved[entry.name]  # it may be repaired before the next try
            raise
        # Loading may have measured what a single file does not say.
        self._resolved[entry.name] = replace(resolved, folder=model.folder)
        on_progress(f"Preparing {entry.label}.", None)
        unet = model.pipeline.unet
        if model.device.type == "cpu":
            self.threads = choose_threads(unet)
        threading.Thread(target=model.measure_memory, name="memory").start()
        model.decode, model.approximate = decoders_for(model.pipeline, model.folder)
        if is_small(unet):
            warm_up(unet, 2 * self._lanes, model.tokenizer.model_max_length)
        if self.offload == "none" and model.device.type == "cuda":
            self._rehearse(model, on_progress)
        if is_small(model.pipeline.vae):
            warm_up_decoding(model.pipeline.vae, unet)
        self._measure(model)
        return model

    @contextmanager
    def _keeping_problem(self) -> Iterator[None]:
        """Store the message of an error; an unexpected one gets a message and is logged."""
        try:
            yield
        except ModelError as error:
            self._problem = str(error)
            raise
        except Exception as error:
            from explorer.models.loading import load_error_message

            LOG.exception("loading broke off")
            self._problem = load_error_message("The model", self.device, error)
            error.__traceback__ = None  # it would hold on to all that was loaded
            raise ModelError(self._problem) from None
