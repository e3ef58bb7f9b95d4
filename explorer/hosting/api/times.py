"""What the model calls of each lane took: lanes that are called together share their time."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from explorer.runs.events import Computed, Denoising, Event
from explorer.views.plan import Plan


class GroupTimes:
    """What the calls of a run's groups of lanes took, from its events."""

    def __init__(self, plan: Plan):
        self._groups = [lane["group"] for lane in plan["plan"]]
        self._until: dict[int, float] = {}  # by group, in the order in which they take turns

    async def of(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The events, looked at."""
        async with aclosing(events):
            async for event in events:
                self._look(event)
                yield event

    def _look(self, event: Event) -> None:
        if isinstance(event, Computed) and event.elapsed_s and event.call:
            group = self._groups[event.lane or 0]
            if isinstance(event, Denoising) or group not in self._until:
                self._until[group] = event.elapsed_s

    def by_lane(self) -> list[float | None]:
        """The seconds of each lane's group; None for one that made no calls."""
        began, seconds = 0.0, {}
        for group, until in self._until.items():
            seconds[group], began = until - began, until
        return [seconds.get(group) for group in self._groups]
