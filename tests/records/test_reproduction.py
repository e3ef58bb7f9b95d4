"""reproduce.py denoises a run again in a clean process, and the latents are those it recorded."""

import json
import os
import re
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from forked import ran
from made_runs import made_run, start_picture

from explorer.engine import Engine
from explorer.records import RecordedRun, open_run
from explorer.records.exports.archive import added_files
from explorer.settings import LaneSettings, RunSettings

ROOT = Path(__file__).resolve().parents[2]
RUN = RunSettings(prompt="a red boat", negative_prompt="night", seed=7, steps=6, cfg_scale=4)
KNOBS = (
    LaneSettings(s_churn=4, s_noise=1.02, schedule_type="karras", midpoint_ratio=0.6),
    LaneSettings(sampler="dpm2_a", eta=0.6, discard_penultimate_sigma=True, rho=5),
    LaneSettings(sampler="dpm2_a", sigmas=(14.0, 6.0, 2.5, 1.0, 0.4, 0.1)),
    LaneSettings(sampler="dpm2", schedule_type="beta", alpha=0.5, beta=0.7),
    LaneSettings(sampler="dpmpp_sde"),
    LaneSettings(sampler="euler_a"),
)
RUNS = {
    "two lanes": RUN,
    "knobs, a batch": replace(RUN, lanes=KNOBS, batch_size=2, cfg_rescale=0.5),
    "from a picture": replace(RUN, lanes=KNOBS, init_image=start_picture(), strength=0.6),
    "no guidance": replace(RUN, cfg_scale=1, batch_size=2, init_image=start_picture()),
}
ROUNDING = 1e-5  # of the largest number; float32, and lanes that shared a batch


@pytest.fixture(scope="module")
def engine(family_folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("explorer.runtime.traced._trace", lambda module, inputs: None)
        yield Engine(family_folder("sd1"), "cpu")


def unpacked(run: RecordedRun, folder: Path) -> Path:
    """Where the run's .zip has been unpacked to."""
    with zipfile.ZipFile(run.save(folder / "run.zip")) as archive:
        archive.extractall(folder)
        return folder / archive.namelist()[0].partition("/")[0]


def reproduced(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    environment["CUDA_VISIBLE_DEVICES"] = ""
    return ran(folder / "reproduce.py", *arguments, cwd=folder, environment=environment)


@pytest.mark.parametrize("name", RUNS)
def test_the_last_latents_are_the_runs(engine, family_folder, tmp_path, name):
    run = RecordedRun.of(engine.run(RUNS[name]))
    done = reproduced(unpacked(run, tmp_path), "--model", str(family_folder("sd1")))
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("Lane ")]
    assert len(lines) == len(run)
    for line in lines:
        assert "to the bit" in line or float(line.split()[-1].rstrip(".")) < ROUNDING, line


def test_a_refiner_takes_over_at_the_same_call(family_folder, tmp_path, untraced):
    folders = {key: family_folder(key) for key in ("sdxl", "sdxl-refiner")}
    engine = Engine(folders["sdxl"], "cpu", models=[folders["sdxl-refiner"]])
    lanes = (LaneSettings(), LaneSettings(sampler="dpm2_a", eta=0.7))
    run = engine.run(replace(RUN, lanes=lanes, refiner="sdxl-refiner", refiner_switch_at=0.5))
    paths = "--model", str(folders["sdxl"]), "--refiner", str(folders["sdxl-refiner"])
    done = reproduced(unpacked(RecordedRun.of(run), tmp_path), *paths)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.count("the same") == 2


def test_the_bundled_model_is_found_by_its_name(tmp_path, untraced):
    settings = replace(RUN, steps=4, init_image=start_picture(), batch_size=2)
    run = RecordedRun.of(Engine(device="cpu").run(settings))
    done = reproduced(unpacked(run, tmp_path), "--device", "cpu")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.count("the same") == 2


def test_another_run_is_told_from_this_one(engine, family_folder, tmp_path):
    trajectories = engine.run(replace(RUN, lanes=RUN.lanes[:1]))
    run = RecordedRun.of([replace(trajectories[0], final=trajectories[0].final * 1.01)])
    run = replace(run, model_fingerprint="0" * 64, versions={"diffusers": "0.1"})
    done = reproduced(unpacked(run, tmp_path), "--model", str(family_folder("sd1")))
    assert done.returncode == 1
    assert "Lane A, DPM2: another picture; the largest difference is " in done.stdout
    assert re.search(r"^Note: diffusers is [\d.]+, and was 0\.1\.$", done.stdout, re.MULTILINE)
    assert "the files of the model sd1 are not those of the run" in done.stdout


def test_a_model_that_is_not_here_is_a_sentence(tmp_path):
    done = reproduced(unpacked(made_run(model="nowhere"), tmp_path))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "nowhere" in done.stderr.splitlines()[-1]


# --- what is in the .zip --------------------------------------------------------------------------


def test_each_lane_has_its_configuration():
    added = dict(added_files(made_run()))
    assert list(added) == [
        "reproduce.py",
        "lane-a-scheduler_config.json",
        "lane-b-scheduler_config.json",
    ]
    config = json.loads(added["lane-b-scheduler_config.json"])
    assert config["_class_name"] == "KDPM2AncestralDiscreteScheduler"
    assert config["eta"] == 0.8


def test_settings_of_another_version_leave_the_configurations_out(tmp_path):
    run = made_run()
    run = replace(run, settings={**run.settings, "of tomorrow": 1})
    assert [name for name, _ in added_files(run)] == ["reproduce.py"]
    assert open_run(run.save(tmp_path / "run.zip")).settings["of tomorrow"] == 1
