"""A run as a .zip: all of it comes back, and a stranger's .zip gets a sentence."""

import errno
import hashlib
import io
import json
import os
import pickle
import stat
import struct
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from made_runs import made_run, made_settings, start_picture

import explorer
from explorer.records import History, open_run, zip_file
from explorer.records.errors import DamagedRun, ForeignRun, NewerRun, NotSaved, RecordError
from explorer.records.zip_file import read_zip, write_zip
from explorer.settings.limits import Limits, set_limits

RUN = made_run(made_settings(init_image=start_picture()), id="ab" * 16)
FOLDER = "run-abababab/"


def packed(run=RUN) -> bytes:
    file = io.BytesIO()
    write_zip(run, file)
    return file.getvalue()


WHOLE = packed()


@pytest.fixture
def limited():
    yield lambda **limits: set_limits(Limits(**limits))
    set_limits(Limits())


def files() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(WHOLE)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def made(entries, compression=zipfile.ZIP_DEFLATED) -> bytes:
    """A .zip of names, or ZipInfos, with their bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return file.getvalue()


def refused(data: bytes, kind: type[RecordError] = ForeignRun) -> str:
    with pytest.raises(RecordError) as caught:
        read_zip(io.BytesIO(data), "gift.zip")
    assert type(caught.value) is kind, caught.value
    assert str(caught.value).startswith("gift.zip ")
    assert str(caught.value).endswith(".")
    return str(caught.value)


# --- out and in ----------------------------------------------------------------------------------


def test_a_run_comes_back_from_its_zip(tmp_path):
    opened = explorer.open_run(RUN.save(tmp_path / "deeper" / "my run.zip"))
    assert (opened.id, opened.created, opened.run_settings) == (
        *(RUN.id, RUN.created, RUN.run_settings),
    )
    for ours, theirs in zip(RUN.lanes, opened.lanes, strict=True):
        np.testing.assert_array_equal(ours.trajectory.final, theirs.trajectory.final)
        assert theirs.picture == ours.picture
        assert theirs.sheets["noisy"].file == ours.sheets["noisy"].file
    assert os.listdir(tmp_path / "deeper") == ["my run.zip"]


def test_any_program_can_unpack_it():
    with zipfile.ZipFile(io.BytesIO(WHOLE)) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert {name.partition("/")[0] + "/" for name in names} == {FOLDER}
    assert FOLDER + "run.json" in names


def test_a_folder_that_somebody_packed_anew_is_read():
    junk = {"__MACOSX/._run.json": b"x", FOLDER + ".DS_Store": b"x", FOLDER + "marks.json": b"{}"}
    assert len(read_zip(io.BytesIO(made((files() | junk).items())))) == 2
    flat = {name.removeprefix(FOLDER): data for name, data in files().items()}
    assert len(read_zip(io.BytesIO(made(flat.items())))) == 2
    assert len(read_zip(io.BytesIO(made([(FOLDER, b""), *files().items()])))) == 2


def test_the_history_takes_a_zip_under_a_new_id(tmp_path):
    runs = History(tmp_path)
    ids = {runs.add_zip(io.BytesIO(WHOLE), "a gift").entry.id for _ in range(2)}
    assert len(ids) == 2
    assert RUN.id not in ids
    assert {entry.name for entry in runs} == {"a gift"}
    for id in ids:
        assert runs.open(id).id == id
    with pytest.raises(ForeignRun):
        runs.add_zip(io.BytesIO(b"PK"))
    assert len(runs) == 2


def test_what_is_there_already_is_not_replaced_and_a_full_disk_leaves_nothing(
    tmp_path, monkeypatch
):
    (tmp_path / "mine.zip").write_text("mine")
    with pytest.raises(NotSaved, match=r"^mine\.zip was not saved: .* another name\.$"):
        RUN.save(tmp_path / "mine.zip")
    assert (tmp_path / "mine.zip").read_text() == "mine"

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotSaved, match=r"^other\.zip was not saved: the disk is full"):
        RUN.save(tmp_path / "other.zip")
    assert os.listdir(tmp_path) == ["mine.zip"]


def test_a_run_that_is_too_large_for_a_zip_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    with pytest.raises(NotSaved, match=r"at most 4 GiB; save the run as a folder\.$"):
        RUN.save(tmp_path / "large.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_to_unpack_is_a_sentence(monkeypatch):
    def full(*arguments, **more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    assert "was not unpacked: the disk is full" in refused(WHOLE, NotSaved)


# --- strangers' ----------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\5\6", b"hello" * 100, b"\x89PNG" + bytes(99)])
def test_what_is_no_zip_is_foreign(data):
    assert "is no .zip, or not all of one" in refused(data)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_zip_that_was_cut_off_is_foreign(part):
    assert "not all of one" in refused(WHOLE[: int(part * len(WHOLE))])


def test_a_missing_file_and_a_folder_are_foreign(tmp_path):
    with pytest.raises(ForeignRun):
        explorer.open_run(tmp_path / "missing.zip")
    with pytest.raises(ForeignRun, match=r"^missing\.zip cannot be read"):
        read_zip(tmp_path / "missing.zip")
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(ForeignRun, match="is no run"):
        explorer.open_run(tmp_path / "folder.zip")


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_zip_is_a_sentence_or_the_run(seed):
    rng = np.random.default_rng(seed)
    data = bytearray(WHOLE)
    region = (len(data) - 1500, len(data)) if seed % 2 else (0, len(data))
    for at in rng.integers(*region, rng.integers(1, 6)):
        data[at] = rng.integers(256)
    try:
        assert len(read_zip(io.BytesIO(bytes(data)))) == 2
    except RecordError as error:
        assert str(error).endswith(".")


@pytest.mark.parametrize(
    "name",
    [
        "../run.json",
        "../../etc/passwd",
        "/etc/passwd",
        "/run.json",
        FOLDER + "../../evil.json",
        FOLDER + "deeper/lane-z.png",
        "..\\evil.png",
        "C:\\evil.png",
        "C:evil.png",
        FOLDER + "trap.pkl",
        FOLDER + "trap.py",
        FOLDER + "model.bin",
        FOLDER + "lane-a.safetensors.exe",
        FOLDER + "UPPER.PNG",
        FOLDER + ".hidden.png",
        FOLDER + "a\0.png",
    ],
)
def test_paths_and_kinds_that_no_run_has_are_refused(name, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    data = made([*files().items(), (info, b"x")])
    if "\0" in name:
        data = data.replace(b"a\0.png", b"a\0.png")
    assert "gift.zip holds" in refused(data)
    assert list(tmp_path.rglob("*")) == []


def test_a_file_that_the_run_does_not_name_is_refused():
    assert "holds extra.png, which is no file of its run" in refused(
        made([*files().items(), (FOLDER + "extra.png", b"x")])
    )


def test_a_pickle_in_a_files_place_is_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    data = pickle.dumps(Trap())
    entries = files()
    manifest = json.loads(entries[FOLDER + "run.json"])
    manifest["files"]["lane-a.safetensors"] = {
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    entries[FOLDER + "lane-a.safetensors"] = data
    entries[FOLDER + "run.json"] = json.dumps(manifest).encode()
    assert "lane-a.safetensors is broken" in refused(made(entries.items()), DamagedRun)
    assert list(tmp_path.iterdir()) == []


def test_what_runs_it_again_is_passed_over_and_nothing_like_it(tmp_path, monkeypatch):
    """Whatever stands in a stranger's script, it is not unpacked, let alone run."""
    monkeypatch.chdir(tmp_path)
    added = {
        name: data for name, data in files().items() if "reproduce" in name or "config" in name
    }
    assert {name.removeprefix(FOLDER) for name in added} == {
        *("reproduce.py", "lane-a-scheduler_config.json", "lane-b-scheduler_config.json"),
    }
    changed = {
        FOLDER + "reproduce.py": b"open('ran', 'w')",
        FOLDER + "lane-z-scheduler_config.json": b"\0",
    }
    assert len(read_zip(io.BytesIO(made((files() | changed).items())))) == 2
    assert os.listdir(tmp_path) == []
    for name in (
        "other.py",
        "reproduce.pyc",
        "../reproduce.py",
        "/reproduce.py",
        "a/b/reproduce.py",
    ):
        prefix = "" if name[0] in "./a" else FOLDER
        assert "is no file of a run" in refused(made((files() | {prefix + name: b"x"}).items()))
    link = zipfile.ZipInfo(FOLDER + "reproduce.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    without = {name: data for name, data in files().items() if not name.endswith(".py")}
    assert "a link or a device" in refused(made([*without.items(), (link, b"/etc/passwd")]))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_are_refused(kind):
    entries = files()
    info = zipfile.ZipInfo(FOLDER + "lane-a.png")
    info.external_attr = (kind | 0o777) << 16
    entries.pop(info.filename)
    assert "a link or a device" in refused(made([*entries.items(), (info, b"/etc/passwd")]))


def test_two_runs_no_run_and_a_file_twice_are_refused():
    assert "no run, or more than one" in refused(made([("readme.txt", b"hello")]))
    other = {name.replace(FOLDER, "other/"): data for name, data in files().items()}
    assert "twice" in refused(made([*files().items(), *other.items()]))
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = made([*files().items(), (FOLDER + "run.json", b"{}")])
    assert "holds run.json twice" in refused(twice)
    split = [
        (name.replace(FOLDER, f"{at}/"), data) for at, (name, data) in enumerate(files().items())
    ]
    assert "no run, or more than one" in refused(made(split))


def test_a_million_entries_are_refused_before_they_are_read():
    """By what the end of the file says, whether or not it is true."""
    for count, directory in ((0xFFFF, 2**31), (201, 100), (3, 2**18 + 1)):
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, directory, 0, 0)
        assert "more files than a run has" in refused(WHOLE[:-22] + end)
    many = made((f"{index:06}.png", b"") for index in range(201))
    assert "more files than a run has" in refused(many)
    end_64 = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    assert "more than 4 GiB" in refused(WHOLE[:-22] + end_64 + WHOLE[-22:])


def test_a_count_that_is_a_lie_does_not_help():
    many = made((f"{index:06}.png", b"") for index in range(3000))
    end = bytearray(many[-22:])
    end[8:12] = struct.pack("<2H", 3, 3)
    assert "more files than a run has" in refused(many[:-22] + bytes(end))


def test_bombs_are_refused_before_they_are_unpacked(limited, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    entries, zeros = files(), bytes(30 * 2**20)
    entries[FOLDER + "lane-a.png"] = zeros
    bomb = made(entries.items())
    assert len(bomb) < 200_000
    assert "lane-a.png has another size" in refused(bomb, DamagedRun)
    manifest = json.loads(entries[FOLDER + "run.json"])
    manifest["files"]["lane-a.png"]["bytes"] = len(zeros)
    entries[FOLDER + "run.json"] = json.dumps(manifest).encode()
    bomb = made(entries.items())
    assert "lane-a.png, which unpacks to far more than it should" in refused(bomb)
    monkeypatch.setattr(zip_file, "SMALL_BYTES", 2**20)
    assert "far more than a run of its size does" in refused(bomb)
    limited(imported_run_bytes=20 * 2**20)
    assert "unpacks to more than the 20.0 MiB" in refused(bomb)
    limited(imported_run_bytes=1000)
    assert "larger than the 1.0 KiB" in refused(WHOLE)
    assert list(tmp_path.rglob("*")) == []


def test_a_size_that_is_a_lie_is_counted(monkeypatch):
    entries = files()
    text = entries[FOLDER + "readme.txt"]
    entries[FOLDER + "readme.txt"] = text + bytes(5000)
    data = made(entries.items(), zipfile.ZIP_STORED)
    lie = data.replace(
        struct.pack("<2L", *[len(text) + 5000] * 2), struct.pack("<2L", *[len(text)] * 2)
    )
    assert lie != data
    assert "cannot be unpacked" in refused(lie, DamagedRun)


def test_a_manifest_of_gigabytes_is_refused():
    entries = files() | {FOLDER + "run.json": b" " * (2**22 + 1)}
    assert "run.json is too large" in refused(made(entries.items()), DamagedRun)


def test_a_newer_run_a_missing_file_and_a_changed_one_are_said():
    entries = files()
    manifest = json.loads(entries[FOLDER + "run.json"])
    newer = entries | {FOLDER + "run.json": json.dumps(manifest | {"version": 2}).encode()}
    assert "newer Sampler Explorer" in refused(made(newer.items()), NewerRun)
    without = {name: data for name, data in entries.items() if "lane-b.png" not in name}
    assert "lane-b.png is missing" in refused(made(without.items()), DamagedRun)
    picture = entries[FOLDER + "lane-b.png"]
    changed = entries | {FOLDER + "lane-b.png": picture[:-1] + b"\0"}
    assert "lane-b.png is not as it was saved" in refused(made(changed.items()), DamagedRun)


def test_passwords_and_other_methods_are_refused():
    data = bytearray(made(files().items()))
    at = data.find(b"PK\1\2")
    data[at + 8] |= 1
    assert "password" in refused(bytes(data))
    assert "packed by a method" in refused(made(files().items(), zipfile.ZIP_LZMA))


def test_a_run_of_many_lanes_fits():
    run = replace(RUN, lanes=RUN.lanes[:1] * 26)
    assert len(read_zip(io.BytesIO(packed(run)))) == 26


@pytest.mark.parametrize("year", [1, 1979, 2200, 9999])
def test_a_clock_that_is_centuries_wrong_does_not_hinder_a_zip(tmp_path, year):
    run = made_run(created=datetime(year, 6, 1, tzinfo=UTC))
    assert open_run(run.save(tmp_path / "run.zip")).created == run.created


def test_an_entry_without_a_name_is_refused():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("x", b"")
    nameless = data.getvalue().replace(b"x", b"\0")  # in the directory and before the file
    with pytest.raises(ForeignRun, match="which is no file of a run"):
        read_zip(io.BytesIO(nameless))
