"""The recorded examples: everybody's, read only, and what is damaged is said."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from explorer.assets import asset
from explorer.hosting.run_store import RunStore
from explorer.records.errors import DamagedRun, ForeignRun, NewerRun, RecordError
from explorer.records.examples import CARDS, Examples, example_id, read_cards
from explorer.views.examples import example_cards
from explorer.views.opened import opened_payload

FOLDER = asset("examples")
KEYS = ("one_noise", "last_step", "eta", "few_calls", "penultimate")
ME = "0123456789abcdef" * 2
MOST_BYTES = 6_000_000


@pytest.fixture(scope="module")
def examples() -> Examples:
    return Examples(FOLDER)


@pytest.fixture
def copied(tmp_path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "examples"))


def test_there_are_five_with_fixed_ids_in_six_megabytes(examples):
    assert tuple(card.key for card in examples.cards) == KEYS
    assert [card.id for card in examples.cards] == [example_id(key) for key in KEYS]
    assert examples.problem == ""
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()}
    assert folders == {card.id for card in examples.cards}


@pytest.mark.parametrize("key", KEYS)
def test_each_is_a_whole_run_with_its_frames_and_its_place_to_look(examples, key):
    id = example_id(key)
    run, card = examples.open(id), examples.card(id)
    assert run.id == id
    assert run.state == "done"
    assert json.loads(json.dumps(run.run_settings.to_dict())) == run.settings
    for lane in run.lanes:
        assert lane.picture
        assert lane.trajectory.final is not None
        assert set(lane.sheets) >= {"denoised", "noisy"}
        assert all(sheet.count == lane.trajectory.nfe for sheet in lane.sheets.values())
        assert all(sheet.width == 128 for sheet in lane.sheets.values())
    assert card is not None
    assert 0 <= card.see["call"] < run[card.see["lane"]].nfe
    assert card.claim
    assert card.look
    assert examples.thumbnail(id)


def test_everybody_opens_them_and_nothing_goes_before_them(examples, tmp_path):
    class Live:
        def recorded(self, id, owner):
            raise AssertionError("an example is asked for elsewhere")

    id = example_id("one_noise")
    for store in (RunStore(examples=examples), RunStore(tmp_path, Live(), examples)):
        for owner in ("", ME):
            assert store.open(id, owner).id == id
            assert store.shown(id, owner).seed == 7
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("id", ["", "..", "../scenes", CARDS, "f" * 32, example_id("no such")])
def test_other_ids_open_nothing(examples, id):
    assert id not in examples
    for read in (examples.open, examples.shown, examples.thumbnail):
        with pytest.raises(ForeignRun, match="no such recorded example"):
            read(id)
    with pytest.raises(RecordError):
        RunStore(examples=examples).open(id, ME)


def test_without_a_folder_there_are_none_and_that_is_no_problem():
    assert example_cards(Examples()) == {"cards": [], "problem": ""}
    assert example_id("one_noise") not in RunStore().examples


@pytest.mark.parametrize("harm", ["missing", "cut", "changed"])
@pytest.mark.parametrize("name", ["lane-a-denoised.jpg", "lane-a.safetensors", "run.json"])
def test_a_damaged_example_is_a_sentence_without_its_id_and_spares_the_others(copied, name, harm):
    id, other = example_id("one_noise"), example_id("eta")
    file = copied / id / name
    data = file.read_bytes()
    if harm == "missing":
        file.unlink()
    else:
        file.write_bytes(data[:-9] if harm == "cut" else data[:40] + b"\0" + data[41:])
    with pytest.raises(RecordError) as error:
        Examples(copied).open(id)
    assert str(error.value).startswith(("This recorded example ", "There is no run This recorded"))
    assert id not in str(error.value)
    assert str(copied) not in str(error.value)
    assert Examples(copied).open(other).id == other


def test_an_example_that_is_not_there_is_a_sentence(copied):
    id = example_id("eta")
    shutil.rmtree(copied / id)
    with pytest.raises(DamagedRun, match="is missing from this installation"):
        Examples(copied).shown(id)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "missing from this installation"),
        ("", "damaged"),
        ("[]", "damaged"),
        ('{"format": "sampler-explorer examples", "version": 1}', "damaged"),
        ('{"format": "sampler-explorer examples", "version": 2, "cards": []}', "newer version"),
        ('{"format": "else", "version": 1, "cards": [], "made_with": {}}', "damaged"),
        ('{"format": "sampler-explorer examples", "version": 1, "made_with": {}, "cards": '
         '[{"key": "a", "id": "../../scenes", "title": "", "claim": "", "look": ""}]}', "damaged"),
    ],
)  # fmt: skip
def test_cards_that_cannot_be_read_are_a_sentence(copied, text, sentence):
    (copied / CARDS).unlink()
    if text is not None:
        (copied / CARDS).write_text(text)
    examples = Examples(copied)
    assert examples.cards == ()
    assert sentence in example_cards(examples)["problem"]
    with pytest.raises((DamagedRun, NewerRun)):
        read_cards(copied)


def test_the_page_is_told_that_a_run_is_an_example(examples):
    card = examples.cards[0]
    run = examples.shown(card.id)
    told = opened_payload(run, lambda data, name: name, ["bundled"], "bundled", card)
    assert told["result"]["example"]["see"] == dict(card.see)
    assert told["whole"]
    assert told["settings"]["model"] == "bundled"
    plain = opened_payload(run, lambda data, name: name, ["bundled"], "bundled")
    assert "example" not in plain["result"]
    json.dumps(told)


def test_where_its_model_is_not_offered_an_example_says_so_and_the_form_keeps_its_own(examples):
    card = examples.cards[0]
    run = examples.shown(card.id)
    told = opened_payload(run, lambda data, name: name, ["sdxl"], "sdxl", card)
    assert not told["whole"]
    assert "model" not in told["settings"]
    assert told["notes"] == ["Model bundled is not offered here."]


def test_an_example_saved_as_a_folder_is_a_run_of_ones_own(examples, tmp_path):
    run = replace(examples.open(example_id("penultimate")), id="a" * 32)
    store = RunStore(tmp_path)
    store.keep(run, "")
    assert store.open("a" * 32, "").run_settings == run.run_settings
