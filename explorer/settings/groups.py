"""Which lanes of a run go together as one batch, and how long what is left of them takes."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from explorer.sampling.wording import lane_letter
from explorer.settings.fields import SettingsError
from explorer.settings.run import RunSettings

ALIKE, ALIKE_WITHIN = 3, 1.5  # so many calls within this factor are steady
ENOUGH = 12


@dataclass(frozen=True)
class Group:
    """Lanes in lockstep: by their indices, and the model calls that each of them makes.

    `first_call` is the run's first call and `refiner_call` the refiner's (None without one),
    counted from the start of the lanes' tables.
    """

    lanes: tuple[int, ...]
    calls: int
    first_call: int
    refiner_call: int | None


def groups_of(settings: RunSettings) -> tuple[Group, ...]:
    """The lanes of equal calls together, in the order of their first lanes.

    Lanes that begin, or are handed to a refiner, at different calls do not go together either.
    Raises SettingsError for a lane that no schedule can be made of.
    """
    together: dict[tuple[int, int, int | None], list[int]] = {}
    for lane, (each, step_range) in enumerate(
        zip(settings.lanes, settings.step_ranges, strict=True)
    ):
        try:
            each.schedule(settings.steps)
        except ValueError as error:
            raise SettingsError("lanes", f"Lane {lane_letter(lane)}: {error}") from None
        key = step_range.nfe, step_range.first_call, step_range.refiner_call
        together.setdefault(key, []).append(lane)
    return tuple(Group(tuple(lanes), *key) for key, lanes in together.items())


class Pace:
    """How long a run's calls have taken, by group, and from it how long the others will.

    The first calls of a batch may take many times as long as those after them: what a network
    needs is loaded, traced or compiled. Nothing is said before a group's newest calls are alike.
    """

    def __init__(self, groups: Sequence[Group]):
        self._groups = groups
        self._seconds: dict[Group, list[float]] = {group: [] for group in groups}

    def add(self, group: Group, seconds: float) -> None:
        """Take in the time of one call of all lanes of a group."""
        self._seconds[group].append(seconds)

    @property
    def left_s(self) -> float | None:
        """Seconds that the calls still to come will take; None while that cannot be said.

        A group that has not started, or is not steady yet, is taken to need as much time a lane as
        those that are.
        """
        left = {group: group.calls - len(took) for group, took in self._seconds.items()}
        if not any(left.values()):
            return 0.0
        steady = {group: _steady(took) for group, took in self._seconds.items()}
        lane = [seconds / len(group.lanes) for group, seconds in steady.items() if seconds]
        if not lane:
            return None
        a_lane = statistics.median(lane)
        return sum(
            (steady[group] or a_lane * len(group.lanes)) * calls for group, calls in left.items()
        )


def _steady(took: Sequence[float]) -> float | None:
    """What a call takes by now; None while the newest calls are too few, or not alike."""
    newest = took[-ALIKE:]
    if len(newest) == ALIKE and max(newest) <= ALIKE_WITHIN * min(newest):
        return statistics.median(newest)
    if len(took) >= ENOUGH:  # a busy machine: they will never be alike
        return statistics.median(took[len(took) // 2 :])
    return None
