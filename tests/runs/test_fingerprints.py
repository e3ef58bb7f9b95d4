"""The model's files of a run: told apart once, by runs and by their last events."""

import threading
from types import SimpleNamespace

from explorer.engine import Engine
from explorer.records import RecordedRun, open_run
from explorer.records.made_with import model_fingerprint
from explorer.runs import fingerprints
from explorer.runs.fingerprints import Fingerprints
from explorer.settings import RunSettings

SETTINGS = RunSettings(prompt="a red boat", steps=2, seed=7)


def test_a_run_says_which_model_it_was_made_with(tiny_pipeline_folder, tmp_path, untraced):
    engine = Engine(tiny_pipeline_folder, device="cpu")
    expected = model_fingerprint(tiny_pipeline_folder)
    run = engine.run(SETTINGS)
    assert isinstance(run, RecordedRun)
    assert (run.model_fingerprint, run.state) == (expected, "done")
    assert [each.nfe for each in run] == [3, 3]
    assert all(lane.picture for lane in run.lanes)
    assert open_run(run.save(tmp_path / "run")).model_fingerprint == expected
    *_, last = engine.stream(SETTINGS)
    assert last.model_fingerprint == expected


def test_a_run_that_is_stopped_before_its_model_is_known_says_nothing(tiny_pipeline_folder):
    cancel = threading.Event()
    cancel.set()
    run = Engine(tiny_pipeline_folder, device="cpu").run(SETTINGS, cancel)
    assert (run.state, run.model_fingerprint) == ("cancelled", "")


class AnyModel(SimpleNamespace):
    """It can be referred to weakly, and be a key."""

    __hash__ = object.__hash__


def test_a_models_files_are_read_once_and_it_is_not_kept_in_memory(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(fingerprints, "model_fingerprint", lambda path: read.append(path) or "ab")
    known, model = Fingerprints(), AnyModel()
    ask = known.of(model, tmp_path)
    assert [ask(), known.of(model, tmp_path)()] == ["ab", "ab"]
    assert read == [tmp_path]
    del model
    assert len(known._known) == 0
    assert ask() == "ab"


def test_files_that_cannot_be_read_give_none(tmp_path):
    assert Fingerprints().of(AnyModel(), tmp_path / "gone")() == ""
    assert Fingerprints().of(AnyModel(), None)() == ""
