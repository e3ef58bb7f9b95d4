"""The benchmark of waiting runs sees slow answers, runs overtaken and places that stand still."""

import pytest

from benchmarks.page_client import Followed
from benchmarks.waiting import Seen, judge, standing


def run(sent: float, places: list[tuple[float, int]], began: float, ended: float, **more):
    return Followed(
        id="x",
        seed=1,
        sent=sent,
        joined=sent,
        began=began,
        ended=ended,
        end=more.pop("end", "done"),
        places=[place for _, place in places],
        places_at=[at for at, _ in places],
        **more,
    )


FIRST = run(0, [(1, 1)], 2, 4)
SECOND = run(0.5, [(1, 2), (1.5, 2), (4.2, 1)], 6, 8)


def test_how_long_a_place_stood_is_from_its_first_message_to_the_next_place():
    assert list(standing([FIRST, SECOND])) == pytest.approx([1, 3.2, 1.8])


def test_what_goes_well_is_no_fault():
    assert judge(Seen(runs=[FIRST, SECOND], answers={"redraw": [100.0]}), "", 1) == []


def test_each_fault_is_seen():
    still, waits = run(0.5, [(1, 2)], 30, 31), run(0.1, [(1, 1)], 40, 41)
    others = [run(at, [], at, at + 1) for at in range(1, 30)]
    assert "a place stood for 29.0 s, but a run ended every 1.5 s" in judge(
        Seen(runs=[still, *others]), "", 1
    )
    assert not any("stood" in fault for fault in judge(Seen(runs=[FIRST, still]), "", 1))  # nor did
    assert "a run was overtaken" in judge(Seen(runs=[waits, *others]), "", 1)
    slow = Seen(runs=[FIRST], answers={"redraw": [300.0] * 20}, opened=[12.0])
    assert judge(slow, "", 1) == ["p95 of redraw is 300 ms", "a page opened in 12.0 s"]
    assert judge(slow, "", 0) == ["a page opened in 12.0 s"]  # runs share its process
    (broken,) = judge(Seen(runs=[run(0, [], 1, 2, end="error")]), "", 0)
    assert broken == "a run ended with error: "
