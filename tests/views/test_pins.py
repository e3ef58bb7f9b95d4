"""Pins as the server reads them: settings that a page kept, or anything else."""

import json

import numpy as np
import pytest

from explorer.settings import LaneSettings, RunSettings
from explorer.settings.limits import LIMITS
from explorer.views.curves import View, plot_payload
from explorer.views.pins import LONGEST_NAME, read_pins

LANES = (LaneSettings(schedule_type="karras", rho=5), LaneSettings(sigmas=(9.0, 3.0, 0.5)))


def kept() -> list[dict]:
    """What the page keeps after a click on Pin."""
    pins = json.loads(plot_payload(RunSettings(lanes=LANES, steps=12))["pin"])
    return [pin | {"id": f"p{at}"} for at, pin in enumerate(pins)]


def test_a_pin_says_what_differs_from_the_defaults_and_draws_the_same():
    karras, own = kept()
    assert karras["lane"] == {"schedule_type": "karras", "rho": 5}
    assert (karras["label"], karras["steps"]) == ("DPM2 Karras, 12 steps", 12)
    assert (own["label"], own["steps"]) == ("DPM2, custom sigmas, 3 steps", 3)
    for pin, lane in zip(read_pins(kept()), LANES, strict=True):
        assert not pin.problem
        np.testing.assert_array_equal(pin.curve.first_calls.sigma, lane.schedule(12).sigma)


def test_pins_are_drawn_beside_the_lanes_on_any_curve():
    pins = tuple(read_pins(kept()))
    payload = plot_payload(RunSettings(), View("alpha_bar", "log_sigma", pins=pins))
    owners = [each["meta"].get("pin") for each in json.loads(payload["figure"])["data"]]
    assert owners[:2] == ["p0", "p1"]
    assert payload["pins"] == {"p0": "", "p1": ""}
    assert payload["scales"] is False


@pytest.mark.parametrize(
    ("pin", "words"),
    [
        (None, "holds no schedule"),
        ({"lane": []}, "holds no schedule"),
        ({"lane": {}}, "Steps must be"),
        ({"lane": {}, "steps": 5000}, "from 1 to 1000; got 5000"),
        ({"lane": {"pony": 1}, "steps": 5}, "'pony' is not a setting"),
        ({"lane": {"beta_end": float("nan")}, "steps": 5}, "Beta end must be"),
        ({"lane": {"sampler": {}}, "steps": 5}, "Sampler must be"),
        ({"lane": {"sigmas": [1, 2]}, "steps": 5}, "sigmas"),
    ],
)
def test_a_pin_that_cannot_be_drawn_is_a_sentence(pin, words):
    (read,) = read_pins([pin])
    assert read.curve is None
    assert words in read.problem
    assert len(read.problem) < 400


@pytest.mark.parametrize("data", [None, "", "[]", 7, {"0": {}}])
def test_what_is_no_list_holds_no_pins(data):
    assert read_pins(data) == []


def test_there_is_a_limit_that_is_said():
    pins = read_pins([{"id": str(at), "lane": {}, "steps": 4} for at in range(5000)])
    assert sum(pin.curve is not None for pin in pins) == LIMITS.pins
    assert pins[-1].problem == f"Only the first {LIMITS.pins} pins are drawn."
    (long,) = read_pins([{"id": "x" * 10**6, "label": "y" * 10**6, "lane": {}, "steps": 4}])
    assert len(long.id) == len(long.curve.label) == LONGEST_NAME
