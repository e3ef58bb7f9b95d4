"""Which lanes of a run form one batch."""

from dataclasses import dataclass

from explorer.sampling.wording import lane_letter
from explorer.settings.fields import SettingsError
from explorer.settings.run import RunSettings


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
    """Group lanes with equal calls, in the order of their first lanes.

    Lanes that start, or switch to a refiner, at different calls are in different groups too. Raises
    SettingsError for a lane without a valid schedule.
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
