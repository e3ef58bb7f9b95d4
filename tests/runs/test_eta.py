"""How long the rest of a run takes, by the calls that it has made."""

import numpy as np
import pytest

from explorer.runs.eta import EtaEstimate
from explorer.settings.groups import Group


def test_before_the_first_call_nothing_is_known():
    assert EtaEstimate((Group((0,), 10, 0, None),)).left_s is None


WARM_UPS = {
    "none": (),
    "one": (19.0,),
    "falling": (19.0, 12.0, 2.0),
    "late": (1.0, 1.0, 15.0),  # a graph is captured at the third call
    "traced": (9.0, 0.5, 10.0),
}


@pytest.mark.parametrize("warm_up", WARM_UPS.values(), ids=WARM_UPS)
@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_an_estimate_comes_when_it_is_steady_and_is_then_right(warm_up, noise):
    random = np.random.default_rng(1)
    group = Group((0, 1), 40, 0, None)
    took = [*warm_up, *(1 + noise * random.uniform(-1, 1, 40 - len(warm_up)))]
    eta, estimates = EtaEstimate((group,)), []
    for call, seconds in enumerate(took, 1):
        eta.add(group, seconds)
        if eta.left_s is not None:
            estimates.append(call)
            assert sum(took[call:]) / 1.5 <= eta.left_s <= sum(took[call:]) * 1.5
    assert estimates == list(range(len(warm_up) + 3, 41))


def test_times_that_are_never_alike_give_an_estimate_too():
    group = Group((0,), 100, 0, None)
    eta = EtaEstimate((group,))
    for call in range(30):
        eta.add(group, 1.0 + call % 3)
    assert eta.left_s == pytest.approx(70 * 2.0)


def test_a_steady_group_that_slows_down_is_followed():
    group = Group((0,), 30, 0, None)
    eta = EtaEstimate((group,))
    for seconds in [1.0] * 10 + [4.0] * 10:
        eta.add(group, seconds)
    assert eta.left_s == pytest.approx(40.0)


def test_groups_to_come_take_as_much_a_lane():
    pair, one, three = (
        Group((0, 1), 10, 0, None),
        Group((2,), 4, 0, None),
        Group((3, 4, 5), 2, 0, 1),
    )
    eta = EtaEstimate((pair, one, three))
    for _ in range(3):
        eta.add(pair, 2.0)
    assert eta.left_s == pytest.approx(7 * 2 + 4 * 1 + 2 * 3)
    eta.add(one, 9.0)  # another batch warms up by itself
    assert eta.left_s == pytest.approx(7 * 2 + 3 * 1 + 2 * 3)
    for _ in range(3):
        eta.add(one, 0.5)
    assert eta.left_s == pytest.approx(7 * 2 + 2 * 3 * 0.75)
    for _ in range(2):
        eta.add(three, 9.0)
    for _ in range(7):
        eta.add(pair, 2.0)
    assert eta.left_s == 0
