"""Which lanes of a run go together as one batch, and how long what is left of them takes."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from explorer.settings import RunSettings, SettingsError


@dataclass(frozen=True)
class Group:
    """Lanes in lockstep: by their indices, and the model calls that each of them makes.

    `first` and `cut` are the run's first call and the refiner's (None without one), counted from
    the beginning of the lanes' tables.
    """

    lanes: tuple[int, ...]
    calls: int
    first: int
    cut: int | None


def groups_of(settings: RunSettings) -> tuple[Group, ...]:
    """The lanes of equal calls together, in the order of their first lanes.

    Lanes that begin, or are handed to a refiner, at different calls do not go together either.
    Raises SettingsError for a lane that no schedule can be made of.
    """
    together: dict[tuple[int, int, int | None], list[int]] = {}
    for lane, (each, span) in enumerate(zip(settings.lanes, settings.spans, strict=True)):
        try:
            each.schedule(settings.steps)
        except ValueError as error:
            raise SettingsError("lanes", f"Lane {chr(65 + lane)}: {error}") from None
        key = span.nfe, span.first_call, span.cut_call
        together.setdefault(key, []).append(lane)
    return tuple(Group(tuple(lanes), *key) for key, lanes in together.items())


class Pace:
    """How long a run's calls have taken, by group, and from it how long the others will."""

    def __init__(self, groups: Sequence[Group]):
        self._groups = groups
        self._seconds: dict[Group, list[float]] = {group: [] for group in groups}

    def add(self, group: Group, seconds: float) -> None:
        """Take in the time of one call of all lanes of a group."""
        self._seconds[group].append(seconds)

    @property
    def left_s(self) -> float | None:
        """Seconds that the calls still to come will take; None before the first call.

        A group's calls take what most of them took: the first one's warm-up counts little. One that
        has not begun is taken to need as much time a lane as those before it.
        """
        typical = {group: statistics.median(took) for group, took in self._seconds.items() if took}
        if not typical:
            return None
        a_lane = statistics.median(took / len(group.lanes) for group, took in typical.items())
        return sum(
            typical.get(group, a_lane * len(group.lanes)) * (group.calls - len(took))
            for group, took in self._seconds.items()
        )
