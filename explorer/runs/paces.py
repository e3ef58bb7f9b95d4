"""How long runs took, and from that an estimate for similar ones."""

from dataclasses import dataclass

from explorer.settings import RunSettings

RUN, UNKNOWN = "run", "unknown"


@dataclass(frozen=True)
class Estimate:
    """How long a run takes on an idle device, and a model call of all its lanes, in seconds.

    Both are None while nothing is known of the model, and `source` is then "unknown". Otherwise it
    is "run" for what runs like it took, "load" for a measurement when the model was loaded.
    """

    seconds: float | None = None
    seconds_a_call: float | None = None
    source: str = UNKNOWN


class Paces:
    """Measured seconds of a model call per picture, by model and size."""

    def __init__(self):
        self._seconds: dict[tuple, float] = {}
        self._newest: dict[str, float] = {}  # by model, whatever the size

    def learn(self, settings: RunSettings, seconds: float) -> None:
        """Add the time of a whole run."""
        pace = seconds / _work(settings)
        self._seconds[_kind(settings)] = self._newest[settings.model] = pace

    def seconds(self, settings: RunSettings) -> float | None:
        """The estimated seconds of a whole run; None if the model has not run yet."""
        pace = self._seconds.get(_kind(settings), self._newest.get(settings.model))
        return None if pace is None else pace * _work(settings)

    def estimate(self, settings: RunSettings) -> Estimate:
        """How long the run takes."""
        seconds = self.seconds(settings)
        if seconds is None:
            return Estimate()
        return Estimate(seconds, seconds / settings.nfe, RUN)


def _kind(settings: RunSettings) -> tuple:
    return settings.model, settings.width, settings.height


def _work(settings: RunSettings) -> int:
    """Pictures that go through the network, counted twice under guidance."""
    return settings.total_nfe * settings.batch_size * (2 if settings.cfg_scale > 1 else 1)
