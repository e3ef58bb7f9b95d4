"""What nobody expected: each handler still answers, the log has the reason, the next is fine."""

import json
from types import SimpleNamespace

import gradio as gr
import pytest
from fake_engine import FakeEngine, FakeFacts
from loops import everything

from explorer import ui
from explorer.ui import settings_events
from explorer.views.answers import UNEXPECTED
from explorer.views.findings import Doctor

SECRET = "/srv/models/secret"
VISITOR = SimpleNamespace(session_hash="visitor", headers={}, request=None)


class Defective:
    """What is named in `defects` raises."""

    defects: frozenset[str] = frozenset()

    def __getattribute__(self, name):
        if name != "defects" and name in self.defects:
            raise KeyError(SECRET)
        return super().__getattribute__(name)


class BrokenFacts(Defective, FakeFacts):
    pass


class Broken(Defective, FakeEngine):
    """An engine that has a defect, as have the facts of its models."""

    def __init__(self):
        super().__init__(pace=0)
        self.facts = BrokenFacts()

    def break_down(self, *defects: str) -> None:
        self.defects = self.facts.defects = frozenset(defects)


@pytest.fixture
def engine() -> Broken:
    return Broken()


@pytest.fixture
def page(engine) -> gr.Blocks:
    return ui.build(engine)


def handler(page: gr.Blocks, name: str):
    """A handler, and the values that an untouched page sends it."""
    event = next(each for each in page.fns.values() if each.name == name)
    values = {block: block.value for block in event.inputs}
    return event.fn, values


def answers(handler, values: dict) -> list:
    """All that a handler of several answers says."""
    return everything(handler(values, VISITOR))


def test_a_redraw_that_breaks_off_is_a_sentence_and_the_next_is_drawn(page, monkeypatch, caplog):
    redraw, values = handler(page, "redraw")
    with monkeypatch.context() as patch:
        patch.setattr(settings_events, "plot_payload", lambda *_: 1 / 0)
        answer = redraw(values)
    assert [each["sentence"] for each in answer["problems"]] == [UNEXPECTED]
    assert answer["findings"]  # the doctor does not depend on the plot
    assert "ZeroDivisionError" in caplog.text
    assert redraw(values)["figure"]


def test_a_doctor_that_breaks_off_leaves_the_plot(page, monkeypatch, caplog):
    redraw, values = handler(page, "redraw")
    monkeypatch.setattr(Doctor, "findings", lambda *_: {}[SECRET])
    answer = redraw(values)
    assert answer["figure"]
    assert [each["code"] for each in answer["findings"]] == ["not_examined"]
    assert SECRET not in json.dumps(answer)
    assert SECRET in caplog.text


@pytest.mark.parametrize("defect", ["identity", "astream"])
def test_a_run_that_cannot_be_prepared_is_a_sentence(page, engine, defect, caplog):
    run, values = handler(page, "run")
    engine.break_down(defect)
    (answer,) = answers(run, values)
    assert (answer["state"], answer["message"]) == ("error", UNEXPECTED)
    assert SECRET in caplog.text


def test_a_word_check_that_breaks_off_is_a_sentence(page, engine):
    check, values = handler(page, "check")
    engine.break_down("unknown_words")
    assert check(*values.values()) == {"text": UNEXPECTED, "wrong": True}


@pytest.mark.parametrize("name", ["opened", "chosen", "restored"])
@pytest.mark.parametrize("defect", ["identity", "defaults", "resident"])
def test_a_load_that_breaks_off_is_said_under_the_menu(page, engine, name, defect, caplog):
    follow, values = handler(page, name)
    menu = next(block for block in values if getattr(block, "elem_id", "") == "model")
    values[menu] = "turbo"
    engine.break_down(defect)

    *_, last = answers(follow, values)
    (card,) = (
        each for block, each in last.items() if getattr(block, "elem_id", "") == "model_card"
    )
    assert card["problem"]
    assert not card["loading"]
    assert SECRET not in json.dumps(card)
    assert SECRET in caplog.text
    engine.break_down()
    *_, last = answers(follow, values)
    (card,) = (
        each for block, each in last.items() if getattr(block, "elem_id", "") == "model_card"
    )
    assert not card["problem"]  # the same choice may be made again


@pytest.mark.parametrize("name", ["refused", "unanswered"])
def test_what_never_arrived_is_not_called_busy(page, name):
    answer, _ = handler(page, name)
    said = json.dumps(answer())
    assert "did not take" in said
    assert "busy" not in said


def test_a_redraw_that_gradio_refuses_is_a_sentence(page):
    told = [each for each in page.fns.values() if each.name == "redraw"]
    failures = [each for each in page.fns.values() if each.name == "unanswered"]
    assert {each.trigger_after for each in failures} == {each._id for each in told}
    assert all(each.trigger_only_on_failure for each in failures)


def test_a_model_that_is_not_on_the_list_is_a_sentence_at_its_menu(page):
    redraw, values = handler(page, "redraw")
    (menu,) = (block for block in values if block.elem_id == "model")
    (problem,) = redraw(values | {menu: "../../etc"})["problems"]
    assert problem["control"] == "model"
    assert "is not on this app's list" in problem["sentence"]
