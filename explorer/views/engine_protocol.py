"""What the page, or another front end, needs of an engine; `views` and `ui` ask for nothing more.

`explorer.engine.Engine` has it all; the tests' engine without a model has exactly this.
"""

import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from explorer.models.catalog import Entry
from explorer.models.families import Identity
from explorer.runs.events import Event
from explorer.runs.paces import Estimate
from explorer.settings import LaneSettings, RunSettings

if TYPE_CHECKING:
    from explorer.capture.full_frames import FullFrame
    from explorer.capture.trajectory import Trajectory


class CatalogLike(Protocol):
    """The models that may be used: see explorer.models.catalog.Catalog."""

    anything: bool

    def find(self, name: str = "", /) -> Entry: ...


class FactsLike(Protocol):
    """What the models' files say, `name` "" the first: see explorer.runs.model_facts.ModelFacts."""

    def identity(self, name: str = "", /) -> Identity | None: ...

    def problem(self, name: str = "", /) -> str: ...

    def defaults(self, name: str = "", /) -> RunSettings: ...

    def lane_defaults(self, name: str = "", /) -> tuple[LaneSettings, ...]: ...

    def examples(self, name: str = "", /) -> tuple[str, ...]: ...

    def unknown_words(self, prompt: str, name: str = "", /) -> list[str]: ...

    def unread(self, prompt: str, name: str = "", /) -> str: ...


class EngineLike(Protocol):
    """What loads models, says how far that is, and runs settings: see explorer.engine.Engine."""

    @property
    def catalog(self) -> CatalogLike: ...

    @property
    def facts(self) -> FactsLike: ...

    @property
    def entries(self) -> tuple[Entry, ...]: ...

    @property
    def resident(self) -> str: ...

    @property
    def progress(self) -> tuple[str, float | None]: ...

    @property
    def device(self) -> str: ...

    @property
    def dtype(self) -> str: ...

    @property
    def trouble(self) -> str: ...

    def load(self, name: str = "", /, wanted: Callable[[], bool] = ...) -> None: ...

    def memory_use(self, settings: RunSettings, /) -> str: ...

    def estimate(self, settings: RunSettings, /) -> Estimate: ...

    def astream(
        self,
        settings: RunSettings,
        cancel: threading.Event | None = None,
        /,
        *,
        visitor: str = "",
        listening: Callable[[], bool] = ...,
        came: float | None = None,
    ) -> AsyncGenerator[Event, None]: ...

    def full_frames(
        self,
        trajectories: "Sequence[Trajectory]",
        cursor: Sequence[int],
        view: str,
        cancel: threading.Event | None,
        /,
    ) -> "Iterable[FullFrame]": ...
