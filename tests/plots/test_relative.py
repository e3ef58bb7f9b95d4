"""Curves relative to lane A: what they are compared with, and how the axes say so."""

import json

import numpy as np
import pytest

from explorer.plots.curves import QUANTITIES, alpha_bar, curve_of
from explorer.plots.figures import X_AXES, schedule_figure
from explorer.plots.relative import Reference, ratio_ticks
from explorer.settings import LaneSettings

DPM2 = LaneSettings().schedule(10)
DPM2_A = LaneSettings(sampler="dpm2_a").schedule(10)
KARRAS = LaneSettings(schedule_type="karras").schedule(10)
SHORT = LaneSettings().schedule(5)


def drawn(*schedules, quantity: str = "sigma", x: str = "step", log_y: bool = True) -> dict:
    """The figure of some lanes relative to the first one."""
    curves = [curve_of(table, f"lane {at}", lane=at) for at, table in enumerate(schedules)]
    reference = Reference(curves[0], QUANTITIES[quantity], x, tuple(curves[1:]))
    return schedule_figure(curves, x, log_y, quantity, reference=reference)


def values(figure: dict, lane: int, kind: str) -> np.ndarray:
    (trace,) = [
        each
        for each in figure["data"]
        if (each["meta"]["lane"], each["meta"]["kind"]) == (lane, kind)
    ]
    return np.array(trace["y"], dtype=float)


@pytest.mark.parametrize("x", X_AXES)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_lane_relative_to_itself_is_one_or_zero_everywhere(quantity, x):
    figure = drawn(DPM2, DPM2, quantity=quantity, x=x)
    for lane in (0, 1):
        for trace in figure["data"]:
            if trace["meta"]["kind"] == "midpoint":  # A's own line, between its points
                continue
            wanted = 1.0 if QUANTITIES[quantity].log else 0.0
            np.testing.assert_allclose(trace["y"], wanted, atol=1e-9)
        assert any(trace["meta"]["lane"] == lane for trace in figure["data"])


def test_sigmas_are_divided_by_those_of_the_same_step():
    figure = drawn(DPM2, KARRAS)
    np.testing.assert_allclose(values(figure, 1, "sigma"), KARRAS.sigma / DPM2.sigma)
    assert figure["layout"]["yaxis"]["title"]["text"] == "Sigma / A's"
    assert "at the same step" in figure["layout"]["xaxis"]["title"]["text"]


def test_a_midpoint_is_compared_with_a_line_that_is_straight_in_log_sigma():
    middle = values(drawn(DPM2, DPM2_A), 0, "midpoint")
    np.testing.assert_allclose(middle, 1, rtol=1e-12)  # DPM2's own is the geometric mean
    theirs = values(drawn(DPM2, DPM2_A), 1, "midpoint")
    np.testing.assert_allclose(theirs, DPM2_A.sigma_mid / DPM2.sigma_mid)


def test_the_way_of_an_ancestral_lane_is_relative_too():
    down = values(drawn(DPM2, DPM2_A), 1, "sigma down")
    np.testing.assert_allclose(down[2::4], DPM2_A.sigma_down[:-1] / DPM2.sigma[1:])
    assert np.isnan(down[3::4]).all()  # the gaps


def test_shares_are_subtracted():
    figure = drawn(DPM2, KARRAS, quantity="alpha_bar")
    difference = alpha_bar(KARRAS.sigma) - alpha_bar(DPM2.sigma)
    np.testing.assert_allclose(values(figure, 1, "alpha-bar")[:-1], difference, atol=1e-12)
    assert figure["layout"]["yaxis"]["title"]["text"] == "alpha-bar minus A's"
    assert "range" not in figure["layout"]["yaxis"]  # of shares from 0 to 1


def test_new_noise_since_the_start_is_compared_with_its_own_kind():
    figure = drawn(DPM2_A, DPM2_A, quantity="noise")
    assert not values(figure, 1, "new since the start").any()


def test_lanes_of_different_lengths_are_compared_at_the_same_share_of_the_run():
    figure = drawn(DPM2, SHORT)
    ratio = values(figure, 1, "sigma")
    np.testing.assert_allclose(ratio, SHORT.sigma / DPM2.sigma[::2])  # of 5 steps, and of 10
    assert "interpolated at the same share" in figure["layout"]["xaxis"]["title"]["text"]


def test_by_timestep_the_line_is_interpolated_at_the_same_timestep():
    betas = LaneSettings(beta_end=0.02, timestep_spacing="trailing").schedule(10)
    figure = drawn(DPM2, betas, x="timestep")
    order = np.argsort(DPM2.timestep)
    there = np.interp(betas.timestep, DPM2.timestep[order], np.log(DPM2.sigma)[order])
    inside = betas.timestep >= DPM2.timestep.min()
    np.testing.assert_allclose(
        values(figure, 1, "sigma"), (betas.sigma / np.exp(there))[inside], rtol=1e-9
    )
    assert "interpolated" in figure["layout"]["xaxis"]["title"]["text"]


def test_beyond_the_ends_of_a_nothing_is_drawn():
    lower = LaneSettings(schedule_type="karras", sigma_max=5.0).schedule(10)
    higher = LaneSettings(schedule_type="karras").schedule(10)
    figure = drawn(lower, higher, x="log_sigma")
    assert len(values(figure, 1, "sigma")) == (higher.sigma <= lower.sigma[0]).sum()


def test_where_the_line_is_not_known_nothing_is_drawn():
    euler = LaneSettings(sampler="euler").schedule(10)
    figure = drawn(euler, DPM2_A, quantity="noise")
    assert figure["data"] == []
    assert "Not known" in figure["layout"]["annotations"][0]["text"]


def test_a_reference_for_a_page_is_plain_json_of_increasing_places():
    for x in X_AXES:
        curve = curve_of(DPM2, "A", lane=0)
        sent = json.loads(
            json.dumps(Reference(curve, QUANTITIES["sigma"], x).to_json(), allow_nan=False)
        )
        assert np.all(np.diff(sent["x"]) > 0)
        assert sent["ratio"]
        assert sorted(sent["y"]) == sorted(DPM2.sigma)


@pytest.mark.parametrize(("low", "high"), [(0.98, 1.01), (0.5, 1.2), (0.12, 1), (1, 1), (1e-4, 2)])
def test_every_axis_of_ratios_has_a_few_labels_in_sight(low, high):
    ticks = ratio_ticks(np.array([low, high]))
    seen = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    assert 1 <= len(seen) <= 15
    assert ticks == sorted(set(ticks))
