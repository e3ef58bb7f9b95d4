"""The remaining time of a run, estimated from the calls that it has made."""

import statistics
from collections.abc import Sequence

from explorer.settings.groups import Group

ALIKE, ALIKE_WITHIN = 3, 1.5  # this many calls within this factor are steady
ENOUGH = 12
FIRST = 2  # calls of a group that may be slower than all others


class EtaEstimate:
    """How long a run's calls took, by group, and an estimate for the remaining ones.

    The first calls of a batch may take many times as long as later ones, while networks are loaded,
    traced or compiled. There is no estimate before a group's newest calls take similar times.
    """

    def __init__(self, groups: Sequence[Group]):
        self._groups = groups
        self._seconds: dict[Group, list[float]] = {group: [] for group in groups}

    def add(self, group: Group, seconds: float) -> None:
        """Add the time of one call of all lanes of a group."""
        self._seconds[group].append(seconds)

    def typical_s(self) -> dict[Group, float]:
        """The seconds of a group's calls, for groups with enough of them: those that were quick.

        The slowest had to wait for others on the machine.
        """
        return {
            group: statistics.quantiles(took[FIRST:], n=4)[0]
            for group, took in self._seconds.items()
            if len(took) >= FIRST + ALIKE
        }

    @property
    def left_s(self) -> float | None:
        """The seconds that the remaining calls will take; None if that cannot be estimated.

        A group that has not started, or is not steady yet, is assumed to need as much time per lane
        as those that are.
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
    """The present time of a call; None if the newest calls are too few, or differ too much."""
    newest = took[-ALIKE:]
    if len(newest) == ALIKE and max(newest) <= ALIKE_WITHIN * min(newest):
        return statistics.median(newest)
    if len(took) >= ENOUGH:  # a busy machine: they will never be steady
        return statistics.median(took[len(took) // 2 :])
    return None
