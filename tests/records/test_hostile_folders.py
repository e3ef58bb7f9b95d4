"""Folders that are no runs, damaged, newer or hostile: a kind of error and a sentence each."""

import hashlib
import json
import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_runs import made_run, made_settings, start_picture
from safetensors import safe_open
from safetensors.numpy import save, save_file

from explorer.capture.trajectory import Trajectory
from explorer.records import RecordError, open_run
from explorer.records.errors import DamagedRun, ForeignRun, NewerRun, NotSaved, UnfinishedRun


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    run = made_run(made_settings(init_image=start_picture()))
    return run.save(tmp_path_factory.mktemp("saved") / "run")


@pytest.fixture
def run(saved, tmp_path) -> Path:
    """A run's folder, to be damaged."""
    return Path(shutil.copytree(saved, tmp_path / "run"))


def refused(path: Path, kind: type[RecordError]) -> str:
    """The sentence with which a folder is refused."""
    with pytest.raises(RecordError) as caught:
        open_run(path)
    assert type(caught.value) is kind, caught.value
    sentence = str(caught.value)
    assert re.fullmatch(r"\S.*[^.]\.", sentence), sentence
    assert str(path.parent) not in sentence
    return sentence


def manifest(run: Path) -> dict:
    return json.loads((run / "run.json").read_text("utf-8"))


def rewrite(run: Path, data) -> None:
    (run / "run.json").write_text(json.dumps(data), "utf-8")


def put(run: Path, name: str, data: bytes) -> None:
    """A file with contents of a stranger's, whose size and hash the manifest confirms."""
    (run / name).unlink()
    (run / name).write_bytes(data)
    entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    data_of_run = manifest(run)
    data_of_run["files"][name] = entry
    rewrite(run, data_of_run)


def test_what_is_no_run_is_foreign(tmp_path):
    assert "There is no run missing." in refused(tmp_path / "missing", ForeignRun)
    (tmp_path / "empty").mkdir()
    assert "empty is no run" in refused(tmp_path / "empty", ForeignRun)
    (tmp_path / "file").write_text("")
    assert "file is a file" in refused(tmp_path / "file", ForeignRun)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.json").write_text('{"format": "another program\'s", "version": 99}')
    assert "other is no run" in refused(tmp_path / "other", ForeignRun)


def test_what_was_not_written_to_its_end_says_so(run):
    (run / "run.json").unlink()
    assert "not written to its end" in refused(run, UnfinishedRun)
    part = run.rename(run.with_name(".run.0123.part"))
    for file in part.iterdir():
        file.unlink()
    assert "not written to its end" in refused(part, UnfinishedRun)


def test_a_newer_format_asks_for_an_update(run):
    rewrite(run, {"format": "sampler-explorer run", "version": 2, "surprise": []})
    assert "newer Sampler Explorer (format 2; this one reads up to 1)" in refused(run, NewerRun)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"a": NaN}',
        b'{"a": ' + b"1" * 5000 + b"}",
        b" " * (2**22 + 1),
    ],
)
def test_a_manifest_that_is_no_json_is_damage(run, text):
    (run / "run.json").write_bytes(text)
    assert "run.json is" in refused(run, DamagedRun)


@pytest.mark.parametrize("data", [b"[]", b"5", b"null", b'"run"'])
def test_json_that_is_no_manifest_is_damage(run, data):
    (run / "run.json").write_bytes(data)
    refused(run, DamagedRun)


def changes() -> list[tuple]:
    """(path of keys, value) of what a manifest may not say."""
    lane, frames = ("lanes", 0), ("lanes", 1, "frames", "noisy")
    names = ["../run.json", "/etc/passwd", "a/b.png", "..", "", "A.PNG", "x.pkl", "x.py", "a\0.png"]
    names += ["lane-a.png\n", "c:lane.png", ".png", "-.png", 5, ["lane-a.png"], "nul", "a" * 99]
    return [
        *((("settings",), name) for name in names),
        *(((*lane, "trajectory"), name) for name in names),
        *(((*lane, "picture"), name) for name in names),
        *(((*frames, "file"), name) for name in names),
        *((("files", name), {"bytes": 1, "sha256": "0" * 64}) for name in names[:8]),
        *(((key,), None) for key in ("id", "created", "state", "lanes", "files", "versions")),
        *(((key,), 5) for key in ("id", "created", "state", "message", "prompt", "model", "lanes")),
        (("id",), "../" + "0" * 29),
        (("version",), 0),
        (("version",), "1"),
        (("version",), True),
        (("created",), "2026-11-27T08:30:15"),
        (("created",), "yesterday"),
        (("created",), "0001-01-01T00:00:00+23:59"),
        (("state",), "running"),
        (("seed",), -1),
        (("seed",), 1.5),
        (("lanes",), []),
        (("lanes",), [[]]),
        (("lanes",), [{}] * 27),
        ((*lane, "calls"), 10**9),
        ((*lane, "frames"), []),
        ((*frames, "count"), 0),
        ((*frames, "columns"), 0),
        ((*frames, "width"), 2**30),
        ((*frames, "approximate"), "3"),
        (("files", "lane-a.png"), {"bytes": -1, "sha256": "0" * 64}),
        (("files", "lane-a.png"), {"bytes": 10**30, "sha256": "0" * 64}),
        (("files", "lane-a.png"), {"bytes": 1, "sha256": "zz"}),
        (("files",), {}),
        (("versions",), {"torch": 2}),
    ]


@pytest.mark.parametrize(("keys", "value"), changes())
def test_a_manifest_with_a_wrong_field_is_damage(run, keys, value):
    data = part = manifest(run)
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    rewrite(run, data)
    refused(run, DamagedRun)


@pytest.mark.parametrize("name", ["settings.json", "lane-a.safetensors", "lane-b-noisy.jpg"])
def test_a_file_that_is_missing_short_or_changed_is_damage(run, name):
    file, whole = run / name, (run / name).read_bytes()
    file.write_bytes(whole[:-1])
    assert f"{name} has another size" in refused(run, DamagedRun)
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert f"{name} is not as it was saved" in refused(run, DamagedRun)
    file.unlink()
    assert f"{name} is missing" in refused(run, DamagedRun)
    file.mkdir()
    assert name in refused(run, DamagedRun)


@pytest.mark.parametrize("name", ["run.json", "settings.json", "lane-a.safetensors", "lane-a.png"])
def test_links_are_not_followed(run, tmp_path, name):
    secret = tmp_path / "secret"
    (run / name).rename(secret)
    (run / name).symlink_to(secret)
    assert f"{name} is a link" in refused(run, DamagedRun)


def test_a_pipe_does_not_hold_up_the_reader(run):
    (run / "lane-a.png").unlink()
    os.mkfifo(run / "lane-a.png")
    refused(run, DamagedRun)


def test_a_pickle_is_never_loaded(run):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(run / "sprung"),)

    put(run, "lane-a.safetensors", pickle.dumps(Trap()))
    assert "lane-a.safetensors is broken" in refused(run, DamagedRun)
    assert not (run / "sprung").exists()


def test_arrays_that_are_no_recording_are_damage(run):
    save_file({"weight": np.zeros((4, 4), np.float32)}, run / "model.safetensors")
    put(run, "lane-b.safetensors", (run / "model.safetensors").read_bytes())
    assert "lane-b.safetensors is no trajectory" in refused(run, DamagedRun)


def test_a_header_that_promises_terabytes_is_damage(run):
    header = json.dumps({"final": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    put(run, "lane-a.safetensors", len(header).to_bytes(8, "little") + header.encode())
    refused(run, DamagedRun)


@pytest.mark.parametrize("data", [b"[1, 2]", b"{", b'{"a": Infinity}'])
def test_settings_that_are_no_object_are_damage(run, data):
    put(run, "settings.json", data)
    assert "its settings are no JSON object" in refused(run, DamagedRun)


def test_settings_of_another_version_open_and_are_refused_when_they_are_to_be_run(run):
    put(run, "settings.json", b'{"prompt": "a tent", "turbulence": 11}')
    opened = open_run(run)
    with pytest.raises(ValueError, match="turbulence"):
        _ = opened.run_settings


def test_more_fields_and_files_than_known_are_left_alone(run):
    (run / "notes.md").write_text("mine")
    rewrite(run, manifest(run) | {"mood": "calm"})
    assert len(open_run(run)) == 2


def rewrite_trajectory(run: Path, change) -> None:
    """Change what the file of lane A says of itself."""
    with safe_open(run / "lane-a.safetensors", framework="numpy") as file:
        metadata = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    values = json.loads(metadata["trajectory"])
    change(values)
    metadata["trajectory"] = json.dumps(values)
    put(run, "lane-a.safetensors", save(tensors, metadata=metadata))


@pytest.mark.parametrize(
    "change",
    [
        lambda lane: lane.update(lane=-9),
        lambda lane: lane["calls"][0].update(stage="\ud800"),
        lambda lane: lane["calls"][0].update(sigma=10**400),
        lambda lane: lane["calls"][0].update(sigma_next=10**400),
        lambda lane: lane["calls"][0].update(scales=[1, 10**400]),
        lambda lane: lane["settings"].update(prompt="x" * (2**24 + 2**23)),
    ],
    ids=["lane", "stage", "sigma", "level", "scale", "size"],
)
def test_a_recording_that_could_not_be_written_again_is_damage(run, change):
    rewrite_trajectory(run, change)
    assert "lane-a.safetensors is broken" in refused(run, DamagedRun)


def test_more_fields_of_a_recording_are_left_alone(run):
    def change(lane):
        lane["mood"] = "calm"
        lane["calls"][0]["weather"] = "fair"

    rewrite_trajectory(run, change)
    assert len(open_run(run)[0].calls) == 5


def test_settings_that_could_not_be_written_again_are_damage(run):
    put(run, "settings.json", b'{"cfg_scale": 1e999}')
    assert "its settings are no JSON object" in refused(run, DamagedRun)


def test_settings_of_gigabytes_are_not_read(run):
    put(run, "settings.json", b'{"prompt": "%s"}' % (b"x" * (2**24 + 2**23)))
    assert "its settings.json is too large" in refused(run, DamagedRun)


def test_lanes_do_not_share_a_file(run):
    """Twenty-six lanes of one large file would take its size in memory for each of them."""
    data = manifest(run)
    data["lanes"] = data["lanes"][:1] * 2
    rewrite(run, data)
    assert "'files' of its run.json" in refused(run, DamagedRun)


NO_NAMES = ["a\0b", "a\0b.zip", "\ud800", "\ud800.zip", "x" * 300, "x" * 300 + ".zip", "x" * 10**6]


@pytest.mark.parametrize("name", NO_NAMES, ids=lambda name: ascii(name[-9:]))
def test_a_name_that_no_file_has_is_a_short_sentence(tmp_path, name):
    assert len(refused(tmp_path / name, ForeignRun)) < 200
    with pytest.raises(NotSaved, match="choose") as caught:
        made_run().save(tmp_path / name)
    assert len(str(caught.value).encode()) < 300
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_run_is_not_saved_without_a_name(path):
    with pytest.raises(NotSaved, match="choose another"):
        made_run().save(path)


def test_a_file_that_goes_while_it_is_read_is_a_sentence_without_its_path(run, monkeypatch):
    def gone(path):
        raise FileNotFoundError(2, "No such file or directory", str(path))

    monkeypatch.setattr(Trajectory, "load", gone)
    assert "cannot be read (No such file" in refused(run, DamagedRun)


def test_a_picture_with_holes_of_gigabytes_is_not_read(run):
    os.truncate(run / "lane-a.png", 2**34)
    data = manifest(run)
    data["files"]["lane-a.png"]["bytes"] = 2**34
    rewrite(run, data)
    assert "lane-a.png is too large" in refused(run, DamagedRun)
