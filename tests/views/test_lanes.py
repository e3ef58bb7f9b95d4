"""The lanes' table without a browser: what it is drawn from, and any JSON back to lanes."""

import base64
import json
from dataclasses import fields

import pytest

from explorer.settings import LaneSettings
from explorer.views.lanes import LANE_NAMES, lanes_value, numbers_of_file, read_lanes, spec

LANES = (
    LaneSettings(beta_end=0.02, sigmas=(14.0, 3.0, 0.1)),
    LaneSettings(sampler="dpm2_a", eta=0.5, rescale_betas_zero_snr=True),
    LaneSettings(trained_betas=(0.1, 0.2), schedule_type="karras", rho=5),
)


def changed(lane: int = 0, same: bool = False, **held) -> dict:
    """What the page holds of these lanes, with some of one lane's values changed."""
    value = lanes_value(LANES, same)
    value["lanes"][lane] |= held
    return value


def test_lanes_come_back_as_they_went():
    value = json.loads(json.dumps(lanes_value(LANES, same=False)))
    assert read_lanes(value) == (LANES, [])


def test_every_field_of_a_lane_is_one_row():
    rows = [row["name"] for group in spec()["groups"] for row in group["fields"]]
    assert sorted(rows) == sorted(field.name for field in fields(LaneSettings))
    assert json.loads(json.dumps(spec())) is not None


def test_conditions_are_about_fields_and_what_these_can_hold():
    rows = {row["name"]: row for group in spec()["groups"] for row in group["fields"]}
    for row in rows.values():
        for name, values in row["when"].items():
            assert {*values} <= {value for _, value in rows[name]["choices"]}


def test_text_and_numbers_are_both_read():
    text = changed(beta_end="0.03", num_train_timesteps="500", sigmas="9; 2, 1")
    data = changed(beta_end=0.03, num_train_timesteps=500, sigmas=[9, 2, 1])
    assert read_lanes(text) == read_lanes(data)
    assert read_lanes(text)[0][0].sigmas == (9, 2, 1)


def test_what_is_missing_counts_as_untouched():
    assert read_lanes({"lanes": [{}, {"sampler": "dpm2_a"}]})[0] == (
        LaneSettings(),
        LaneSettings(sampler="dpm2_a"),
    )


def test_each_lane_has_one_problem_at_its_control():
    value = changed(1, beta_end=5, beta_start="")
    value["lanes"][2]["steps_offset"] = "1.5"
    lanes, problems = read_lanes(value)
    assert lanes == LANES[:1]
    assert [control for control, _ in problems] == ["b_beta_start", "c_steps_offset"]


def test_under_same_a_problem_is_said_once_and_samplers_stay_each_lanes_own():
    value = changed(0, same=True, beta_end="x")
    value["lanes"][1]["sampler"] = "pony"
    controls = [control for control, _ in read_lanes(value)[1]]
    assert controls == ["a_beta_end", "b_sampler"]


HOSTILE = [
    None,
    7,
    "lanes",
    [],
    {},
    {"lanes": None},
    {"lanes": {}},
    {"lanes": []},
    {"lanes": [{}] * (len(LANE_NAMES) + 1)},
    {"lanes": [{}] * 100_000},
    {"lanes": [None]},
    {"lanes": [[]]},
    {"lanes": [{"pony": 1}]},
    {"lanes": [{"__class__": 1}]},
    {"lanes": [{"x" * 100_000: 1}]},
    {"lanes": [{"beta_end": []}]},
    {"lanes": [{"beta_end": {"a": 1}}]},
    {"lanes": [{"beta_end": True}]},
    {"lanes": [{"beta_end": 10**400}]},
    {"lanes": [{"beta_end": "9" * 100_000}]},
    {"lanes": [{"beta_end": "nan"}]},
    {"lanes": [{"schedule_type": []}]},
    {"lanes": [{"schedule_type": "x" * 100_000}]},
    {"lanes": [{"sampler": {}}]},
    {"lanes": [{"sampler": None}]},
    {"lanes": [{"rescale_betas_zero_snr": "off"}]},
    {"lanes": [{"trained_betas": [[1]]}]},
    {"lanes": [{"trained_betas": {"0": 1}}]},
    {"lanes": [{"trained_betas": ["<b>"]}]},
    {"lanes": [{"sigmas": [1, 2]}]},
    {"lanes": [{"sigmas": "1 2 pony"}]},
    {"lanes": [{"s_tmax": 1, "s_tmin": 2}]},
    {"lanes": [{}], "same": "yes"},
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:40])
def test_whatever_a_page_sends_is_a_sentence(value):
    _, problems = read_lanes(value)
    assert len(problems) == 1
    control, sentence = problems[0]
    assert control == "lanes" or control.startswith("a_")
    assert sentence
    assert len(sentence) < 500


def test_a_file_becomes_text_and_no_path_is_opened(tmp_path):
    data = base64.b64encode(b"0.1 0.2").decode()
    file = {"field": "trained_betas", "name": "b.txt", "data": data}
    assert numbers_of_file(file) == {"text": "0.1, 0.2"}
    secret = tmp_path / "b.txt"
    secret.write_text("0.5 0.6")
    for bad in (
        None,
        [],
        "x",
        {},
        file | {"field": "beta_end"},
        file | {"field": []},
        file | {"data": str(secret)},
        file | {"data": None},
        file | {"data": "A" * 50_000_000},
        {**file, "name": None, "data": "!"},
    ):
        assert set(numbers_of_file(bad)) == {"problem"}
