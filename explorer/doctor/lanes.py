"""Findings about several lanes together: equal settings."""

from collections.abc import Iterator, Sequence

from explorer.doctor.finding import NOTE, Finding
from explorer.sampling.wording import joined, lane_letter
from explorer.settings.lane import LaneSettings


def equal_lanes(lanes: Sequence[LaneSettings]) -> Iterator[Finding]:
    """Lanes whose runs are identical; each of `lanes` has a `scheduler_config()`."""
    equal: dict[str, list[int]] = {}
    for index, lane in enumerate(lanes):
        made_of = lane.sampler, lane.sigmas, sorted(lane.scheduler_config().items())
        equal.setdefault(repr(made_of), []).append(index)
    for indices in equal.values():
        if len(indices) < 2:
            continue
        letters = joined(map(lane_letter, indices))
        times = "twice" if len(indices) == 2 else f"{len(indices)} times"
        yield Finding(
            severity=NOTE,
            code="equal_lanes",
            sentence=(
                f"Lanes {letters} are equal: they make the same picture "
                f"{times}, and each costs its model calls."
            ),
            numbers={"lanes": len(indices)},
            field="sampler",
        )
