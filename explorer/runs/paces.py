"""How long runs have taken, and from it how long one like them will."""

from explorer.settings import RunSettings


class Paces:
    """Measured seconds of a model call a picture, by model and size."""

    def __init__(self):
        self._seconds: dict[tuple, float] = {}
        self._newest: dict[str, float] = {}  # by model, whatever the size

    def learn(self, settings: RunSettings, seconds: float) -> None:
        """Take in a whole run that took so long."""
        pace = seconds / _work(settings)
        self._seconds[_kind(settings)] = self._newest[settings.model] = pace

    def seconds(self, settings: RunSettings) -> float | None:
        """What the whole run will take; None where the model has not run yet."""
        pace = self._seconds.get(_kind(settings), self._newest.get(settings.model))
        return None if pace is None else pace * _work(settings)


def _kind(settings: RunSettings) -> tuple:
    return settings.model, settings.width, settings.height


def _work(settings: RunSettings) -> int:
    """Pictures that go through the network, counted twice under guidance."""
    return settings.total_nfe * settings.batch_size * (2 if settings.cfg_scale > 1 else 1)
