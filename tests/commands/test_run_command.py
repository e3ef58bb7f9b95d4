"""`sampler-explorer run` with an engine that has no model: settings, files, tables, sentences."""

import csv
import io
import json
import os
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from PIL import Image

from explorer import open_run
from explorer.cli import main
from explorer.commands import run
from explorer.commands.engine_options import engine_of
from explorer.commands.settings_options import settings_of
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.limits import LIMITS, Limits, set_limits
from explorer.settings.mending import RUN_FIELDS


class Program:
    """The command, run in this process in a folder of its own."""

    def __init__(self, capsys, engine: FakeEngine, folder: Path):
        self.engine, self.folder, self._capsys = engine, folder, capsys

    def __call__(self, *arguments: object, status: int = 0) -> str:
        """What it prints, or where it fails its complaint."""
        with pytest.raises(SystemExit) as caught:
            main(["run", "--out", str(self.folder / "out"), *map(str, arguments)])
        out, self.err = self._capsys.readouterr()
        assert (caught.value.code or 0) == status, self.err
        assert "Traceback" not in self.err
        return self.err if status == 2 else out

    def runs(self) -> list[Path]:
        return sorted(path for path in (self.folder / "out").iterdir() if path.is_dir())


@pytest.fixture
def program(capsys, tmp_path, monkeypatch) -> Program:
    engine = FakeEngine(pace=0)
    monkeypatch.setattr("explorer.commands.run.engine_of", lambda options: engine)
    monkeypatch.setattr("explorer.commands.run.silence_libraries", lambda: None)
    yield Program(capsys, engine, tmp_path)
    set_limits(Limits())


def test_a_run_is_a_folder_a_row_for_each_lane_and_a_table(program):
    text = program("--prompt", "a red boat", "--lane", "dpm2", "--lane", "dpm2_a:eta=0.5")
    (folder,) = program.runs()
    assert folder.name == "sampler-explorer-a-red-boat-7"
    kept = open_run(folder)
    assert kept.state == "done"
    assert kept.run_settings.prompt == "a red boat"
    assert [lane.sampler for lane in kept.run_settings.lanes] == ["dpm2", "dpm2_a"]
    assert kept.run_settings.lanes[1].eta == 0.5
    rows = list(csv.DictReader(io.StringIO((folder.parent / "runs.csv").read_text())))
    assert [row["lane"] for row in rows] == ["A", "B"]
    assert {row["run"] for row in rows} == {folder.name}
    assert rows[1]["text"] == "dpm2_a:eta=0.5"
    assert [int(row["calls"]) for row in rows] == [39, 39]
    for row in rows:
        Image.open(folder.parent / row["picture"]).load()
    head, first, second, told = text.splitlines()
    assert head.split() == [
        "lane",
        "sampler",
        "calls",
        "latent",
        "std",
        "rms",
        "to",
        "A",
        "picture",
    ]
    assert first.split()[:3] == ["A", "DPM2", "39"]
    assert second.endswith(str(folder / "lane-b.png"))
    assert told.startswith("78 model calls in ")
    assert told.endswith(f"on cpu, seed 7: {folder}")


def test_the_settings_are_those_of_the_flags(program):
    given = {
        "negative_prompt": "mud",
        "steps": 6,
        "cfg_scale": 4.5,
        "cfg_rescale": 0.25,
        "preview_decoder": "approx",
        "rng": "gpu",
        "width": 128,
        "height": 192,
        "batch_size": 2,
        "strength": 0.5,
        "refiner_switch_at": 0.7,
    }
    flags = [each for name in given for each in ("--" + name.replace("_", "-"), given[name])]
    program("--prompt", "a boat", *flags)
    wanted = RunSettings(prompt="a boat", **given)
    assert program.engine.settings == wanted
    others = {"prompt", "seed", "model", "refiner", "init_image"}
    assert {*given, *others} == set(RUN_FIELDS)


def test_a_start_picture_is_a_file(program, tmp_path):
    Image.new("RGB", (32, 32), "red").save(tmp_path / "red.png")
    program("--init-image", tmp_path / "red.png", "--steps", 4)
    assert program.engine.settings.init_image.startswith("data:image/png;base64,")
    error = program("--init-image", tmp_path / "none.png", status=2)
    assert error.startswith("init_image: Start picture: ")


def test_several_seeds_are_several_runs_and_folders_never_collide(program):
    program("--seed", 3, "--seed", 5, "--size", "64x128", "--steps", 3)
    program("--seed", 3, "--steps", 3)
    names = [path.name for path in program.runs()]
    assert names == ["sampler-explorer-3", "sampler-explorer-3-2", "sampler-explorer-5"]
    sizes = {
        (run.settings["width"], run.settings["height"]) for run in map(open_run, program.runs())
    }
    assert sizes == {(64, 128), (0, 0)}
    table = (program.folder / "out" / "runs.csv").read_text()
    assert len(table.splitlines()) == 1 + 3 * 2


def test_a_random_seed_is_drawn_and_kept(program):
    text = json.loads(program("--seed", -1, "--steps", 3, "--json"))
    assert text["seed"] >= 0
    (folder,) = program.runs()
    assert open_run(folder).seed == text["seed"]


def test_a_table_with_other_columns_stays_as_it_is(program):
    (program.folder / "out").mkdir()
    (program.folder / "out" / "runs.csv").write_text("mine\n")
    program("--steps", 3)
    assert (program.folder / "out" / "runs.csv").read_text() == "mine\n"
    assert (program.folder / "out" / "runs-2.csv").exists()


def test_json_is_a_line_for_each_run(program):
    lines = program("--seed", 1, "--seed", 2, "--steps", 4, "--json").splitlines()
    first, second = map(json.loads, lines)
    assert (first["seed"], second["seed"]) == (1, 2)
    assert first["calls"] == 14
    assert [lane["lane"] for lane in first["lanes"]] == ["A", "B"]
    assert Path(first["lanes"][0]["picture"]).is_file()
    assert open_run(first["folder"]).id == first["id"]


def test_settings_come_from_a_saved_run_and_flags_change_them(program):
    program("--prompt", "a castle", "--steps", 5, "--lane", "dpm2_a:schedule_type=karras")
    (folder,) = program.runs()
    for source in (folder, folder / "settings.json", folder / "run.json"):
        program("--settings", source, "--seed", 8)
        ran = program.engine.settings
        assert (ran.prompt, ran.steps, ran.seed) == ("a castle", 5, 8), source
        assert ran.lanes == (LaneSettings(sampler="dpm2_a", schedule_type="karras"),), source


def test_what_a_text_does_not_say_is_told(program, tmp_path):
    text = "a boat\nSteps: 4, Sampler: DPM2 a, Seed: 9, Hires upscaler: Latent"
    (tmp_path / "text.txt").write_text(text)
    program("--settings", tmp_path / "text.txt")
    assert program.engine.settings.seed == 9
    assert "text.txt: Not in it, so the default here: " in program.err
    assert "text.txt: Left out: Hires upscaler Latent" in program.err


def test_a_scheduler_s_file_is_a_lane(program, tmp_path):
    file = tmp_path / "scheduler_config.json"
    file.write_text('{"_class_name": "EulerDiscreteScheduler", "use_karras_sigmas": true}')
    program("--settings", file, "--steps", 3)
    assert [lane.label for lane in program.engine.settings.lanes] == ["Euler (diffusers) Karras"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--steps", "x"], "steps: Steps must be a whole number from 1 to 1000; got x.\n"),
        (["--size", "512"], "size: Size must be written 512x768; got '512'.\n"),
        (["--size", "100x64"], "width: Width must be 0 (the model's default) or a multiple of 8"),
        (["--size", "64x64", "--width", "64"], "size: Size says width and height: leave those"),
        (["--lane", "dpm2:etaa=1"], "etaa: There is no lane argument 'etaa'; did you mean eta"),
        (["--lane", "dpm2_a:eta=3"], "eta: Eta must be a number from 0 to 1; got 3.\n"),
        (["--lane", "dpm2"] * 17, "lanes: A run has at most 16 lanes; got 17.\n"),
        (["--seed", "4294967296"], "seed: Seed must be a whole number from -1 to"),
        (["--seed", "1", "--seed", "x"], "seed: Seed must be a whole number from -1 to"),
        (["--promt", "a"], "Unrecognized arguments: --promt a; did you mean --prompt? See --help."),
        (["a prompt"], "Unrecognized arguments: a prompt. See --help.\n"),
        (["--settings", "nowhere.json"], "settings: There is nothing at 'nowhere.json': give a"),
        (["--prompt", "a" * 2001], "prompt: Prompt may have at most 2,000 characters"),
        (["--prompt", "\ud83d"], "prompt: Prompt holds something that is no character, at place 1"),
        (["--out", "/dev/null/x"], "--out '/dev/null/x' lies under a file; name another folder."),
        (["--out", ""], "--out '' is no folder's name; name another folder."),
        (["--json", "--json=1"], "ignored explicit argument '1'. See --help.\n"),
        (["--workers", "2"], "--workers is for the page and mcp: `run` computes one run after"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_status_2(program, arguments, sentence):
    error = program(*arguments, status=2)
    assert sentence in error
    assert len(error.splitlines()) == 1
    assert program.engine.starts == []


def test_several_devices_are_for_servers():
    with pytest.raises(ValueError, match="--device names one device here: several are for the"):
        engine_of(Namespace(device="cuda:0,cuda:1"))


def test_a_limit_of_the_environment_holds(program, monkeypatch):
    monkeypatch.setenv("EXPLORER_STEPS", "30")
    error = program("--steps", 31, status=2)
    assert error == "steps: Steps may be at most 30 on this server; got 31.\n"
    assert LIMITS.steps == 30


def test_a_run_that_breaks_off_keeps_its_calls_and_is_status_1(program):
    text = program("--prompt", "[nan]", status=1)
    assert "DPM2 a gave NaN in step 4 at sigma 5.09." in program.err
    (folder,) = program.runs()
    assert open_run(folder).state == "error"
    assert "; error: " in text


def test_a_folder_that_cannot_be_written_costs_no_run(program, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("explorer.commands.run.folder_problem", lambda name: "")
    (tmp_path / "out").write_text("a file")
    program("--steps", 3, status=1)
    assert "was not saved" in program.err
    assert "It is in " in program.err
    folder = Path(program.err.split("It is in ")[1].split(" now.")[0])
    assert open_run(folder).state == "done"


def test_warnings_of_the_doctor_come_before_the_run(program):
    program("--steps", 3, "--lane", "dpm2:prediction_type=v_prediction")
    assert "error: " in program.err or "warning: " in program.err
    program("--steps", 3, "--lane", "dpm2:prediction_type=v_prediction", "--quiet")
    assert program.err == ""


def test_without_a_terminal_no_bar_is_drawn(program):
    program("--steps", 3)
    assert "it/s" not in program.err and "call" not in program.err


def test_a_bar_counts_the_calls_of_all_groups(program, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    program.engine.pace = 0.02
    program("--steps", 9, "--lane", "dpm2", "--lane", "euler")
    assert "Denoising" in terminal.getvalue()
    assert "/26" in terminal.getvalue()  # 17 calls and 9
    assert "Denoising: 100%" not in terminal.getvalue().split("\r")[1]


def test_the_names_of_the_environment_are_not_needed(program, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "somebody/a-space")  # a command is its user's own
    program("--steps", 300)
    assert open_run(program.runs()[0]).settings["steps"] == 300
    assert os.environ["SPACE_ID"]


@pytest.mark.parametrize(
    ("named", "name"),
    [
        ("stabilityai/stable-diffusion-xl-refiner-1.0", None),
        ("somebody/a-refiner", None),
        ("refiner", "refiner"),  # a folder's
    ],
)
def test_a_refiner_is_one_of_the_models(monkeypatch, tmp_path, named, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "refiner").mkdir()
    options = run._arguments().parse_args(["--refiner", named])
    engine = run._engine(options)
    assert options.refiner == (name or named)
    assert engine.catalog.find(options.refiner).source.endswith(named)
    assert engine.catalog.find().name == "bundled"
    del options.seed
    assert settings_of(options, engine).refiner == options.refiner
