"""Which lanes go together, and how long the rest of a run takes; the counts of a run's lanes."""

import numpy as np
import pytest
from PIL import Image

from explorer.settings import MAX_LANES, LaneSettings, RunSettings, SettingsError, picture_url
from explorer.settings.groups import Group, Pace, groups_of

START = picture_url(Image.new("RGB", (16, 16), "red"))


def run_of(*lanes: LaneSettings | str, **more) -> RunSettings:
    lanes = (LaneSettings(sampler=each) if isinstance(each, str) else each for each in lanes)
    return RunSettings(**{"steps": 10} | more, lanes=tuple(lanes))


# --- groups ---------------------------------------------------------------------------------------


def test_lanes_of_equal_calls_go_together_in_the_order_of_the_lanes():
    run = run_of("dpm2", "euler", "heun", "ddim", "dpm2_a")
    assert groups_of(run) == (Group((0, 2, 4), 19, 0, None), Group((1, 3), 10, 0, None))
    assert groups_of(run_of("unipc")) == (Group((0,), 10, 0, None),)


def test_a_list_of_sigmas_makes_other_company():
    own = LaneSettings(sampler="euler", sigmas=tuple(range(19, 0, -1)))
    assert groups_of(run_of("dpm2", "euler", own)) == (
        Group((0, 2), 19, 0, None),
        Group((1,), 10, 0, None),
    )


def test_lanes_that_are_cut_at_other_calls_go_apart():
    own = LaneSettings(sampler="euler", sigmas=tuple(range(19, 0, -1)))
    run = run_of("dpm2", own, "euler", refiner="r", refiner_switch_at=0.8)
    assert groups_of(run) == (
        Group((0,), 19, 0, 16),
        Group((1,), 19, 0, 15),
        Group((2,), 10, 0, 8),
    )


def test_a_start_picture_leaves_out_whole_steps_of_every_lane():
    own = LaneSettings(sigmas=(9.0, 5.0, 2.0, 1.0))
    run = run_of("dpm2", "euler", own, init_image=START, strength=0.5)
    assert groups_of(run) == (
        Group((0,), 9, 10, None),
        Group((1,), 5, 5, None),
        Group((2,), 3, 4, None),
    )
    assert [step_range.start for step_range in run.step_ranges] == [5, 5, 2]
    assert (run.nfe, run.total_nfe) == (9, 17)


@pytest.mark.parametrize(
    ("lane", "settings", "sentence"),
    [
        ("dpm2", {"num_train_timesteps": 5}, "Lane B: num_inference_steps must"),
        ("unipc", {"num_train_timesteps": 5}, "Lane B: num_inference_steps must"),
    ],
)
def test_a_lane_without_a_schedule_is_named(lane, settings, sentence):
    run = run_of("euler", LaneSettings(sampler=lane, **settings))
    with pytest.raises(SettingsError, match=sentence) as caught:
        groups_of(run)
    assert caught.value.name == "lanes"


# --- counts ---------------------------------------------------------------------------------------


def test_every_lane_counts_its_own_calls():
    run = run_of("dpm2", "euler", "heun", LaneSettings(sigmas=(3.0, 1.0)))
    assert [step_range.nfe for step_range in run.step_ranges] == [19, 10, 19, 3]
    assert (run.nfe, run.total_nfe) == (19, 51)
    assert [lane.nfe(10) for lane in run.lanes] == [19, 10, 19, 3]
    assert [lane.step_count(10) for lane in run.lanes] == [10, 10, 10, 2]


def test_a_list_too_short_for_a_cut_names_its_lane():
    own = LaneSettings(sigmas=(3.0,))
    with pytest.raises(SettingsError, match=r"^Lane B: A strength of 0.5 leaves none of the 1 "):
        run_of("dpm2", own, init_image=START, strength=0.5)
    with pytest.raises(SettingsError, match=r"^Lane B: Switch at 0.8 leaves the refiner none"):
        run_of("dpm2", own, refiner="r")


def test_a_run_has_at_most_sixteen_lanes():
    assert MAX_LANES == 16
    assert len(run_of(*["euler"] * 16).lanes) == 16
    with pytest.raises(SettingsError, match=r"^A run has at most 16 lanes; got 17\.$") as caught:
        run_of(*["euler"] * 17)
    assert caught.value.name == "lanes"


# --- pace -----------------------------------------------------------------------------------------


def test_before_the_first_call_nothing_is_known():
    assert Pace(groups_of(run_of("euler"))).left_s is None


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
    pace, estimates = Pace((group,)), []
    for call, seconds in enumerate(took, 1):
        pace.add(group, seconds)
        if pace.left_s is not None:
            estimates.append(call)
            assert sum(took[call:]) / 1.5 <= pace.left_s <= sum(took[call:]) * 1.5
    assert estimates == list(range(len(warm_up) + 3, 41))


def test_times_that_are_never_alike_give_an_estimate_too():
    group = Group((0,), 100, 0, None)
    pace = Pace((group,))
    for call in range(30):
        pace.add(group, 1.0 + call % 3)
    assert pace.left_s == pytest.approx(70 * 2.0)


def test_a_steady_group_that_slows_down_is_followed():
    group = Group((0,), 30, 0, None)
    pace = Pace((group,))
    for seconds in [1.0] * 10 + [4.0] * 10:
        pace.add(group, seconds)
    assert pace.left_s == pytest.approx(40.0)


def test_groups_to_come_take_as_much_a_lane():
    pair, one, three = (
        Group((0, 1), 10, 0, None),
        Group((2,), 4, 0, None),
        Group((3, 4, 5), 2, 0, 1),
    )
    pace = Pace((pair, one, three))
    for _ in range(3):
        pace.add(pair, 2.0)
    assert pace.left_s == pytest.approx(7 * 2 + 4 * 1 + 2 * 3)
    pace.add(one, 9.0)  # another batch warms up by itself
    assert pace.left_s == pytest.approx(7 * 2 + 3 * 1 + 2 * 3)
    for _ in range(3):
        pace.add(one, 0.5)
    assert pace.left_s == pytest.approx(7 * 2 + 2 * 3 * 0.75)
    for _ in range(2):
        pace.add(three, 9.0)
    for _ in range(7):
        pace.add(pair, 2.0)
    assert pace.left_s == 0
