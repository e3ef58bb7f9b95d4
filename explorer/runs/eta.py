"""How long what is left of a run takes, by the calls that it has made."""

import statistics
from collections.abc import Sequence

from explorer.settings.groups import Group

ALIKE, ALIKE_WITHIN = 3, 1.5  # so many calls within this factor are steady
ENOUGH = 12


class EtaEstimate:
    """How long a run's calls have taken, by group, and from it how long the others will.

    The first calls of a batch may take many times as long as those after them: what a network
    needs is loaded, traced or compiled. There is no estimate before a group's newest calls are
    alike.
    """

    def __init__(self, groups: Sequence[Group]):
        self._groups = groups
        self._seconds: dict[Group, list[float]] = {group: [] for group in groups}

    def add(self, group: Group, seconds: float) -> None:
        """Take in the time of one call of all lanes of a group."""
        self._seconds[group].append(seconds)

    @property
    def left_s(self) -> float | None:
        """Seconds that the calls still to come will take; None while that cannot be estimated.

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
