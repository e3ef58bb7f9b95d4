"""A run opened again: what of it the page can show, and what it says of the rest."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import made_run, made_settings, start_picture

from explorer.records.shown import ShownRun, shown
from explorer.settings import LaneSettings
from explorer.views.opened import opened_payload

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run() -> ShownRun:
    return shown(made_run())


def opened(run: ShownRun, *models: str):
    payload = opened_payload(run, lambda data, name: f"kept/{name}", models, "scenes")
    json.dumps(payload).encode()
    return payload


def test_all_settings_are_values_of_the_form(run):
    payload = opened(run, "scenes")
    assert payload["whole"] and payload["notes"] == []
    settings = payload["settings"]
    assert settings.keys() == {*made_settings().to_dict()}
    assert (settings["model"], settings["init_image"], settings["steps"]) == ("scenes", "", 3)
    assert settings["lanes"]["same"] is False
    assert settings["lanes"]["lanes"][1]["schedule_type"] == "karras"
    assert [lane["steps"] for lane in payload["plan"]] == [3, 3]


def test_the_levels_of_its_steps_stand_in_the_rows_of_their_first_calls(run):
    calls = tuple(
        replace(call, sigma_mid=1 + at, sigma_down=float("nan") if call.second_call else 0.5)
        for at, call in enumerate(run.lanes[0].calls)
    )
    payload = opened(replace(run, lanes=(replace(run.lanes[0], calls=calls), run.lanes[1])))
    levels, others = (lane["levels"] for lane in payload["result"]["lanes"])
    assert levels["sigma_mid"] == [1, None, 3, None, 5]
    assert levels["sigma_down"] == [0.5, None, 0.5, None, 0.5]
    assert "sigma_up" not in others


def test_a_stopped_run_has_the_plan_of_all_its_calls(run):
    settings = {**run.settings, "steps": 6}
    stopped = opened(replace(run, state="cancelled", settings=settings))
    assert [(lane["steps"], len(lane["calls"])) for lane in stopped["plan"]] == [(6, 11), (6, 11)]
    assert stopped["key"] == opened(replace(run, settings=settings))["key"] != ""


def test_a_finished_run_is_opened_without_diffusers():
    """Its plan are its calls: the tables of diffusers' samplers would import seconds of code."""
    script = """
import sys
from made_runs import made_run, made_settings
from explorer.records.shown import shown
from explorer.settings import LaneSettings
from explorer.views.opened import opened_payload
lanes = LaneSettings(sampler="euler"), LaneSettings(sampler="unipc")
payload = opened_payload(shown(made_run(made_settings(lanes=lanes))), lambda data, name: name)
assert [lane["steps"] for lane in payload["plan"]] == [3, 3] and payload["key"]
assert not {"torch", "diffusers"} & set(sys.modules)
"""
    paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    subprocess.run([sys.executable, "-c", script], env=os.environ | paths, check=True, timeout=60)


def test_a_start_picture_is_within_the_payload():
    run = shown(made_run(made_settings(init_image=start_picture())))
    assert opened(run)["settings"]["init_image"] == start_picture()


def test_a_model_that_is_not_offered_leaves_the_forms(run):
    named = replace(run, settings={**run.settings, "model": "other <b>"})
    payload = opened(named, "scenes")
    assert not payload["whole"]
    assert payload["notes"] == ["Model other <b> is not offered here."]
    assert "model" not in payload["settings"]
    assert opened(named)["settings"]["model"] == "other <b>"  # any model may be named here


def test_more_lanes_than_the_page_has_are_left_out():
    lanes = (LaneSettings(),) * 8
    payload = opened(shown(made_run(made_settings(lanes=lanes))))
    assert len(payload["settings"]["lanes"]["lanes"]) == 6
    assert payload["notes"] == ["The page has 6 lanes; the other 2 are left out."]
    assert len(payload["result"]["lanes"]) == 8


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 0},
        {"of_the_future": 1},
        {"lanes": [{"sampler": "of the future"}]},
        {"lanes": "none"},
        {"lanes": [3]},
        {"prompt": 3},
    ],
)
def test_settings_of_another_version_are_a_note_and_the_pictures_are_shown(run, settings):
    payload = opened(replace(run, settings={**run.settings, **settings}))
    assert payload["settings"] is None and not payload["whole"]
    assert payload["key"] == ""
    (note,) = payload["notes"]
    assert note.startswith("Its settings are not all settings of this version")
    assert [len(lane["calls"]) for lane in payload["plan"]] == [5, 5]
    assert payload["result"]["lanes"][0]["image"] == "kept/image.png"


def test_sheets_that_do_not_fit_the_calls_are_not_shown(run):
    lane = run.lanes[0]
    small = {view: replace(sheet, count=2) for view, sheet in lane.sheets.items()}
    other = lane.sheets | {"noisy": replace(lane.sheets["noisy"], columns=1)}
    for sheets in (small, other, {}):
        payload = opened(replace(run, lanes=(replace(lane, sheets=sheets),)))
        assert "denoised" not in payload["result"]["lanes"][0]
        assert payload["result"]["lanes"][0]["image"] == "kept/image.png"


def test_pictures_that_cannot_be_written_are_in_the_message(run):
    def full(data: bytes, name: str) -> str:
        raise OSError(28, "No space left on device")

    payload = opened_payload(run, full)
    assert payload["result"]["lanes"][0]["image"].startswith("data:image/png;base64,")
    assert "No space left on device" in payload["notes"][0]
    assert payload["whole"]
