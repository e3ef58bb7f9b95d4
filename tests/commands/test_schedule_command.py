"""`sampler-explorer schedule`: tables, CSV, JSON and lists of what a lane will do."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from explorer.cli import main
from explorer.settings import LaneSettings, RunSettings
from explorer.views.calls_table import calls_table
from explorer.views.schedule_texts import sigmas_of

ROOT = Path(__file__).resolve().parents[2]
# What the bundled model's lanes have, and nothing else has.
OURS = {"steps_offset": 1}


def output(capsys, *arguments: str, status: int = 0, command: str = "schedule") -> str:
    """What a command prints, on the standard output or, where it fails, for errors."""
    with pytest.raises(SystemExit) as caught:
        main([command, *arguments])
    out, err = capsys.readouterr()
    assert (caught.value.code or 0) == status, err
    if status:
        assert not out
        assert "Traceback" not in err
        return err
    return out


def test_a_table_has_a_row_for_each_call(capsys):
    text = output(capsys, "dpm2_a:schedule_type=karras", "euler", "--steps", "5")
    first, second = text.split("\n\n")
    assert first.startswith("A  DPM2 a Karras: 9 model calls, ends at sigma 0\n")
    assert second.startswith("B  Euler (diffusers): 5 model calls, ends at sigma 0\n")
    head, *rows = first.splitlines()[1:]
    assert head.split()[:5] == ["call", "step", "stage", "sigma", "timestep"]
    assert [row.split()[:3] for row in rows[:2]] == [["1", "1", "step"], ["2", "1", "midpoint"]]
    assert rows[0].split()[3] == "14.615"
    assert len(rows) == 9


def test_csv_has_the_numbers_themselves(capsys):
    text = output(capsys, "dpm2", "heun", "--steps", "4", "--csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    lanes = LaneSettings(**OURS), LaneSettings(sampler="heun", **OURS)
    for letter, lane in zip("AB", lanes, strict=True):
        sigma = [float(row["sigma"]) for row in rows if row["lane"] == letter]
        np.testing.assert_array_equal(sigma, lane.calls(4).sigma)
    assert {row["stage"] for row in rows if row["lane"] == "A"} == {"step", "midpoint"}
    assert {row["stage"] for row in rows if row["lane"] == "B"} == {"step", "correction"}


def test_json_is_the_page_s_table(capsys):
    text = output(capsys, "dpm2:s_churn=2", "--steps", "4", "--json")
    lane = LaneSettings(s_churn=2.0, **OURS)
    assert json.loads(text) == calls_table(RunSettings(steps=4, lanes=(lane,)))


@pytest.mark.parametrize("more", [[], ["--as-a1111"]])
def test_sigmas_are_a_list_that_the_same_command_reads(capsys, more):
    text = output(capsys, "dpm2_a:schedule_type=karras", "--steps", "6", "--sigmas", *more)
    lane = LaneSettings(sampler="dpm2_a", schedule_type="karras", **OURS)
    wanted = sigmas_of(lane.as_a1111() if more else lane, 6)
    numbers = [float(each) for each in text.split(",")]
    np.testing.assert_allclose(numbers, wanted, rtol=1e-5)
    again = output(capsys, f"dpm2_a:sigmas={text.strip()}", "--sigmas")
    assert again == text


def model_folder(folder: Path, **scheduler) -> Path:
    """A model's folder with configurations only, of which its schedule is known."""
    parts = {
        "unet": ("diffusers", "UNet2DConditionModel"),
        "vae": ("diffusers", "AutoencoderKL"),
        "text_encoder": ("transformers", "CLIPTextModel"),
        "tokenizer": ("transformers", "CLIPTokenizer"),
        "scheduler": ("diffusers", "DDIMScheduler"),
    }
    files = {
        "model_index.json": {"_class_name": "StableDiffusionPipeline", **parts},
        "unet/config.json": {"cross_attention_dim": 768, "in_channels": 4, "sample_size": 64},
        "vae/config.json": {"latent_channels": 4, "block_out_channels": [64, 64, 64, 64]},
        "scheduler/scheduler_config.json": {"_class_name": "DDIMScheduler", **scheduler},
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(data))
    return folder


def test_the_lane_s_defaults_are_the_model_s(capsys, tmp_path):
    model = model_folder(tmp_path / "model", beta_schedule="scaled_linear", beta_end=0.02)
    text = output(capsys, "dpm2", "--steps", "3", "--sigmas", "--model", str(model))
    theirs = {"beta_start": 0.0001, "beta_end": 0.02, "timestep_spacing": "leading"}
    lane = LaneSettings(beta_schedule="scaled_linear", **theirs)
    np.testing.assert_allclose(
        [float(each) for each in text.split(",")], sigmas_of(lane, 3), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("scheduler", "sentence"),
    [
        ({"beta_end": 2.0}, "model will not do: Beta end must be a number above 0 and below 1;"),
        ({"steps_offset": -3}, "model will not do: Steps offset must be a whole number from 0"),
        ({"beta_start": "x"}, 'model will not do: beta_start must be a number; got "x".'),
        ({"beta_schedule": "sigmoid"}, 'beta_schedule "sigmoid" is not known here; known are'),
        ({"_class_name": "EDMEulerScheduler"}, "is made for models trained with EDM's"),
    ],
)
@pytest.mark.parametrize("command", ["schedule", "doctor"])
def test_a_model_without_a_schedule_is_refused_with_its_reason(
    capsys, tmp_path, command, scheduler, sentence
):
    """Its lanes would else have Stable Diffusion's defaults."""
    model = model_folder(tmp_path / "model", **scheduler)
    source = "dpm2" if command == "schedule" else str(ROOT / "assets" / "scenes")
    error = output(capsys, source, "--model", str(model), status=2, command=command)
    assert error.startswith(f"--model {model}: ")
    assert sentence in error
    (model / "unet" / "config.json").unlink()
    error = output(capsys, source, "--model", str(model), status=2, command=command)
    assert "unet/config.json" in error


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dpm2_a:eta=2"], "eta: Eta must be a number from 0 to 1; got 2.\n"),
        (["dpm2", "dpm2_a:eta=2"], "eta: Lane dpm2_a: Eta must be a number from 0 to 1; got 2.\n"),
        (["dpm2", "--steps", "x"], "steps: Steps must be a whole number from 1 to 1000; got x.\n"),
        (["dpm2", "--stepz", "3"], "arguments: --stepz 3; did you mean --steps? See --help.\n"),
        (["dpm2", "--csv", "--json"], "not allowed with argument --csv. See --help.\n"),
        (["dpm2"] * 17, "lanes: A run has at most 16 lanes; got 17.\n"),
        (
            ["dpm2", "dpm2:schedule_type=karras,sigma_min=20"],
            "lanes: Lane B: ",
        ),
        ([], "required: LANE. See --help.\n"),
        (["dpm2", "--model", "/nowhere/model"], "there is nothing at this path"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_status_2(capsys, arguments, sentence):
    error = output(capsys, *arguments, status=2)
    assert sentence in error
    assert len(error.splitlines()) == 1


LIBRARIES = ("torch", "gradio", "diffusers", "transformers")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["schedule", "dpm2_a"], 0),
        (["doctor", "assets/scenes"], 0),
        (["run", "--steps", "x"], 2),
        (["mcp", "--runs-dir", "/dev/null/runs"], 2),
    ],
)
def test_commands_start_without_what_they_do_not_need(arguments, status):
    code = (
        f"import sys; sys.argv[1:] = {arguments!r}\n"
        "from explorer.cli import main\n"
        "try: main()\n"
        f"finally: print([name for name in {LIBRARIES} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_goes_ends_it_quietly():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "explorer.cli", "schedule", "dpm2", "--steps", "900"]
    try:
        done = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, "")
