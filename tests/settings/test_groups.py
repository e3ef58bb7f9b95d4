"""Which lanes go together; the counts of a run's lanes."""

import pytest
from PIL import Image

from explorer.settings import LaneSettings, RunSettings, SettingsError, picture_url
from explorer.settings.groups import Group, groups_of
from explorer.settings.limits import LIMITS

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
    with pytest.raises(
        SettingsError, match=r"^Lane B: A strength of 0.5 leaves nothing to do of 1 step; "
    ):
        run_of("dpm2", own, init_image=START, strength=0.5)
    with pytest.raises(SettingsError, match=r"^Lane B: Switch at 0.8 leaves the refiner none"):
        run_of("dpm2", own, refiner="r")


def test_a_run_has_at_most_sixteen_lanes():
    assert LIMITS.lanes == 16
    assert len(run_of(*["euler"] * 16).lanes) == 16
    with pytest.raises(SettingsError, match=r"^A run has at most 16 lanes; got 17\.$") as caught:
        run_of(*["euler"] * 17)
    assert caught.value.name == "lanes"
