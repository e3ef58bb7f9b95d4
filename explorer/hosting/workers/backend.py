"""What computes runs behind the border, as the page's process sees it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from explorer.hosting.workers.border import Learned
from explorer.runs.events import Event

if TYPE_CHECKING:
    from explorer.capture.full_frames import FullFrame
    from explorer.capture.trajectory import Trajectory

Stopping = Callable[[], bool]  # whether what is asked for is no longer wanted


class BackendError(RuntimeError):
    """What computes has failed, or has refused; the message is a sentence for the visitor."""


class WorkerDied(BackendError):
    """The process that computed has ended, and the run with it."""


class Backend(Protocol):
    """Something that computes one run at a time: a worker process, or a service.

    All methods block the thread that calls them, and raise WorkerDied where what computes is gone.
    Arguments and results cross the border, so all can be pickled.
    """

    @property
    def learned(self) -> Learned:
        """The newest that it has told of itself."""
        ...

    @property
    def progress(self) -> tuple[str, float | None]:
        """The progress of loading: a sentence or "", and the fraction done or None."""
        ...

    def run(self, settings: Mapping[str, Any], stopping: Stopping, /) -> Iterator[Event | Learned]:
        """A run's events as `border.serve_run` yields them, until the last one.

        When it is `stopping()`, the run ends by its next call, with its last event where possible.
        """
        ...

    def fetch(self, names: Sequence[str], stopping: Stopping, /) -> None:
        """Have the files of models on this machine; raises ModelError."""
        ...

    def load(self, name: str, stopping: Stopping, /) -> None:
        """Make a model resident; raises ModelError. Returns early when it is `stopping()`."""
        ...

    def full_frames(
        self,
        trajectories: "Sequence[Trajectory]",
        cursor: Sequence[int],
        view: str,
        stopping: Stopping,
        /,
    ) -> "Iterator[FullFrame]":
        """A recorded run's frames in full size, as `Engine.full_frames` yields them."""
        ...

    def memory_use(self, settings: Mapping[str, Any], /) -> str:
        """The memory that a run needs, in words, "" if unknown; raises ValueError beyond it."""
        ...

    def unread(self, prompt: str, name: str, /) -> str:
        """The end of the prompt that does not fit into the model's text encoders; "" if unknown."""
        ...

    def close(self, timeout: float, /) -> bool:
        """End what goes on by its next call; returns whether that took at most `timeout` s."""
        ...


@runtime_checkable
class Starting(Protocol):
    """A backend that takes its time to be ready."""

    def start(self) -> None:
        """Begin to get ready; returns at once."""
        ...
