"""A run as it is shown: the same from memory and from its folder, and nothing of a damaged one."""

import csv
import hashlib
import io
import json
from dataclasses import fields
from pathlib import Path

import pytest
from made_runs import made_run, made_settings, start_picture

from explorer.records import History
from explorer.records.errors import DamagedRun
from explorer.records.shown import ShownLane, ShownRun, open_shown, shown
from explorer.settings import RunSettings


@pytest.fixture(scope="module")
def run():
    return made_run(made_settings(init_image=start_picture()))


@pytest.fixture
def folder(run, tmp_path) -> Path:
    return run.save(tmp_path / "run")


def rewrite(folder: Path, name: str, data: bytes) -> None:
    """Change a file, and what the manifest says of it."""
    manifest = json.loads((folder / "run.json").read_text())
    entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest["files"][name] = entry
    (folder / name).write_bytes(data)
    (folder / "run.json").write_text(json.dumps(manifest))


def test_memory_and_folder_show_the_same(run, folder):
    one, other = shown(run), open_shown(folder)
    for spec in fields(ShownRun):
        if spec.name not in ("lanes", "settings"):
            assert getattr(one, spec.name) == getattr(other, spec.name), spec.name
    assert RunSettings.from_dict(one.settings) == RunSettings.from_dict(other.settings)
    for ours, theirs in zip(one.lanes, other.lanes, strict=True):
        for spec in fields(ShownLane):
            if spec.name not in ("sheets", "approximate"):
                assert getattr(ours, spec.name) == getattr(theirs, spec.name), spec.name
        assert ours.approximate["noisy"] == theirs.approximate["noisy"] == (3,)
        assert ours.sheets.keys() == theirs.sheets.keys() == {"denoised", "noisy"}
        for view, sheet in ours.sheets.items():
            assert vars(sheet) == vars(theirs.sheets[view])
    assert [call.second_call for call in other.lanes[0].calls] == [False, True, False, True, False]


def test_no_recording_is_read(folder):
    for path in folder.glob("*.safetensors"):
        path.unlink()
    assert len(open_shown(folder).lanes) == 2


def changed(folder: Path, change) -> bytes:
    rows = list(csv.reader(io.StringIO((folder / "steps.csv").read_text())))
    change(rows)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.pop(),
        lambda rows: rows.append(rows[-1]),
        lambda rows: rows[1].__setitem__(0, "Z"),
        lambda rows: rows[1].__setitem__(2, "one"),
        lambda rows: rows[1].__setitem__(4, "nan"),
        lambda rows: rows[1].__setitem__(5, "inf"),
        lambda rows: rows[1].__setitem__(4, ""),
        lambda rows: rows[0].__setitem__(4, "noise"),
        lambda rows: rows.clear(),
    ],
)
def test_a_table_that_is_not_that_of_the_lanes_is_a_sentence(folder, change):
    rewrite(folder, "steps.csv", changed(folder, change))
    with pytest.raises(DamagedRun, match=r"^run is damaged: .*steps\.csv.*\.$"):
        open_shown(folder)


@pytest.mark.parametrize("data", [b"\xff\xfe\0", b'"', b"lane\n" * 100])
def test_a_table_that_is_none_is_a_sentence(folder, data):
    rewrite(folder, "steps.csv", data)
    with pytest.raises(DamagedRun, match=r"^run is damaged: .*steps\.csv"):
        open_shown(folder)


def test_a_run_without_a_table_is_a_sentence(folder):
    manifest = json.loads((folder / "run.json").read_text())
    del manifest["files"]["steps.csv"]
    (folder / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedRun, match=r"it has no steps\.csv"):
        open_shown(folder)


def test_a_copy_is_shown_by_the_id_that_it_has_in_the_history(run, tmp_path):
    history = History(tmp_path / "runs")
    id = history.add(run).entry.id
    (history.folder / id).rename(history.folder / "a copy")
    assert history.shown("a copy").id == "a copy"
