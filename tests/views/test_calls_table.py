"""The table of model calls: its columns against the schedule's, and what a sampler lacks."""

import json

import numpy as np
import pytest

from explorer.plots.curves import alpha_bar, log_snr
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.start_picture import picture_url
from explorer.views.calls_table import calls_table
from explorer.views.plan import plan_payload

COLUMNS = ("sigma_next", "sigma_mid", "sigma_down", "sigma_up")


def tables(*lanes: LaneSettings, steps: int = 10, **run):
    return calls_table(RunSettings(steps=steps, lanes=lanes, **run))


def of_steps(column: list) -> np.ndarray:
    """The rows of the steps' first calls; the others must be empty."""
    assert all(each is None for each in column[1::2])
    return np.array(column[::2], dtype=float)


@pytest.mark.parametrize("sampler", ["dpm2", "dpm2_a"])
def test_a_row_has_its_call_and_the_levels_of_its_step(sampler):
    lane = LaneSettings(sampler=sampler, s_churn=2)
    (table,), schedule = tables(lane), lane.schedule(10)
    assert table["step"] == [call // 2 for call in range(19)]
    assert table["second_call"] == [bool(call % 2) for call in range(19)]
    np.testing.assert_array_equal(table["sigma"], schedule.call_sigma)
    np.testing.assert_array_equal(table["timestep"], schedule.call_timestep)
    np.testing.assert_array_equal(table["alpha_bar"], alpha_bar(schedule.call_sigma))
    np.testing.assert_array_equal(table["log_snr"], log_snr(schedule.call_sigma))
    for name in COLUMNS:
        wanted = np.append(getattr(schedule, name), [np.nan] * (name == "sigma_mid"))
        np.testing.assert_array_equal(of_steps(table[name]), wanted)
    split = np.hypot(of_steps(table["sigma_down"]), of_steps(table["sigma_up"]))
    np.testing.assert_allclose(split, of_steps(table["sigma_next"]))
    assert (table["sigma_end"], table["missing"]) == (0, {})


def test_a_baseline_has_its_calls_and_says_what_is_not_known():
    euler, heun = tables(LaneSettings(sampler="euler"), LaneSettings(sampler="heun"))
    assert len(euler["sigma"]) == 10
    assert euler["sigma_next"] == [*euler["sigma"][1:], 0]
    assert "one model call a step" in euler["missing"]["sigma_mid"]
    assert "Heun" in heun["missing"]["sigma_mid"]
    assert len(heun["sigma"]) == 19
    for table in (euler, heun):
        for name in ("sigma_mid", "sigma_down", "sigma_up"):
            assert set(table[name]) == {None}
            assert table["missing"][name].endswith(".")


def test_own_sigmas_and_lanes_of_other_lengths_have_their_own_rows():
    own, other = tables(LaneSettings(sigmas=(8.0, 4.0, 1.0)), LaneSettings())
    assert own["sigma"][::2] == [8, 4, 1]
    assert (len(own["step"]), len(other["step"])) == (5, 19)


def test_a_run_from_a_picture_has_the_rows_that_it_makes():
    from PIL import Image

    picture = picture_url(Image.new("RGB", (8, 8)))
    settings = RunSettings(steps=10, init_image=picture, strength=0.4)
    for table, lane in zip(calls_table(settings), plan_payload(settings)["plan"], strict=True):
        assert table["step"] == [call["step"] for call in lane["calls"]]
        assert table["sigma"] == [call["sigma"] for call in lane["calls"]]
        assert table["step"][0] == 6


@pytest.mark.parametrize("steps", [1, 2, 1000])
def test_every_table_is_plain_json_of_equal_columns(steps):
    lanes = (LaneSettings(), LaneSettings(sampler="euler"))
    for table in json.loads(json.dumps(tables(*lanes, steps=steps), allow_nan=False)):
        columns = [each for each in table.values() if isinstance(each, list)]
        assert len({len(each) for each in columns}) == 1
        assert len(columns) == 10


def test_a_run_of_one_step_says_why_it_has_no_midpoint():
    (table,) = tables(LaneSettings(), steps=1)
    assert table["sigma_mid"] == [None]
    assert "no midpoint" in table["missing"]["sigma_mid"]
