"""Figures: what their traces hold."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from explorer.figures import LANE_COLOURS, X_AXES, plotly_script, schedule_figure
from explorer.settings import LaneSettings

PAGE = Path(__file__).parents[1] / "assets" / "page"

DPM2 = LaneSettings().schedule(10)
DPM2_A = LaneSettings(sampler="dpm2_a").schedule(10)
LANES = [("DPM2", DPM2), ("DPM2 a", DPM2_A)]


def trace(figure, lane: int, kind: str):
    return next(each for each in figure.data if each.meta == {"lane": lane, "kind": kind})


def test_sigmas_and_midpoints_by_step():
    figure = schedule_figure(LANES)
    sigma, middle = trace(figure, 0, "sigma"), trace(figure, 0, "midpoint")
    np.testing.assert_array_equal(sigma.x, range(1, 11))
    np.testing.assert_array_equal(sigma.y, DPM2.sigma)
    np.testing.assert_array_equal(middle.x, np.arange(1, 10) + 0.5)
    np.testing.assert_array_equal(middle.y, DPM2.sigma_mid)


def test_what_a_start_picture_leaves_out_is_a_faint_line():
    figure = schedule_figure(LANES, first_step=4)
    np.testing.assert_array_equal(trace(figure, 0, "sigma").x, range(5, 11))
    np.testing.assert_array_equal(trace(figure, 0, "left out").y, DPM2.sigma[:5])
    np.testing.assert_array_equal(trace(figure, 1, "midpoint").y, DPM2_A.sigma_mid[4:])
    np.testing.assert_array_equal(trace(figure, 1, "sigma up").x, range(6, 11))
    assert "left out" not in [each.meta["kind"] for each in schedule_figure(LANES).data]


@pytest.mark.parametrize("log_y", [True, False])
@pytest.mark.parametrize(("x", "at"), [("step", 9), ("timestep", DPM2.timestep[8])])
def test_notes_stand_where_a_run_begins_and_a_refiner_takes_over(x, at, log_y):
    figure = schedule_figure(LANES, x, log_y, first_step=4, base_steps=8)
    begins, refines = figure.layout.annotations
    assert begins.text.endswith("step 5")
    assert refines.text.endswith("step 9")
    sigma = DPM2.sigma[8]
    assert (refines.x, refines.y) == pytest.approx((at, np.log10(sigma) if log_y else sigma))
    assert not schedule_figure(LANES, x, log_y, base_steps=10).layout.annotations


def test_a_linear_axis_has_room_for_the_final_zero():
    sigma = trace(schedule_figure(LANES, log_y=False), 0, "sigma")
    assert sigma.x[-1] == 11
    assert sigma.y[-1] == 0


def test_only_an_ancestral_lane_has_sigma_down_and_sigma_up():
    figure = schedule_figure(LANES)
    kinds = [(each.meta["lane"], each.meta["kind"]) for each in figure.data]
    assert (0, "sigma up") not in kinds
    down, up = trace(figure, 1, "sigma down"), trace(figure, 1, "sigma up")
    np.testing.assert_array_equal(down.x, np.arange(2, 11))
    np.testing.assert_allclose(np.hypot(down.y, up.y), DPM2_A.sigma[1:])


def test_by_timestep_and_by_sigma_a_run_goes_from_left_to_right():
    by_time, by_sigma = (schedule_figure(LANES, x=x) for x in ("timestep", "log_sigma"))
    np.testing.assert_array_equal(trace(by_time, 1, "midpoint").x, DPM2_A.timestep_mid)
    np.testing.assert_array_equal(trace(by_sigma, 1, "midpoint").x, DPM2_A.sigma_mid)
    assert by_sigma.layout.xaxis.type == "log"
    assert by_time.layout.xaxis.autorange == by_sigma.layout.xaxis.autorange == "reversed"


@pytest.mark.parametrize("x", X_AXES)
@pytest.mark.parametrize("log_y", [True, False])
@pytest.mark.parametrize("steps", [1, 2, 50])
def test_every_figure_is_finite_json(x, log_y, steps):
    lanes = [("A", LaneSettings(sampler="dpm2_a").schedule(steps))]
    figure = schedule_figure(lanes, x=x, log_y=log_y)
    for each in figure.data:
        assert len(each.x) == len(each.y)
        assert np.isfinite(np.asarray(each.y, float)).all()
    assert json.loads(figure.to_json())["layout"]["yaxis"]["type"] == ("log" if log_y else "linear")


def test_an_unknown_axis_is_refused():
    with pytest.raises(ValueError, match="x must be one of step, timestep, log_sigma"):
        schedule_figure(LANES, x="sideways")


def test_the_first_lane_is_drawn_over_the_others():
    lanes = [each.meta["lane"] for each in schedule_figure(LANES).data]
    assert lanes == sorted(lanes, reverse=True)


def test_the_page_and_the_figures_have_the_same_colours():
    light = (PAGE / "base.css").read_text(encoding="utf-8").split("body.dark")[0]
    assert tuple(re.findall(r"--lane-[ab]: (#\w+)", light)) == LANE_COLOURS


def test_plotly_ships_its_script():
    assert plotly_script().is_file()
