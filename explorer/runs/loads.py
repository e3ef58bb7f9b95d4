"""Models that are made resident beside runs, in the order of the device's queue."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from explorer.models.catalog import Entry, ModelError
from explorer.models.resident import Residents
from explorer.runs.dispatch import Dispatcher
from explorer.runs.job import Stopped

POLL_S = 0.1  # between two checks whether a load in the queue is still wanted


class Loads:
    """Loads models that are asked for beside runs; a run loads its own when its turn has come.

    `first` is the model without which a server is of no use; `first_is_absent` says that its newest
    load has failed.
    """

    def __init__(self, models: Residents, dispatcher: Dispatcher, first: Entry):
        self._models, self._dispatcher, self._first = models, dispatcher, first
        self.first_is_absent = False

    def load(self, entry: Entry, wanted: Callable[[], bool]) -> None:
        """Make a model resident; the previous one is freed.

        Waits for a run to end. When it is no longer `wanted`, the load leaves the queue or ends
        with the part being loaded. Raises ModelError; then the previous model is resident again,
        and loading may be retried.
        """
        models, dispatcher, ticket = self._models, self._dispatcher, None
        if models.name == entry.name:
            return
        on_progress = self._progress(wanted)
        try:
            dispatcher.open_queue()
            models.fetch([entry], on_progress)
            ticket = dispatcher.queue.join(is_run=False)
            if ticket.place:
                on_progress(f"{entry.label} is loaded when the run under way has ended.")
            while not ticket.wait(POLL_S):
                if dispatcher.closing or not wanted():
                    raise Stopped
            models.make_resident([entry], on_progress)
            self.first_is_absent &= entry != self._first
        except Stopped:
            if dispatcher.closing:
                raise ModelError("The program is ending.") from None
        except ModelError:
            self.first_is_absent |= entry == self._first
            raise
        finally:
            if ticket is not None:
                ticket.leave()
            models.progress = None

    def fetch(self, entries: Sequence[Entry], wanted: Callable[[], bool]) -> None:
        """Have the files of models on this machine, without loading any; raises ModelError."""
        try:
            with suppress(Stopped):
                self._models.fetch(entries, self._progress(wanted))
        finally:
            self._models.progress = None

    def _progress(self, wanted: Callable[[], bool]) -> Callable[..., None]:
        """Stores the progress of a load; raises Stopped when it is no longer `wanted`."""

        def on_progress(text: str, fraction: float | None = None) -> None:
            if not wanted():
                raise Stopped
            self._dispatcher.on_progress(text, fraction)

        return on_progress
