"""The history: what is in it, in what order, how much, and for whom."""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from made_runs import made_run, made_settings

import explorer
from explorer.records import History, RecordedRun, history_folder
from explorer.records.errors import DamagedRun, ForeignRun, NotSaved
from explorer.records.folder import RunFolder
from explorer.records.history_folder import new_owner_id
from explorer.records.history_listing import Listing
from explorer.records.run import new_run_id
from explorer.settings.limits import Limits, set_limits

ROOT = Path(__file__).resolve().parents[2]
MADE = made_run()


def fresh(**changes) -> RecordedRun:
    """A run like the others, with an id of its own."""
    return replace(MADE, id=new_run_id(), **changes)


def prompted(prompt: str) -> RecordedRun:
    return made_run(made_settings(prompt=prompt))


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch) -> None:
    """Whether files reach the disk is tested in test_run_folder.py; here it would take seconds."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def limited():
    """A function that sets this process's limits until the test is over."""
    yield lambda **limits: set_limits(Limits(**limits))
    set_limits(Limits())


@pytest.fixture
def runs(tmp_path) -> History:
    return History(tmp_path / "runs")


@pytest.fixture
def size(tmp_path) -> int:
    """What a run takes, in bytes."""
    return History(tmp_path / "measured").add(fresh()).entry.bytes


def ids(runs: History) -> list[str]:
    return [entry.id for entry in runs]


# --- in and out ----------------------------------------------------------------------------------


def test_a_run_is_kept_listed_and_opened(runs):
    assert list(runs) == []
    added = runs.add(MADE, name="  low   sun ")
    (entry,) = History(runs.root)
    assert added.entry == entry
    assert (added.removed, added.message) == ((), "")
    assert (entry.id, entry.name, entry.starred) == (MADE.id, "low sun", False)
    assert (entry.created, entry.seed, entry.model, entry.state) == (
        *(MADE.created, 7, "scenes", "done"),
    )
    assert entry.labels == ("DPM2", "DPM2 a Karras")
    assert entry.parameters[1].startswith("Steps: 3, Sampler: DPM2 a, Schedule type: Karras")
    assert (entry.kind, entry.problem) == ("", "")
    assert runs.total_bytes == entry.bytes > 10_000
    assert runs.open(entry.id).run_settings == MADE.run_settings
    assert runs.thumbnail(entry.id)[:3] == b"\xff\xd8\xff"


def test_the_newest_comes_first_also_when_the_clock_is_set_back(runs, monkeypatch):
    class Clock(datetime):
        ahead = timedelta()

        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + cls.ahead

    monkeypatch.setattr(history_folder, "datetime", Clock)
    kept = []
    for days in (0, 0, 3650, -20, -20, 0):
        Clock.ahead = timedelta(days=days)
        kept.append(runs.add(fresh(created=Clock.now(UTC))).entry.id)
    assert ids(runs) == kept[::-1]
    assert ids(History(runs.root)) == kept[::-1]


def test_names_and_stars_last_and_are_checked(runs):
    id = runs.add(fresh()).entry.id
    assert runs.rename(id, "evening").name == "evening"
    assert runs.star(id).starred
    (entry,) = History(runs.root)
    assert (entry.name, entry.starred) == ("evening", True)
    assert runs.star(id, False).name == "evening"
    assert runs.rename(id, "").name == ""
    for name, words in (("x" * 201, "at most 200"), ("a\0", "no character"), ("\ud83d", "no char")):
        with pytest.raises(ValueError, match=words):
            runs.rename(id, name)
        with pytest.raises(ValueError, match=words):
            runs.add(fresh(), name=name)
    assert len(runs) == 1


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"name": 5}', b'{"added": 5}', b"x" * 9999, b'{"added": "2026-01-01"}']
)
def test_damaged_marks_are_none(runs, text):
    id = runs.add(fresh(), name="mine").entry.id
    (runs.folder / id / "marks.json").write_bytes(text)
    (entry,) = runs
    assert (entry.name, entry.starred, entry.problem) == ("", False, "")
    assert runs.rename(id, "again").name == "again"


def test_a_deleted_run_comes_back_as_it_was_or_goes_for_good(runs, limited):
    id = runs.add(fresh(), name="mine").entry.id
    runs.star(id)
    before = runs.entries()
    runs.delete(id)
    assert (list(runs), [entry.id for entry in runs.deleted()]) == ([], [id])
    with pytest.raises(ForeignRun):
        runs.open(id)
    assert [runs.restore(id)] == before == runs.entries()
    with pytest.raises(ForeignRun, match="no such run"):
        runs.restore(id)
    limited(keep_deleted_s=0)
    runs.delete(id)
    with pytest.raises(ForeignRun):
        runs.restore(id)
    assert runs.deleted() == []


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("", {0, 1, 2}),
        ("  ", {0, 1, 2}),
        ("BOAT", {0, 1}),
        ("boat red", {0}),
        ('"red boat"', {0}),
        ('"boat red"', set()),
        ("tent", {2}),
        ("fog rain", {0, 1, 2}),
        ('karras "steps: 3"', {0, 1, 2}),
        ("mine", {1}),
        ("submarine", set()),
        ('"', {0, 1, 2}),
    ],
)
def test_runs_are_searched_by_prompt_settings_and_name(tmp_path_factory, query, places):
    runs = History(tmp_path_factory.getbasetemp() / "searched")
    if not len(runs):
        for prompt in ("a red boat", "a blue boat", "a tent"):
            entry = runs.add(prompted(prompt)).entry
            if "blue" in prompt:
                runs.rename(entry.id, "Mine")
    order = ids(runs)[::-1]
    assert {order.index(entry.id) for entry in runs.entries(query)} == places


def test_a_list_reads_what_has_changed_and_nothing_else(runs, monkeypatch):
    kept = [runs.add(fresh()).entry.id for _ in range(4)]
    assert len(runs) == 4
    read, manifest = [], RunFolder.manifest
    monkeypatch.setattr(
        RunFolder, "manifest", lambda folder: (read.append(folder.name), manifest(folder))[1]
    )
    assert len(History(runs.root)) == 4
    assert read == []
    runs.rename(kept[1], "named")
    read.clear()
    assert [entry.name for entry in runs] == ["", "", "named", ""]
    assert read == [kept[1]]
    shutil.rmtree(runs.folder / kept[0])
    assert kept[0] not in ids(runs)


def many(runs: History, count: int) -> list[str]:
    """So many runs, of which all but one are a summary alone; their ids."""
    first = runs.add(fresh()).entry.id
    data = json.loads((runs.folder / first / "run.json").read_text())
    made = [new_run_id() for _ in range(count - 1)]
    for id in made:
        (runs.folder / id).mkdir()
        (runs.folder / id / "run.json").write_text(json.dumps(data | {"id": id}))
    return [first, *made]


def read_anew(runs: History, monkeypatch) -> list[str]:
    """The runs whose files a new program reads for the list."""
    read, manifest = [], RunFolder.manifest
    with monkeypatch.context() as patched:
        patched.setattr(
            RunFolder, "manifest", lambda folder: (read.append(folder.name), manifest(folder))[1]
        )
        Listing(runs.folder).entries()
    return read


def test_a_new_program_reads_one_file_for_all_runs(runs, monkeypatch):
    kept = many(runs, 40)
    entries = runs.entries()
    assert sorted(ids(runs)) == sorted(kept)
    assert read_anew(runs, monkeypatch) == []
    assert Listing(runs.folder).entries() == entries
    runs.rename(kept[3], "named")
    shutil.rmtree(runs.folder / kept[5])
    assert read_anew(runs, monkeypatch) == [kept[3]]
    names = {entry.id: entry.name for entry in Listing(runs.folder).entries()}
    assert (names[kept[3]], len(names)) == ("named", 39)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"{",
        lambda data: b"[]",
        lambda data: json.dumps(data | {"fields": ["id"]}).encode(),
        lambda data: json.dumps(data | {"runs": 5}).encode(),
        lambda data: json.dumps(data | {"runs": [[1, 2, 3]]}).encode(),
        lambda data: json.dumps(data | {"runs": [[n, s, r[:-1]] for n, s, r in data["runs"]]}),
        lambda data: json.dumps(data | {"runs": [[n, s, [5, *r[1:]]] for n, s, r in data["runs"]]}),
        lambda data: json.dumps(data | {"runs": [["x", s, r] for n, s, r in data["runs"]]}),
    ],
)
def test_a_damaged_index_is_made_anew(runs, monkeypatch, change):
    many(runs, 20)
    entries = runs.entries()
    index = runs.folder / ".index.json"
    text = change(json.loads(index.read_text()))
    index.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert len(read_anew(runs, monkeypatch)) == 20
    assert read_anew(runs, monkeypatch) == []
    assert Listing(runs.folder).entries() == entries


def test_a_folder_that_cannot_be_written_is_listed_all_the_same(runs, monkeypatch):
    many(runs, 20)

    def fails(*arguments):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "replace", fails)
    assert len(Listing(runs.folder).entries()) == 20
    assert not (runs.folder / ".index.json").exists()


@pytest.mark.parametrize(
    "added",
    [
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59.999999-23:59",
        "9999-12-31T23:59:59.999999Z",
    ],
)
def test_marks_at_the_ends_of_time_break_nothing(runs, added):
    many(runs, 20)
    old = runs.entries()[-1].id
    (runs.folder / old / "marks.json").write_text(json.dumps({"added": added}))
    assert len(Listing(runs.folder).entries()) == 20
    runs.add(fresh())
    Listing(runs.folder)._write_index()
    assert len(Listing(runs.folder).entries()) == 21


def test_an_index_with_a_time_that_there_is_not_is_made_anew(runs):
    many(runs, 20)
    runs.entries()
    index = runs.folder / ".index.json"
    data = json.loads(index.read_text())
    for _, _, row in data["runs"]:
        row[data["fields"].index("created")] = "0001-01-01T00:00:00+23:59"
    index.write_text(json.dumps(data))
    assert len(Listing(runs.folder).entries()) == 20


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_the_place_of_marks_or_index_holds_nobody_up(runs):
    id = runs.add(fresh()).entry.id
    (runs.folder / id / "marks.json").unlink()
    os.mkfifo(runs.folder / id / "marks.json")
    os.mkfifo(runs.folder / ".index.json")
    assert ids(runs) == [id]


def test_a_manifest_that_lies_of_sizes_drives_no_run_out(runs):
    sound = runs.add(fresh()).entry.id
    liar = fresh().save(runs.folder / "liar")
    data = json.loads((liar / "run.json").read_text("utf-8"))
    data["files"]["lane-a.png"]["bytes"] = 2**50
    (liar / "run.json").write_text(json.dumps(data), "utf-8")
    assert runs.add(fresh()).removed == ()
    assert sound in ids(runs)


# --- what is no sound run ------------------------------------------------------------------------


def test_what_cannot_be_opened_is_listed_as_such_and_breaks_nothing(runs, tmp_path):
    sound = runs.add(fresh()).entry.id
    damaged, newer, unfinished = (runs.add(fresh()).entry.id for _ in range(3))
    (runs.folder / damaged / "run.json").write_text("{")
    data = json.loads((runs.folder / newer / "run.json").read_text())
    (runs.folder / newer / "run.json").write_text(json.dumps(data | {"version": 9}))
    (runs.folder / unfinished / "run.json").unlink()
    (runs.folder / "holiday").mkdir()
    (runs.folder / "holiday" / "photo.jpg").write_bytes(b"123")
    (runs.folder / "a file").write_text("")
    (runs.folder / "link").symlink_to(tmp_path)
    (runs.folder / ".hidden").mkdir()
    being_written, stale = runs.folder / ".1.ab.part", runs.folder / ".2.ab.part"
    for folder in (being_written, stale):
        folder.mkdir()
    os.utime(stale, (time.time() - 7200,) * 2)
    kinds = {entry.id: entry.kind for entry in runs}
    assert kinds == {
        sound: "",
        damaged: "damaged",
        newer: "newer",
        unfinished: "unfinished",
        "holiday": "foreign",
        stale.name: "unfinished",
    }
    assert all(entry.problem.endswith(".") for entry in runs if entry.kind)
    assert {entry.id: entry.bytes for entry in runs}["holiday"] == 3
    assert [entry.id for entry in runs.entries("damaged")] == [damaged]
    assert len(runs.open(sound)) == 2
    with pytest.raises(DamagedRun):
        runs.open(damaged)
    for id in (stale.name, damaged, newer):
        runs.delete(id)
    assert {entry.id for entry in runs} == {sound, unfinished, "holiday"}
    assert being_written.is_dir()


def test_what_will_not_be_written_to_its_end_is_removed(runs):
    runs.add(fresh())
    stale = runs.folder / ".2.ab.part"
    stale.mkdir()
    os.utime(stale, (time.time() - 7200,) * 2)
    runs.add(fresh())
    assert not stale.exists()


@pytest.mark.parametrize(
    "id",
    ["", ".", "..", ".trash", ".lock", "a/b", "../local", "/etc", "a\0b", "x" * 300, "unknown"],
)
def test_an_id_never_leaves_the_history(runs, id):
    runs.add(fresh())
    runs.delete(runs.add(fresh()).entry.id)
    (runs.folder / "link").symlink_to(runs.folder.parent)
    for call in (runs.open, runs.thumbnail, runs.delete, runs.restore, runs.star):
        for name in (id, f"../local/{ids(runs)[0]}", str(runs.folder / ids(runs)[0]), "link"):
            with pytest.raises(ForeignRun, match=r"^There is no such run in the history\.$"):
                call(name)
    assert len(runs) == 1


def test_a_link_in_the_place_of_what_was_deleted_costs_nothing_elsewhere(runs, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "old").mkdir(parents=True)
    os.utime(elsewhere / "old", (1, 1))
    id = runs.add(fresh()).entry.id
    (runs.folder / ".trash").symlink_to(elsewhere)
    with pytest.raises(ForeignRun):
        runs.restore("old")
    assert runs.deleted() == []
    runs.add(fresh())
    runs.delete(id)
    assert [path.name for path in elsewhere.iterdir()] == ["old"]
    assert runs.restore(id).id == id


# --- how much ------------------------------------------------------------------------------------


def test_the_oldest_without_a_star_makes_room(runs, limited, size):
    limited(history_bytes=3 * size + size // 2)
    kept = [runs.add(fresh()).entry.id for _ in range(3)]
    runs.star(kept[0])
    added = runs.add(fresh())
    assert [entry.id for entry in added.removed] == [kept[1]]
    assert added.message.startswith("1 older run was removed: the history may take ")
    assert ids(runs) == [added.entry.id, kept[2], kept[0]]
    assert runs.total_bytes <= 3.5 * size
    assert sorted(os.listdir(runs.folder)) == sorted(ids(runs))


def test_what_was_deleted_makes_room_first(runs, limited, size):
    limited(history_bytes=3 * size + size // 2)
    kept = [runs.add(fresh()).entry.id for _ in range(3)]
    runs.delete(kept[2])
    added = runs.add(fresh())
    assert added.removed == ()
    assert runs.deleted() == []
    assert len(runs) == 3


def test_starred_runs_that_fill_the_history_stay_and_it_is_said(runs, limited, size):
    limited(history_bytes=2 * size + size // 2)
    kept = [runs.add(fresh()).entry.id for _ in range(2)]
    for id in kept:
        runs.star(id)
    run = fresh()
    with pytest.raises(NotSaved, match=r"starred runs fill the .* unstar or delete some\.$"):
        runs.add(run)
    assert ids(runs) == kept[::-1]
    runs.star(kept[0], False)
    assert [entry.id for entry in runs.add(run).removed] == [kept[0]]


def test_a_run_that_is_larger_than_the_history_is_not_kept(runs, limited, size):
    kept = runs.add(fresh()).entry.id
    limited(history_bytes=size // 2)
    with pytest.raises(NotSaved, match=r"takes more than the history may, .*\.$"):
        runs.add(fresh())
    assert ids(runs) == [kept]
    assert os.listdir(runs.folder) == [kept]


def test_nobody_loses_a_run_to_one_who_has_more(tmp_path, limited, size):
    hers, theirs = (History(tmp_path, each) for each in (new_owner_id(), new_owner_id()))
    limited(history_bytes=6 * size + size // 2)
    victims = [hers.add(fresh()).entry.id for _ in range(2)]
    for _ in range(8):
        with suppress(NotSaved):
            theirs.star(theirs.add(fresh()).entry.id)
    assert ids(hers) == victims[::-1]
    with pytest.raises(NotSaved, match=r"starred runs fill the .* unstar or delete some"):
        theirs.add(fresh())
    assert len(theirs) == 4


def test_a_visitor_takes_no_run_of_this_machines_user(tmp_path, limited, size):
    local, theirs = History(tmp_path), History(tmp_path, new_owner_id())
    limited(history_bytes=3 * size + size // 2)
    kept = [local.add(fresh()).entry.id for _ in range(3)]
    with pytest.raises(NotSaved, match="others' runs fill the"):
        theirs.add(fresh())
    assert (ids(local), ids(theirs)) == (kept[::-1], [])
    local.delete(kept[0])
    assert theirs.add(fresh()).removed == ()
    local.add(fresh())
    assert (len(local), len(theirs)) == (2, 1)


# --- for whom ------------------------------------------------------------------------------------


def test_a_visitor_sees_only_what_is_hers(tmp_path):
    hers, his, local = (History(tmp_path, each) for each in (new_owner_id(), new_owner_id(), ""))
    mine = hers.add(fresh()).entry.id
    theirs = his.add(fresh()).entry.id
    own = local.add(fresh()).entry.id
    assert (ids(hers), ids(his), ids(local)) == ([mine], [theirs], [own])
    for other in (theirs, own, f"../{his.folder.name}/{theirs}"):
        for call in (hers.open, hers.thumbnail, hers.delete, hers.restore, hers.star):
            with pytest.raises(ForeignRun):
                call(other)
    his.delete(theirs)
    with pytest.raises(ForeignRun):
        hers.restore(theirs)
    assert History(tmp_path, new_owner_id()).entries() == []


def test_the_disk_does_not_know_a_visitors_id(tmp_path):
    owner = new_owner_id()
    assert len({new_owner_id() for _ in range(50)}) == 50
    History(tmp_path, owner).add(fresh())
    assert owner not in " ".join(str(path) for path in tmp_path.rglob("*"))
    for wrong in ("local", "../x", "0" * 31, "G" * 32, "0" * 65, "visitor-" + "0" * 24):
        with pytest.raises(ValueError, match="no visitor's id"):
            History(tmp_path, wrong)


def test_who_has_the_most_makes_room_for_others(tmp_path, limited, size):
    limited(history_bytes=4 * size + size // 2)
    many, few = History(tmp_path, new_owner_id()), History(tmp_path, new_owner_id())
    first = few.add(fresh()).entry.id
    kept = [many.add(fresh()).entry.id for _ in range(3)]
    added = few.add(fresh())
    assert (added.removed, added.message) == ((), "")  # others' runs are nobody's business
    assert ids(many) == kept[:0:-1]
    assert first in ids(few)


def test_a_visitors_stars_do_not_keep_others_out(tmp_path, limited, size):
    limited(history_bytes=4 * size + size // 2)
    greedy, other = History(tmp_path, new_owner_id()), History(tmp_path, new_owner_id())
    starred = [greedy.add(fresh()).entry.id for _ in range(4)]
    for id in starred:
        greedy.star(id)
    with pytest.raises(NotSaved, match="starred runs fill"):
        greedy.add(fresh())
    kept = [other.star(other.add(fresh()).entry.id).id for _ in range(2)]
    assert ids(other) == kept[::-1]
    assert ids(greedy) == starred[:1:-1]  # an equal share is left to each
    with pytest.raises(NotSaved, match="starred runs fill"):
        other.add(fresh())


def test_visitors_do_not_take_the_starred_runs_of_the_machines_user(tmp_path, limited, size):
    limited(history_bytes=4 * size + size // 2)
    user, visitor = History(tmp_path), History(tmp_path, new_owner_id())
    for _ in range(4):
        user.star(user.add(fresh()).entry.id)
    with pytest.raises(NotSaved, match="others' runs fill"):
        visitor.add(fresh())
    assert len(user) == 4


# --- disks, threads and processes ----------------------------------------------------------------


@pytest.mark.parametrize("call", ["mkdir", "fsync", "rename", "open"])
def test_a_disk_that_fails_loses_no_run(runs, monkeypatch, call):
    kept, run = runs.add(fresh()).entry, fresh()

    def fails(*arguments, **more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fails)  # "open" is that of the lock
    with pytest.raises(NotSaved, match=r"was not saved: the disk is full; .*\.$"):
        runs.add(run)
    if call != "mkdir":
        with pytest.raises(NotSaved, match=r"was not saved: the disk is full; .*\.$"):
            runs.star(kept.id) if call == "fsync" else runs.delete(kept.id)
    monkeypatch.undo()
    assert runs.entries() == [kept]
    assert runs.add(run).entry.id == run.id


def test_a_folder_that_another_program_holds_is_a_sentence(runs, monkeypatch):
    id = runs.add(fresh()).entry.id
    monkeypatch.setattr(history_folder, "LOCK_S", 0.05)
    with FileLock(runs.root / ".lock"), pytest.raises(NotSaved, match="Another program has held"):
        runs.delete(id)
    assert ids(runs) == [id]


def test_threads_share_a_history(runs):
    def work() -> None:
        for _ in range(2):
            id = runs.add(fresh()).entry.id
            runs.star(id)
            runs.entries("boat")
            runs.delete(runs.add(fresh()).entry.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.starred for entry in runs] == [True] * 8
    assert len(runs.deleted()) == 8


def test_processes_share_a_folder(tmp_path):
    script = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}, {str(Path(__file__).parent)!r}]
from test_history import History, fresh
runs = History({str(tmp_path)!r})
for round in range(3):
    id = runs.add(fresh()).entry.id
    runs.rename(id, sys.argv[1])
    runs.star(id)
    runs.delete(runs.add(fresh()).entry.id)
    assert all(not entry.problem for entry in runs)
"""
    names = ["one", "two"]
    programs = [
        subprocess.Popen([sys.executable, "-c", script, name], stderr=subprocess.PIPE, text=True)
        for name in names
    ]
    for program in programs:
        assert program.wait(120) == 0, program.stderr.read()
        program.stderr.close()
    entries = History(tmp_path).entries()
    assert sorted(entry.name for entry in entries) == ["one"] * 3 + ["two"] * 3
    assert all(entry.starred for entry in entries)
    orders = [entry.order for entry in entries]
    assert len(set(orders)) == 6


def test_marks_that_a_killed_program_was_writing_go_with_the_next_ones(runs):
    id = runs.add(fresh()).entry.id
    (runs.folder / id / ".marks.json.0123.part").write_text("{")
    runs.star(id)
    assert not list((runs.folder / id).glob(".*"))
    assert runs.open(id).seed == 7


# --- where it is ---------------------------------------------------------------------------------


def test_by_default_it_is_in_the_users_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    id = explorer.history().add(fresh()).entry.id
    assert (tmp_path / "sampler-explorer" / "runs" / "local" / id / "run.json").exists()
    assert ids(explorer.history(tmp_path / "elsewhere")) == []


def test_a_system_without_a_users_folder_asks_for_one(monkeypatch):
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: Path("~/data"))
    with pytest.raises(NotSaved, match="name a folder"):
        explorer.history()
