"""A run as a folder: all of it comes back, others can read it, and it is whole or not there."""

import csv
import errno
import io
import json
import os
import subprocess
import sys
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from made_runs import CREATED, SHAPE, SIDE, made_run, made_settings, made_trajectory, start_picture
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from safetensors.numpy import load_file

import explorer
from explorer.capture.sheets import FrameSheet
from explorer.capture.trajectory import Trajectory
from explorer.records import RecordedLane, RecordedRun, open_run
from explorer.records.errors import NotSaved
from explorer.records.made_with import model_fingerprint
from explorer.settings import LaneSettings, RunSettings

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = Path(__file__).with_name("data") / "run_v1"


def assert_same(one: Trajectory, other: Trajectory) -> None:
    for spec in fields(Trajectory):
        if spec.name not in ("calls", "final", "images", "settings"):
            assert getattr(one, spec.name) == getattr(other, spec.name), spec.name
    assert RunSettings.from_dict(one.settings) == RunSettings.from_dict(other.settings)
    assert_array_equal(one.final, other.final)
    assert_array_equal(one.images, other.images)
    assert len(one.calls) == len(other.calls)
    for ours, theirs in zip(one.calls, other.calls, strict=True):
        assert (ours.index, ours.stage, ours.sigma) == (theirs.index, theirs.stage, theirs.sigma)
        assert (ours.sigma_mid, ours.sigma_next) == (theirs.sigma_mid, theirs.sigma_next)
        assert_array_equal(ours.latent, theirs.latent)
        assert_array_equal(ours.denoised, theirs.denoised)


def test_everything_comes_back(tmp_path):
    saved = made_run(message="Stopped.", model_fingerprint="ab" * 32)
    opened = explorer.open_run(saved.save(tmp_path / "my run"))
    assert opened.run_settings == saved.run_settings
    plain = ("id", "created", "state", "message", "seed", "model", "device", "model_fingerprint")
    for name in (*plain, "versions"):
        assert getattr(opened, name) == getattr(saved, name), name
    assert len(opened) == len(saved) == 2
    for ours, theirs in zip(saved.lanes, opened.lanes, strict=True):
        assert_same(ours.trajectory, theirs.trajectory)
        assert theirs.picture == ours.picture
        assert theirs.approximate == {"denoised": (), "noisy": (3,)}
        for view in ("denoised", "noisy"):
            assert_array_equal(theirs.sheets[view].frames(), ours.sheets[view].frames())


def test_a_run_is_the_sequence_of_its_trajectories():
    run = made_run()
    dpm2, dpm2_a = run
    assert (dpm2.label, dpm2_a.label) == ("DPM2", "DPM2 a Karras")
    assert run[1] is dpm2_a


def test_a_start_picture_is_kept_once_as_a_picture(tmp_path):
    settings = made_settings(init_image=start_picture(), strength=0.7)
    path = made_run(settings).save(tmp_path / "run")
    assert Image.open(path / "start_picture.png").size == (SIDE, SIDE)
    held = [name for name in os.listdir(path) if b"base64" in (path / name).read_bytes()]
    assert held == []
    opened = open_run(path)
    assert opened.run_settings == settings
    assert [each.settings["init_image"] for each in opened] == [settings.init_image] * 2


@pytest.mark.parametrize("url", ["data:image/png;base64,AB==", "DATA:image/png;base64,AAAA", "x"])
def test_a_start_picture_that_is_written_otherwise_is_kept_as_it_is(tmp_path, url):
    settings = made_settings().to_dict() | {"init_image": url}
    run = made_run()
    opened = open_run(replace(run, settings=settings).save(tmp_path / "run"))
    assert opened.settings["init_image"] == url


def test_a_run_that_was_stopped_before_its_end_comes_back(tmp_path):
    settings = made_settings()
    more = {"state": "cancelled", "error": "Stopped.", "final": None, "images": None}
    stopped = [made_trajectory(settings, 0, **more), Trajectory(lane=1, **more)]
    opened = open_run(RecordedRun.of(stopped).save(tmp_path / "run"))
    assert (opened.state, opened.message) == ("cancelled", "Stopped.")
    assert (opened[0].nfe, opened[1].nfe) == (5, 0)
    assert [lane.picture for lane in opened.lanes] == [None, None]
    assert not (tmp_path / "run" / "thumbnail.jpg").exists()


@pytest.mark.parametrize("count", [0, 27])
def test_a_run_has_lanes_that_letters_suffice_for(count):
    with pytest.raises(ValueError, match="lanes"):
        RecordedRun.of([Trajectory()] * count)


def test_a_reader_with_numpy_and_safetensors_needs_no_more(tmp_path):
    run = made_run()
    path = run.save(tmp_path / "run")
    manifest = json.loads((path / "run.json").read_text("utf-8"))
    lane = load_file(path / manifest["lanes"][1]["trajectory"])
    assert lane["latents"].shape == lane["denoised"].shape == (5, *SHAPE)
    assert_array_equal(lane["final"], run[1].final)
    assert_array_equal(np.asarray(Image.open(path / "lane-a.png"))[:, :SIDE], run[0].images[0])
    rows = list(csv.DictReader(io.StringIO((path / "steps.csv").read_text())))
    assert [row["lane"] for row in rows] == ["A"] * 5 + ["B"] * 5
    assert [float(row["sigma"]) for row in rows[:5]] == [call.sigma for call in run[0].calls]
    assert rows[0]["sigma_mid"] == ""
    assert json.loads((path / "settings.json").read_text("utf-8"))["seed"] == 7
    assert datetime.fromisoformat(manifest["created"]) == CREATED


def test_the_example_of_the_formats_page_runs(tmp_path, capsys, monkeypatch):
    text = (ROOT / "docs" / "run_format.md").read_text()
    block = text.split("```python\n")[1].split("```")[0]
    run = made_run()
    run.save(tmp_path / "my-run")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(block, "run_format.md", "exec"), names)
    assert_allclose(names["latents"], [call.latent for call in run[0].calls])
    assert_allclose(names["denoised"], [call.denoised for call in run[0].calls])


def test_the_formats_page_names_every_file_and_field(tmp_path):
    text = (ROOT / "docs" / "run_format.md").read_text()
    path = made_run(made_settings(init_image=start_picture())).save(tmp_path / "run")
    manifest = json.loads((path / "run.json").read_text())
    names = {*manifest, *manifest["lanes"][0], *manifest["lanes"][0]["frames"]["noisy"]}
    names |= {name.replace("lane-b", "lane-a") for name in os.listdir(path)}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def test_a_folder_of_version_1_is_opened():
    opened = open_run(SAMPLE)
    made = made_run(made_settings(init_image=start_picture(), strength=0.7))
    assert opened.run_settings == made.run_settings
    assert (opened.created, opened.model, opened.state) == (CREATED, "scenes", "done")
    for kept, ours in zip(opened.lanes, made.lanes, strict=True):
        assert_same(kept.trajectory, ours.trajectory)
        assert_allclose(
            kept.sheets["noisy"].frames().astype(int), ours.sheets["noisy"].frames(), atol=8
        )
        assert np.asarray(Image.open(io.BytesIO(kept.picture))).shape == (SIDE, 2 * SIDE, 3)
    lane = Trajectory.load(SAMPLE / "lane-b.safetensors")
    assert lane.settings["init_image"] == ""
    assert lane.nfe == 5


def test_the_sample_is_small():
    assert sum(file.stat().st_size for file in SAMPLE.iterdir()) < 100_000


def test_a_run_opens_without_torch(tmp_path):
    path = made_run().save(tmp_path / "run")
    script = f"""
import sys
sys.modules["torch"] = sys.modules["diffusers"] = sys.modules["gradio"] = None
import explorer
run = explorer.open_run({str(path)!r})
run.save({str(path) + " again"!r})
print(len(run), run[0].nfe, run.run_settings.seed)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "2 5 7\n", done.stderr


def test_importing_explorer_imports_no_room():
    script = "import explorer, sys; print([name for name in sys.modules if 'explorer.' in name])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
    with pytest.raises(AttributeError, match="no_such_door"):
        explorer.no_such_door  # noqa: B018


# --- whole or not there --------------------------------------------------------------------------


def test_what_is_there_already_is_not_replaced(tmp_path):
    made_run().save(tmp_path / "run")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    for name in ("run", "file", "link"):
        with pytest.raises(NotSaved, match=rf"^{name} was not saved: .*another name\.$"):
            made_run().save(tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full; free some space, the run is still there"),
        (errno.EROFS, "the disk is read-only; the run is still there"),
        (errno.EACCES, "nothing may be written there"),
        (errno.EIO, "Input/output error; the run is still there"),
    ],
)
@pytest.mark.parametrize(("call", "at"), [("mkdir", 0), ("fsync", 0), ("fsync", 7), ("rename", 0)])
def test_a_disk_that_fails_is_a_sentence_and_leaves_nothing(
    tmp_path, monkeypatch, code, words, call, at
):
    run, calls, real = made_run(), [], getattr(os, call)

    def fails(*arguments, **more):
        calls.append(arguments)
        if len(calls) > at:
            raise OSError(code, os.strerror(code))
        return real(*arguments, **more)

    monkeypatch.setattr(os, call, fails)
    with pytest.raises(NotSaved, match=rf"^kept was not saved: {words}.*\.$"):
        run.save(tmp_path / "kept")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    assert_same(open_run(run.save(tmp_path / "elsewhere"))[0], run[0])


def test_a_place_under_a_file_and_a_name_too_long_are_sentences(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotSaved, match="under a file"):
        made_run().save(tmp_path / "file" / "run")
    with pytest.raises(NotSaved, match="shorter one"):
        made_run().save(tmp_path / ("long" * 100))


@pytest.mark.parametrize("name", ["a/b/run", "a/b/run.zip"])
def test_new_folders_above_a_run_go_with_it(tmp_path, monkeypatch, name):
    def fail(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(NotSaved):
            made_run().save(tmp_path / name)
    assert [path.name for path in tmp_path.rglob("*")] == ["a"]
    assert made_run().save(tmp_path / name).exists()


def test_what_breaks_while_the_files_are_made_leaves_nothing(tmp_path):
    run = replace(made_run(), settings={"not": {"plain": object()}})
    with pytest.raises(TypeError):
        run.save(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_nobody_sees_the_folder_before_it_is_whole(tmp_path, monkeypatch):
    seen, fsync = [], os.fsync

    def look(handle: int) -> None:
        seen.append((tmp_path / "run").exists())
        fsync(handle)

    monkeypatch.setattr(os, "fsync", look)
    made_run().save(tmp_path / "run")
    assert len(seen) > 10
    assert seen == [False] * (len(seen) - 1) + [True]  # the last is that of the folder around it
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


# --- what a run was made with --------------------------------------------------------------------


def test_a_models_fingerprint_follows_its_contents_and_not_its_place(tmp_path):
    def model(name: str, weights: bytes) -> Path:
        (tmp_path / name / "unet").mkdir(parents=True)
        (tmp_path / name / "unet" / "model.safetensors").write_bytes(weights)
        (tmp_path / name / "model_index.json").write_text("{}")
        (tmp_path / name / "notes.md").write_text(name)
        return tmp_path / name

    weights = bytes(3 * 2**20)
    one, moved = model("one", weights), model("moved", weights)
    other = model("other", weights[:-1] + b"\1")
    assert model_fingerprint(one) == model_fingerprint(moved) != model_fingerprint(other)
    file = one / "unet" / "model.safetensors"
    assert len(model_fingerprint(file)) == 64
    file.rename(one / "model.safetensors")
    assert model_fingerprint(one) != model_fingerprint(moved)


def test_the_versions_are_those_that_are_installed():
    found = made_run().versions
    assert found["numpy"] == np.__version__
    assert found["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")


def test_the_largest_manifest_is_small_enough_to_be_read(tmp_path):
    """Sixteen lanes of a thousand steps with long lists, all of whose frames are approximate."""
    numbers = tuple(14.6 - index / 73.13 for index in range(1000))
    lane = LaneSettings(sigmas=numbers, trained_betas=tuple(each / 1000 for each in numbers[::-1]))
    settings = RunSettings(steps=1000, lanes=(lane,) * 16).to_dict()
    sheet = FrameSheet(file=b"a sheet", count=2000, columns=40, width=8, height=8)
    calls = tuple(range(2000))
    lanes = tuple(
        RecordedLane(
            trajectory=Trajectory(settings=settings, lane=index),
            sheets={"denoised": sheet, "noisy": sheet},
            approximate={"denoised": calls, "noisy": calls},
        )
        for index in range(16)
    )
    path = RecordedRun(settings=settings, lanes=lanes).save(tmp_path / "run")
    assert (path / "run.json").stat().st_size > 2**20
    assert len(open_run(path)) == 16
