"""The lanes' sigmas beside A1111's, and what the settings file's server functions answer."""

import json
from dataclasses import replace

import pytest

from explorer.settings import LaneSettings, RunSettings
from explorer.views.a1111_sigmas import a1111_sigmas
from explorer.views.lanes import lane_values
from explorer.views.scheduler_files import make_file, take_file

# Ten steps of DPM2 in A1111 with Stable Diffusion's betas, to three decimals.
A1111 = [14.615, 8.307, 5.092, 3.325, 2.280, 1.616, 1.163, 0.832, 0.571, 0.344, 0]


def numbers(sigmas: list[float]) -> list[float]:
    return [round(sigma, 3) for sigma in sigmas]


def lists(*lanes: LaneSettings, steps: int = 10):
    return a1111_sigmas(RunSettings(steps=steps, lanes=lanes))


def test_their_list_ends_in_zero_and_its_difference_is_told():
    (entry,) = lists(LaneSettings())
    assert numbers(entry["sigma"]) == A1111
    assert entry["difference"] == (
        "A1111 and ComfyUI have another sigma in 9 of 10 steps, most so in step 10: 0.3437, "
        "here 0.02917."
    )
    assert (entry["is"], entry["can"]) == (False, True)


def test_a_lane_that_runs_as_they_do_has_nothing_to_compare():
    (entry,) = lists(LaneSettings().as_a1111())
    assert (entry["sigma"], entry["difference"]) == (None, "")
    assert entry["is"]


@pytest.mark.parametrize(
    "spelled",
    [{"timestep_spacing": "linspace"}, {"schedule_type": "karras", "interpolation_type": "auto"}],
)
def test_a_lane_that_spells_the_same_run_otherwise_runs_as_they_do(spelled):
    lane = LaneSettings(schedule_type=spelled.get("schedule_type", "automatic")).as_a1111()
    (entry,) = lists(replace(lane, **spelled))
    assert (entry["is"], entry["can"], entry["difference"]) == (True, True, "")


def test_a_lane_of_the_same_sigmas_and_another_run_does_not():
    (entry,) = lists(replace(LaneSettings().as_a1111(), midpoint_ratio=0.7))
    assert (entry["is"], entry["sigma"]) == (False, None)
    wider = replace(
        LaneSettings(schedule_type="exponential").as_a1111(), timestep_spacing="leading"
    )
    assert lists(wider)[0]["is"] is False  # leading begins with more noise


def test_lists_that_differ_by_rounding_alone_are_the_same():
    (entry,) = lists(LaneSettings(discard_penultimate_sigma=True))  # read linearly, not by log
    assert (entry["is"], entry["sigma"], entry["difference"]) == (False, None, "")


def test_a_baseline_has_no_switch():
    (entry,) = lists(LaneSettings(sampler="euler"))
    assert (entry["can"], entry["is"], entry["difference"]) == (False, False, "")
    assert entry["sigma"] is None


def test_an_own_list_and_a_run_without_room_cannot_be_switched():
    own, longest = lists(LaneSettings(sigmas=(3.0, 1.0)))[0], lists(LaneSettings(), steps=1000)[0]
    assert (own["can"], own["sigma"]) == (False, None)
    assert (longest["can"], longest["sigma"]) == (False, None)


def test_a_file_goes_out_and_in():
    column = lane_values(LaneSettings(sampler="dpm2_a", schedule_type="karras", rho=5.0))
    column["rho"] = "5"  # as a person types it
    text = make_file(column)["text"]
    assert json.loads(text)["use_karras_sigmas"] is True
    read = take_file({"text": text, "sampler": "dpm2"})
    assert read == {"values": column | {"rho": 5.0}, "notes": []}


@pytest.mark.parametrize("column", [None, 3, {"beta_end": 3}, {"nope": 1}, {"beta_end": [1]}])
def test_a_column_that_will_not_do_is_a_sentence(column):
    assert make_file(column)["problem"].endswith(".")


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        "text",
        {"text": 3, "sampler": "dpm2"},
        {"text": "{}", "sampler": "nope"},
        {"text": "{}", "sampler": ["dpm2"]},
        {"text": "{", "sampler": "dpm2"},
    ],
)
def test_a_text_that_will_not_do_is_a_sentence(given):
    assert take_file(given)["problem"].endswith(".")
