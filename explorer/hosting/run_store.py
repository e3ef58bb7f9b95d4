"""The runs of a server: what may be opened, and where a run is kept."""

from pathlib import Path
from typing import Protocol

from explorer.records.errors import ForeignRun, NotSaved
from explorer.records.examples import Examples
from explorer.records.history_folder import History
from explorer.records.latents import LatentBlock, latents_of
from explorer.records.run import RecordedRun
from explorer.records.shown import ShownRun, shown

NO_RUN = "There is no such run, or it is no longer kept."


class LiveRuns(Protocol):
    """The runs of this process: see explorer.runs.registry."""

    def recorded(self, id: str, owner: str, /) -> RecordedRun | None:
        """A run that has ended and is still in memory."""
        ...

    def adopt(self, run: RecordedRun, owner: str, /) -> None:
        """Have a run that ended elsewhere among these."""
        ...

    def settle(self, timeout: float, /) -> bool:
        """Wait until all runs have ended and are kept."""
        ...

    def forget(self, id: str, owner: str, /) -> None:
        """Drop such a run."""
        ...


class RunStore:
    """The runs by id and owner: those in memory, and those of the history's `folder`.

    Without a folder nothing is kept. An owner is one of visitors.py; the runs of this machine's
    user are also those of `explorer.history()`. The `examples` are everybody's, and go before
    whatever has their ids. For any thread.
    """

    def __init__(
        self,
        folder: Path | None = None,
        registry: LiveRuns | None = None,
        examples: Examples | None = None,
    ):
        self.folder = folder
        self.registry = registry
        self.examples = examples or Examples()

    def history(self, owner: str) -> History | None:
        """The history of an owner; None where nothing is kept."""
        return None if self.folder is None else History(self.folder, owner)

    def open(self, id: str, owner: str) -> RecordedRun:
        """A run that has ended, an example, from memory or the history; raises RecordError."""
        if id in self.examples:
            return self.examples.open(id)
        run = self.registry.recorded(id, owner) if self.registry else None
        if run is not None:
            return run
        history = self.history(owner)
        if history is None:
            raise ForeignRun(NO_RUN)
        return history.open(id)

    def shown(self, id: str, owner: str) -> ShownRun:
        """What is shown of such a run, its latents unread; raises RecordError."""
        if id in self.examples:
            return self.examples.shown(id)
        run = self.registry.recorded(id, owner) if self.registry else None
        if run is not None:
            return shown(run)
        history = self.history(owner)
        if history is None:
            raise ForeignRun(NO_RUN)
        return history.shown(id)

    def latents(self, id: str, owner: str, lane: int, call: int) -> LatentBlock:
        """Some calls' latents of such a run, that call's among them; raises RecordError."""
        if id in self.examples:
            return self.examples.latents(id, lane, call)
        run = self.registry.recorded(id, owner) if self.registry else None
        if run is not None:
            return latents_of(run, lane, call)
        history = self.history(owner)
        if history is None:
            raise ForeignRun(NO_RUN)
        return history.latents(id, lane, call)

    def settle(self, timeout: float) -> bool:
        """Wait, at most so many seconds, until what ran has ended and is kept; whether it is."""
        return self.registry is None or self.registry.settle(timeout)

    def forget(self, id: str, owner: str) -> None:
        """Drop a run from memory: it was deleted. For the thread of the event loop."""
        if self.registry:
            self.registry.forget(id, owner)

    def keep(self, run: RecordedRun, owner: str) -> str:
        """Take a run into its owner's history; returns a sentence on what had to make room, or "".

        Raises NotSaved, with a sentence.
        """
        history = self.history(owner)
        if history is None:
            raise NotSaved("The run was not kept: this server has no history.")
        return history.add(run).message
