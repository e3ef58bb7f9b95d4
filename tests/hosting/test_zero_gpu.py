"""ZeroGPU by a stand-in for the platform's package: forks, pickles, counts, and refuses."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from program import config_of, fetched, program, read_until, start_run

from explorer.hosting.zero_gpu import (
    NOT_TAKEN,
    SENTENCES,
    WORKER_ERROR,
    is_zero_gpu,
    reason,
    seconds_to_ask,
    zero_gpu_engine,
)
from explorer.settings.limits import Limits

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """That of a Space on ZeroGPU, with the stand-in on the path."""
    paths = map(str, (HERE / "fake_spaces", ROOT / "tests", ROOT))
    return os.environ | {
        "SPACES_ZERO_GPU": "true",
        "PYTHONPATH": os.pathsep.join(paths),
        "FAKE_SPACES_LOG": str(folder / "log"),
        "FAKE_SPACES_ERROR": str(folder / "error"),
        **more,
    }


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> dict:
    """What zero_gpu_scenarios.py has seen."""
    folder = tmp_path_factory.mktemp("zero")
    done = subprocess.run(
        [sys.executable, HERE / "zero_gpu_scenarios.py"],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def events(seen: dict, kind: str) -> list[dict]:
    return [each for each in seen["log"] if each["event"] == kind]


def test_the_package_comes_first_and_the_model_before_any_fork_in_the_main_thread(seen):
    assert seen["log"][0]["event"] == "imported"
    assert seen["log"][0]["thread"] == "MainThread"
    assert seen["loaded"] == {"resident": "bundled", "forked": 0}


def test_no_thread_of_the_pages_process_touches_cuda(seen):
    assert events(seen, "cuda in a thread") == []


def test_a_forked_run_is_the_run_that_one_process_makes(seen):
    for name in ("first", "second", "after a stop", "after a kill", "after the errors"):
        assert seen[name]["state"] == "done", name
        assert seen[name]["calls"] == [3, 3]
        assert seen[name]["pictures"] == seen["plain"], name


def test_each_run_is_forked_and_asks_for_its_own_estimate(seen):
    declared = [each["declared"] for each in events(seen, "forked")]
    assert declared[0] == 60  # nothing was known
    assert declared[1] == seconds_to_ask(seen["estimate"])
    assert declared[2] > declared[1]  # sixty steps
    assert {each["page"] for each in events(seen, "forked")} == {True}


def test_what_a_forked_process_has_measured_comes_back(seen):
    assert seen["estimate"] > 0


def test_stop_brings_back_what_was_computed(seen):
    assert seen["stopped"]["state"] == "cancelled"
    assert 3 <= min(seen["stopped"]["calls"]) < 119


def test_a_run_that_does_not_stop_in_time_is_ended_by_closing_the_generator(seen):
    assert seen["given up"]["state"] == "cancelled"
    assert seen["given up"]["closed"] == 1
    assert seen["given up"]["message"] == ""


def test_stop_acts_while_the_platform_has_no_gpu_yet(seen):
    stopped = seen["stopped in the queue"]
    assert (stopped["state"], stopped["message"], stopped["granted"]) == ("cancelled", "", 0)
    assert stopped["next"]["pictures"] == seen["plain"]
    assert stopped["closed"] == 1  # the GPU that came too late was given back


def test_a_killed_process_costs_its_run_only(seen):
    assert seen["killed"]["state"] == "error"
    assert "ended before the run did" in seen["killed"]["message"]
    assert seen["killed"]["worker_died"]


def test_no_lock_is_held_at_a_fork(seen):
    assert seen["busy"] == ["done"] * 3


def test_the_only_model_of_the_menu_is_the_one_that_is_loaded(seen):
    assert seen["menu"] == ["bundled"]
    assert len(seen["refused models"]) == 4
    assert "On ZeroGPU only Scenes (bundled) runs" in seen["refused models"][1]


def test_frames_in_full_size_take_nobodys_gpu_time(seen):
    assert seen["frames"] == 0


def test_every_error_of_the_platform_is_a_sentence(seen):
    for title, ended in seen["errors"].items():
        assert ended["state"] == "error"
        sentence = SENTENCES.get(title, NOT_TAKEN)
        assert ended["message"].startswith(sentence.split("{")[0]), title
        assert "<" not in ended["message"]
        assert ended["worker_died"] == (title == WORKER_ERROR)


def test_a_used_up_quota_says_what_is_left_and_what_to_do(seen):
    said = seen["quota"]["message"]
    # How much it asks for is by the pace of this machine, which other programs may slow down.
    assert re.search(r"this run asks for \d+ s, and 5 s are left", said)
    assert "Lower the steps" in said
    assert "sign in to Hugging Face" in said
    assert "try again in 3:25:01" in said


def test_the_platforms_processes_end_with_the_program(seen):
    has_ended, waiting, left = seen["closed"]
    assert has_ended
    assert waiting == 1  # for another run, and it heeds no SIGTERM
    assert left == 0


@pytest.mark.parametrize(
    ("estimate", "run_s", "asked"),
    [
        (None, 0, 60),
        (None, 20, 25),  # within the operator's limit, and what a fork takes
        (0.1, 0, 10),
        (10.0, 0, 20),
        (10.1, 0, 20),
        (20.0, 0, 35),
        (1000.0, 0, 300),
        (1000.0, 180, 185),
    ],
)
def test_the_seconds_that_are_asked_for(estimate, run_s, asked):
    assert seconds_to_ask(estimate, Limits(run_s=run_s)) == asked


def test_words_of_the_platform_are_not_passed_on():
    class Refused(Exception):
        title = "ZeroGPU quota exceeded"

    said = reason(Refused("Space app has reached its GPU limit. <a href='x'>Create</a>"), 60)
    assert "<a" not in said
    assert "this run asks for about" in said
    assert reason(RuntimeError("ZeroGPU API /schedule error: 500"), 60) == NOT_TAKEN


@pytest.mark.parametrize(
    "arguments",
    [{"models": ["a/b"]}, {"allow": ["a/b"]}, {"anything": True}, {"offload": "model"}],
)
def test_what_cannot_be_on_zero_gpu_is_a_sentence(arguments):
    with pytest.raises(ValueError, match=r"^On ZeroGPU"):
        zero_gpu_engine(arguments)


def test_a_space_on_zero_gpu_is_told_by_its_environment():
    assert is_zero_gpu({"SPACES_ZERO_GPU": "true"})
    assert not is_zero_gpu({"SPACES_ZERO_GPU": "false"})
    assert not is_zero_gpu({})


def test_the_program_serves_a_run_on_its_visitors_gpu_time(tmp_path, monkeypatch):
    """By the token of the visitor's own request, which the platform reads where it forks."""
    for name, value in environment(tmp_path, SYSTEM="spaces", SPACE_ID="a/b").items():
        monkeypatch.setenv(name, value)
    with program([sys.executable, "app.py"], tmp_path / "pictures") as (process, url):
        config_of(url)
        with start_run(url, steps=2, headers={"x-ip-token": "a visitor's"}) as stream:
            read_until(stream, "image/jpeg")
        assert b"<style>" in fetched(url)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
        assert "Traceback" not in process.stderr.read()
    log = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [each["token"] for each in log if each["event"] == "scheduled"] == ["a visitor's"]
    assert [each for each in log if each["event"] == "cuda in a thread"] == []
