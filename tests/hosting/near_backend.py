"""A backend without a process: the tests' engine behind the border, which may break when asked."""

import pickle
import threading
from collections.abc import Callable

from fake_engine import FakeEngine
from loops import as_they_come
from made_paces import PACE

from explorer.hosting.workers.backend import WorkerDied
from explorer.hosting.workers.border import Known, Learned
from explorer.models.catalog import Catalog, ModelError
from explorer.runs.events import Ended
from explorer.runs.paces import Paces
from explorer.settings import RunSettings
from explorer.settings.groups import groups_of

BUNDLED_PATH = Catalog(("bundled",)).find().path
CALL_S = 7.0  # as a run tells it
GONE = "It has gone."


class NearBackend:
    """Runs on an engine without a model, `dies_at` a call if one is set."""

    def __init__(self, pace: float = 0.005):
        self.engine = FakeEngine(pace)
        self.progress = ("", None)
        self.learned = Learned(device="cpu")
        self.paces = Paces()
        self.dies_at: int | None = None
        self.runs: list[str] = []  # the prompts of those it was given
        self.closed = False
        self.fetched: list[str] = []

    def start(self) -> None:
        self.started = True

    def run(self, settings: dict, stopping: Callable[[], bool]):
        run = RunSettings.from_dict(pickle.loads(pickle.dumps(settings)))
        self.runs.append(run.prompt)
        self._learn(run.model or "bundled")
        cancel = threading.Event()
        for event in as_they_come(self.engine.astream(run, cancel)):
            if stopping():
                cancel.set()
            if isinstance(event, Ended):
                name, group = run.model or "bundled", groups_of(run)[0]
                self.paces.loaded(name, "cpu", PACE)
                self.paces.learn(run, name, {group: CALL_S})
                self._learn(run.model or "bundled")
                yield self.learned
            yield pickle.loads(pickle.dumps(event))
            if getattr(event, "call", 0) == self.dies_at:
                self.learned = Learned(device="cpu")
                raise WorkerDied(GONE)

    def fetch(self, names, stopping) -> None:
        self.fetched += names

    def load(self, name: str, stopping) -> None:
        if name == "broken":
            raise ModelError("It is broken.")
        self._learn(name)

    def _learn(self, name: str) -> None:
        known = {name: Known(folder=BUNDLED_PATH)}
        self.learned = Learned(
            device="cpu", resident=name, in_memory=(name,), models=known, paces=self.paces
        )

    def full_frames(self, trajectories, cursor, view, stopping):
        yield from self.engine.full_frames(trajectories, cursor, view)

    def memory_use(self, settings: dict) -> str:
        return f"{settings['steps']} MiB"

    def unread(self, prompt: str, name: str) -> str:
        return prompt[77:]

    def close(self, timeout: float) -> bool:
        self.closed = True
        return True
