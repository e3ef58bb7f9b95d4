"""What a run will cost: model calls, time, and the memory of its recording."""

from collections.abc import Iterator
from dataclasses import dataclass

from explorer.byte_sizes import size_text
from explorer.doctor.finding import ERROR, NOTE, Finding
from explorer.sampling.wording import counted, joined


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A run's model calls, lane by lane, and its estimated time and memory.

    `seconds` are estimated; `recording_bytes` must fit into `room_bytes`. None where unknown.
    `networks` says how much memory they take, `problem` why the run does not fit, `too_long` that
    it takes longer than the server allows.
    """

    calls: tuple[int, ...]  # of each lane
    seconds: float | None = None
    recording_bytes: int | None = None
    room_bytes: int | None = None
    networks: str = ""
    problem: str = ""
    too_long: str = ""


def price(cost: Cost) -> Iterator[Finding]:
    """The cost of all lanes in a sentence; an error if the recording does not fit."""
    parts = [_calls(cost.calls)]
    numbers: dict[str, float] = {"lanes": len(cost.calls), "calls": sum(cost.calls)}
    if cost.seconds is not None:
        parts.append(f"about {_time(cost.seconds)}")
        numbers["seconds"] = cost.seconds
    if cost.recording_bytes is not None:
        parts.append(f"the recording takes {size_text(cost.recording_bytes)}")
        numbers["recording_bytes"] = cost.recording_bytes
    if cost.networks:
        parts.append(cost.networks)
    yield Finding(
        severity=NOTE, code="cost", sentence=", ".join(parts) + ".", numbers=numbers, field="steps"
    )
    if cost.too_long:
        yield Finding(severity=ERROR, code="too_long", sentence=cost.too_long, field="steps")
    recording = cost.recording_bytes or 0
    if cost.room_bytes is not None and recording > cost.room_bytes:
        yield Finding(
            severity=ERROR,
            code="recording_too_large",
            sentence=(
                f"The recording takes {size_text(recording)}, and there is room for "
                f"{size_text(cost.room_bytes)}: lower the steps, the batch size or the lanes."
            ),
            numbers={"recording_bytes": recording, "room_bytes": cost.room_bytes},
            field="steps",
        )
    elif cost.problem:
        yield Finding(severity=ERROR, code="no_memory", sentence=cost.problem, field="width")


def _calls(each: tuple[int, ...]) -> str:
    """The calls per lane, as the progress bar and the pictures count them, then the total."""
    if len(each) == 1:
        return f"The run makes {counted(each[0], 'model call')}"
    equal = len(set(each)) == 1
    unequal = joined(f"{calls:,}" for calls in each)
    by_lane = f"{counted(each[0], 'model call')} each" if equal else f"{unequal} model calls"
    return f"{len(each)} lanes make {by_lane} ({sum(each):,} in all)"


def _time(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.0f} h"
