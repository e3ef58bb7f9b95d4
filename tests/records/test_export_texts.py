"""What is copied of a run, and what its files are called."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from made_runs import made_run, made_settings, start_picture

from explorer.records.exports.names import file_name
from explorer.records.exports.texts import settings_json, sigma_list
from explorer.records.interchange.read_settings import read_settings
from explorer.settings import LaneSettings


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("A red Boat, (evening:1.2)", "a-red-boat-evening-1-2-"),
        ("one two three four five six seven", "one-two-three-four-five-six-"),
        ("Évening à la côte", "evening-a-la-cote-"),
        ("赤い船", ""),
        ("", ""),
        ("../../etc/passwd\r\nX-Evil: 1", "etc-passwd-x-evil-1-"),
        ('"; filename="x.exe', "filename-x-exe-"),
        ("supercalifragilisticexpialidocious" * 9, ""),
        ("CON nul", "con-nul-"),
    ],
)
def test_a_file_is_called_by_the_prompts_words_and_the_seed(prompt, words):
    run = made_run(made_settings(prompt=prompt))
    assert file_name(run, ".zip") == f"sampler-explorer-{words}7.zip"
    assert file_name(run, ".png", 1) == f"sampler-explorer-{words}7-b.png"


def test_the_json_is_read_again_where_it_is_dropped():
    run = made_run(made_settings(init_image=start_picture(), strength=0.5))
    text = settings_json(run)
    read = read_settings(text)
    assert read.settings == replace(run.run_settings, init_image="")
    assert not read.unmapped
    assert read.notes  # that the start picture is not in it
    digest = hashlib.sha256(start_picture().encode()).hexdigest()
    assert json.loads(text)["start_picture_sha256"] == digest


# --- sigmas for ComfyUI --------------------------------------------------------------------------


def sigmas(steps=10, **lane) -> list[float]:
    run = made_run(made_settings(steps=steps, lanes=(LaneSettings(**lane),)))
    return [float(each) for each in sigma_list(run, 0).split(", ")]


def test_the_sigmas_are_those_of_the_schedule_and_end_in_zero():
    a1111 = [14.615, 8.307, 5.092, 3.325, 2.280, 1.616, 1.163, 0.832, 0.571, 0.344, 0]
    made = sigmas(
        discard_penultimate_sigma=True, round_timesteps="off", interpolation_type="log_linear"
    )
    np.testing.assert_allclose(made, a1111, atol=6e-4)
    assert sigmas(sigmas=(9.0, 3.0, 1.0)) == [9, 3, 1, 0]
    assert sigmas(sampler="euler", sigmas=(9.0, 3.0, 1.0)) == pytest.approx([9, 3, 1, 0])
    assert len(sigmas(sampler="ddim")) == 11
    assert sigmas(s_churn=10) == sigmas()  # the levels between the steps, not what churn adds


def test_from_a_picture_they_begin_where_the_run_did():
    settings = made_settings(steps=10, init_image=start_picture(), strength=0.4)
    made = sigma_list(made_run(settings), 0).split(", ")
    assert len(made) == 5
    assert made == sigma_list(made_run(replace(settings, init_image="")), 0).split(", ")[6:]


def test_settings_of_another_version_give_the_recorded_ones():
    run = made_run()
    run = replace(run, settings={"of tomorrow": 1})
    calls = [call for call in run[0].calls if call.stage == "step"]
    wanted = [*(call.sigma for call in calls), calls[-1].sigma_next]
    made = [float(each) for each in sigma_list(run, 0).split(", ")]
    np.testing.assert_allclose(made, wanted, rtol=1e-6)
