"""Figures: what their traces hold, and that plotly knows every word of them."""

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from explorer.plots.curves import QUANTITIES, curve_of
from explorer.plots.figures import X_AXES, plotly_script, schedule_figure
from explorer.sampling.calls import CallTable
from explorer.settings import LaneSettings

DPM2 = LaneSettings().schedule(10)
DPM2_A = LaneSettings(sampler="dpm2_a").schedule(10)
KARRAS = LaneSettings(schedule_type="karras").schedule(6)


def lanes(*schedules, start: int = 0) -> list:
    return [
        curve_of(schedule, f"lane {lane}", lane=lane, start=start)
        for lane, schedule in enumerate(schedules)
    ]


LANES = lanes(DPM2, DPM2_A)
HEUN = CallTable(
    step=np.array([0, 0, 1]),
    second_call=np.array([False, True, False]),
    sigma=np.array([10.0, 3.0, 3.0]),
    timestep=np.array([900.0, 500.0, 500.0]),
)
PIN = curve_of(KARRAS, "kept", pin="p1")


def trace(figure, lane: int, kind: str) -> dict:
    is_it = {"lane": lane, "kind": kind}.items()
    return next(each for each in figure["data"] if is_it <= each["meta"].items())


def test_sigmas_and_midpoints_by_step():
    figure = schedule_figure(LANES)
    sigma, middle = trace(figure, 0, "sigma"), trace(figure, 0, "midpoint")
    np.testing.assert_array_equal(sigma["x"], range(1, 11))
    np.testing.assert_array_equal(sigma["y"], DPM2.sigma)
    np.testing.assert_array_equal(middle["x"], np.arange(1, 10) + 0.5)
    np.testing.assert_array_equal(middle["y"], DPM2.sigma_mid)


def test_what_a_start_picture_leaves_out_is_a_faint_line():
    figure = schedule_figure(lanes(DPM2, DPM2_A, start=4))
    np.testing.assert_array_equal(trace(figure, 0, "sigma")["x"], range(5, 11))
    np.testing.assert_array_equal(trace(figure, 0, "left out")["y"], DPM2.sigma[:5])
    np.testing.assert_array_equal(trace(figure, 1, "midpoint")["y"], DPM2_A.sigma_mid[4:])
    assert segments(trace(figure, 1, "sigma up"))[0][0] == (6, DPM2_A.sigma_down[4])
    assert trace(figure, 1, "sigma")["meta"]["first"] == 4
    assert "left out" not in [each["meta"]["kind"] for each in schedule_figure(LANES)["data"]]


@pytest.mark.parametrize("log_y", [True, False])
@pytest.mark.parametrize(("x", "at"), [("step", 9), ("timestep", DPM2.timestep[8])])
def test_notes_stand_where_a_run_begins_and_a_refiner_takes_over(x, at, log_y):
    curves = lanes(DPM2, DPM2_A, start=4)
    figure = schedule_figure(curves, x, log_y, base_steps=8)
    begins, refines = figure["layout"]["annotations"]
    assert begins["text"].endswith("step 5")
    assert refines["text"].endswith("step 9")
    sigma = DPM2.sigma[8]
    assert (refines["x"], refines["y"]) == pytest.approx((at, np.log10(sigma) if log_y else sigma))
    assert not schedule_figure(LANES, x, log_y, base_steps=10)["layout"]["annotations"]


def test_a_linear_axis_has_room_for_the_final_zero():
    sigma = trace(schedule_figure(LANES, log_y=False), 0, "sigma")
    assert (sigma["x"][-1], sigma["y"][-1]) == (11, 0)


def test_a_final_sigma_above_zero_is_on_every_scale():
    schedule = LaneSettings(final_sigmas_type="sigma_min").schedule(10)
    for quantity in ("sigma", "log_snr"):
        assert schedule_figure(lanes(schedule), quantity=quantity)["data"][0]["x"][-1] == 11


def segments(drawn: dict) -> list[list[tuple[float, float]]]:
    """The lines of a trace that has a gap after each."""
    lines = [[]]
    for x, y in zip(drawn["x"], drawn["y"], strict=True):
        assert (x is None) == (y is None)
        if x is None:
            lines.append([])
        else:
            lines[-1].append((x, y))
    return lines


def test_an_ancestral_lanes_way_goes_down_by_the_midpoint_and_up_by_noise():
    figure = schedule_figure(LANES)
    kinds = [(each["meta"]["lane"], each["meta"]["kind"]) for each in figure["data"]]
    assert (0, "sigma up") not in kinds
    assert (0, "sigma down") not in kinds
    table = DPM2_A
    assert segments(trace(figure, 1, "sigma down")) == [
        [
            (step + 1, table.sigma[step]),
            (step + 1.5, table.sigma_mid[step]),
            (step + 2, table.sigma_down[step]),
        ]
        for step in range(9)
    ]
    assert segments(trace(figure, 1, "sigma up")) == [
        [(step + 2, table.sigma_down[step]), (step + 2, table.sigma[step + 1])] for step in range(9)
    ]
    dashes = [trace(figure, 1, kind)["line"]["dash"] for kind in ("sigma down", "sigma up")]
    assert dashes == ["solid", "dot"]  # the model's, and the noise's


def test_where_the_way_is_drawn_no_line_goes_through_the_steps():
    figure = schedule_figure(LANES)
    assert trace(figure, 1, "sigma")["mode"] == "markers"
    assert trace(figure, 0, "sigma")["mode"] == "lines+markers"
    assert trace(schedule_figure(LANES, quantity="alpha_bar"), 1, "alpha-bar")["mode"] != "markers"


def test_a_way_of_a_thousand_steps_is_drawn_as_its_lines_alone():
    long = LaneSettings(sampler="dpm2_a").schedule(300)
    modes = {each["meta"]["kind"]: each["mode"] for each in schedule_figure(lanes(long))["data"]}
    assert set(modes.values()) == {"lines"}


def test_churn_shows_where_it_lifts_a_step_to():
    schedule = LaneSettings(s_churn=3, s_tmin=1, s_tmax=10).schedule(10)
    hat = trace(schedule_figure(lanes(schedule)), 0, "sigma hat")
    lifted = (schedule.sigma >= 1) & (schedule.sigma <= 10)
    np.testing.assert_array_equal(hat["x"], np.flatnonzero(lifted) + 1)
    np.testing.assert_array_equal(hat["y"], schedule.sigma_hat[lifted])


def test_by_timestep_and_by_sigma_a_run_goes_from_left_to_right():
    by_time, by_sigma = (schedule_figure(LANES, x=x) for x in ("timestep", "log_sigma"))
    np.testing.assert_array_equal(trace(by_time, 1, "midpoint")["x"], DPM2_A.timestep_mid)
    np.testing.assert_array_equal(trace(by_sigma, 1, "midpoint")["x"], DPM2_A.sigma_mid)
    assert by_sigma["layout"]["xaxis"]["type"] == "log"
    for figure in (by_time, by_sigma):
        assert figure["layout"]["xaxis"]["autorange"] == "reversed"


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("x", X_AXES)
@pytest.mark.parametrize("log_y", [True, False])
@pytest.mark.parametrize("steps", [1, 2, 50])
def test_every_figure_is_finite_json_that_plotly_takes(quantity, x, log_y, steps):
    lane = LaneSettings(sampler="dpm2_a", s_churn=1).schedule(steps)
    curves = [*lanes(lane, DPM2, start=min(1, steps - 1)), PIN]
    figure = schedule_figure(curves, x, log_y, quantity, base_steps=1)
    go.Figure(figure)  # raises for what plotly does not know
    read = json.loads(json.dumps(figure, allow_nan=False))
    for each in read["data"]:
        assert len(each["x"]) == len(each["y"])
    log_y = log_y and QUANTITIES[quantity].log
    assert read["layout"]["yaxis"]["type"] == ("log" if log_y else "linear")


def test_an_unknown_axis_or_quantity_is_refused():
    with pytest.raises(ValueError, match="x must be one of step, timestep, log_sigma"):
        schedule_figure(LANES, x="sideways")
    with pytest.raises(ValueError, match="quantity must be one of sigma, log_snr"):
        schedule_figure(LANES, quantity="mood")


def test_the_first_lane_is_drawn_over_the_others_and_all_over_the_pins():
    owners = [each["meta"].get("lane", 9) for each in schedule_figure([*LANES, PIN])["data"]]
    assert owners == sorted(owners, reverse=True)


def test_a_pin_is_one_line_without_marks():
    figure = schedule_figure([PIN, *LANES])
    (pin,) = [each for each in figure["data"] if "pin" in each["meta"]]
    assert pin["meta"] == {"pin": "p1", "kind": "sigma", "first": 0}
    assert pin["mode"] == "lines"
    np.testing.assert_array_equal(pin["y"], KARRAS.sigma)


def test_lines_that_hide_each_other_grow_broader():
    exact = LaneSettings(sampler="dpm2_a", eta=0).schedule(10)
    figure = schedule_figure(lanes(DPM2, KARRAS, exact, DPM2))
    width = [trace(figure, lane, "sigma")["line"]["width"] for lane in range(4)]
    assert width[0] == width[1] < width[2] < width[3]


def test_what_is_not_known_of_a_lane_is_said():
    calls = curve_of(HEUN, "Euler <a>", lane=1)
    figure = schedule_figure([*lanes(DPM2_A), calls], quantity="noise")
    (note,) = figure["layout"]["annotations"]
    assert note["text"] == "Not known of Euler &lt;a>."
    assert {each["meta"]["lane"] for each in figure["data"]} == {0}


def test_a_table_of_calls_is_drawn_by_whole_and_half_steps():
    figure = schedule_figure([curve_of(HEUN, "Heun", lane=0)])
    assert trace(figure, 0, "sigma")["y"] == [10, 3]
    second = trace(figure, 0, "second call")
    assert (second["x"], second["y"]) == ([1.5], [3])


def test_plotly_ships_its_script():
    assert plotly_script().is_file()
