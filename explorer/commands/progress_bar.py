"""A run's progress as a bar on the standard error, which only a terminal shows."""

import shutil
from types import TracebackType

from tqdm import tqdm

from explorer.runs.events import Computed, Ended, Event, MakingFrames
from explorer.settings import RunSettings
from explorer.settings.groups import groups_of

LONGEST = 48  # characters of what is being done
WAITING, DENOISING = "Waiting", "Denoising"


class ProgressBar:
    """Counts the model calls of a run's groups of lanes; a `with` block, which closes the bar.

    Where the standard error is no terminal, or `quiet`, nothing is shown.
    """

    def __init__(self, settings: RunSettings, quiet: bool = False):
        groups = groups_of(settings)
        self._before: dict[int, int] = {}  # by lane, the calls of the groups before its own
        total = 0
        for group in groups:
            self._before |= dict.fromkeys(group.lanes, total)
            total += group.calls
        screen = shutil.get_terminal_size()  # 80 x 24 where a terminal says 0 x 0
        self._bar = tqdm(
            total=total,
            desc=WAITING,
            unit="call",
            leave=False,
            ncols=screen.columns,
            nrows=screen.lines,
            disable=True if quiet else None,  # None: shown on a terminal alone
        )

    def __enter__(self) -> "ProgressBar":
        return self

    def show(self, event: Event) -> None:
        """Take in the news of an event."""
        if isinstance(event, Computed):
            at = self._before.get(event.lane or 0, 0) + event.call
            self._bar.update(max(0, at - self._bar.n))
        if isinstance(event, Ended):
            return
        is_denoising = isinstance(event, Computed) and not isinstance(event, MakingFrames)
        message = DENOISING if is_denoising else event.message.rstrip(".") or WAITING
        self._bar.set_description(message[:LONGEST])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
