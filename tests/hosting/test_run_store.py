"""What a server keeps of runs, where, and what it opens."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import made_run

from explorer.hosting.run_store import RunStore
from explorer.hosting.runs_folder import NO_HISTORY, RUNS_DIR, runs_folder
from explorer.records import RecordError
from explorer.records.run import new_run_id

ME, OTHER = "0123456789abcdef" * 2, "f" * 32


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def test_a_run_is_kept_for_its_owner_alone(tmp_path):
    store = RunStore(tmp_path)
    run = made_run()
    assert store.keep(run, ME) == ""
    assert store.open(run.id, ME).seed == run.seed
    assert store.shown(run.id, ME).seed == run.seed
    for owner in (OTHER, ""):
        for read in (store.open, store.shown):
            with pytest.raises(RecordError, match="no such run"):
                read(run.id, owner)


def test_without_a_folder_nothing_is_kept():
    store = RunStore()
    with pytest.raises(RecordError, match="has no history"):
        store.keep(made_run(), "")
    assert store.history("") is None
    with pytest.raises(RecordError, match="no such run"):
        store.open(new_run_id(), "")


def test_what_is_in_memory_is_opened_from_there(tmp_path):
    class Live:
        def recorded(self, id, owner):
            return run if (id, owner) == (run.id, ME) else None

    store, run = RunStore(tmp_path), made_run()
    store.registry = Live()
    assert store.open(run.id, ME) is run
    assert store.shown(run.id, ME).id == run.id
    with pytest.raises(RecordError):
        store.open(run.id, OTHER)


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_takes_nothing_is_a_sentence(tmp_path, monkeypatch, reason):
    def fail(*_):
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RecordError, match="The run was not saved: ") as raised:
        RunStore(tmp_path).keep(made_run(), "")
    assert str(tmp_path) not in str(raised.value)
    assert raised.value.kind == "not saved"


def test_a_folder_that_has_gone_is_made_again(tmp_path):
    store = RunStore(tmp_path / "runs")
    store.keep(made_run(), "")
    (tmp_path / "runs").rename(tmp_path / "gone")
    assert store.keep(replace(made_run(), id=new_run_id()), "") == ""
    (tmp_path / "runs").rename(tmp_path / "gone too")
    (tmp_path / "runs").write_text("")  # now a file is there
    with pytest.raises(RecordError):
        store.keep(made_run(), "")


# --- where -----------------------------------------------------------------------------------


def test_a_named_folder_is_made_and_used(tmp_path):
    folder = tmp_path / "a" / "runs"
    assert runs_folder(str(folder), False, {"SPACE_ID": "me/space"}) == folder
    assert folder.is_dir() and not list(folder.iterdir())
    assert runs_folder(None, False, {RUNS_DIR: str(folder)}) == folder
    assert runs_folder(str(folder), False, {NO_HISTORY: "1"}) == folder  # a flag counts more


def test_a_relative_folder_is_one_of_the_folder_at_the_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert runs_folder(".", False, {}) == tmp_path


def test_nothing_is_kept_where_nobody_wants_it(tmp_path):
    assert runs_folder(None, True, {}) is None
    assert runs_folder(None, False, {NO_HISTORY: "yes", RUNS_DIR: str(tmp_path)}) is None
    assert runs_folder(None, False, {"SPACE_ID": "me/space"}) is None


def test_the_users_data_folder_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert runs_folder(None, False, {}) == tmp_path / "sampler-explorer" / "runs"


def test_without_a_usable_default_the_program_starts(tmp_path, monkeypatch, caplog):
    (tmp_path / "sampler-explorer").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert runs_folder(None, False, {}) is None
    assert "Runs are not kept" in caplog.text


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("", "is no folder's name"),
        (" ", "is no folder's name"),
        ("a\0b", "is no folder's name"),
        ("~nobody-of-that-name/x", "is no folder's name"),
        ("FILE", "is a file"),
        ("FILE/x", "lies under a file"),
        ("/proc/x", "cannot be written to"),
        ("x" * 300, "cannot be written to (File name too long)"),
    ],
)
def test_a_folder_that_cannot_be_used_is_a_sentence(tmp_path, named, reason):
    (tmp_path / "file").write_text("")
    named = named.replace("FILE", str(tmp_path / "file"))
    with pytest.raises(ValueError, match="--runs-dir ") as raised:
        runs_folder(named, False, {})
    assert reason in str(raised.value)
    assert str(raised.value).endswith("; name another folder.")


def test_flags_that_contradict_each_other_are_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="exclude each other"):
        runs_folder(str(tmp_path), True, {})
    with pytest.raises(ValueError, match=f"{NO_HISTORY} must be 1 or 0; got 'maybe'"):
        runs_folder(None, False, {NO_HISTORY: "maybe"})


def test_a_folder_without_permission_is_a_sentence(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(ValueError, match=r"cannot be written to \(Permission denied\)"):
        runs_folder(str(tmp_path / "x"), False, {})
