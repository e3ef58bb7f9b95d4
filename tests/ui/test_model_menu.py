"""The model menu without a browser: what it offers, what it hides, what it refills."""

import asyncio
import threading
from contextlib import aclosing
from dataclasses import replace

import gradio as gr
import pytest
from fake_engine import DEFAULTS, FakeEngine
from loops import finish
from test_form import untouched

from explorer.models.catalog import KNOWN
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.limits import Limits
from explorer.ui.form import RUN_FIELDS, Form, run_control
from explorer.ui.lanes import lanes_table
from explorer.ui.model_menu import Load, refill
from explorer.views.lanes import lanes_value
from explorer.views.model_card import hidden_fields, model_card, model_choices, refiner_choices
from explorer.views.summaries import summaries

BUNDLED = DEFAULTS["bundled"]


@pytest.fixture
def form() -> Form:
    with gr.Blocks():
        run = {name: run_control(name, getattr(BUNDLED, name)) for name in RUN_FIELDS}
        return Form(run, lanes_table(BUNDLED.lanes))


def test_refiners_have_a_menu_of_their_own():
    engine = FakeEngine()
    models = [name for _, name in model_choices(engine)]
    assert models[0] == "bundled"
    assert "sdxl-refiner" not in models
    assert [name for _, name in refiner_choices(engine)] == ["", "sdxl-refiner"]


def test_models_that_the_operator_has_switched_off_are_at_the_end_of_the_menu(monkeypatch):
    known = [label for name, label in KNOWN.items() if "refiner" not in name]
    monkeypatch.setattr("explorer.views.model_card.LIMITS", Limits(hub_models=0))
    labels = [label for label, _ in model_choices(FakeEngine())]
    assert labels[-len(known) :] == [f"{label} (not on this server)" for label in known]
    assert not any("(not" in label for label in labels[: -len(known)])
    assert not any("(not" in label for label, _ in model_choices(FakeEngine(anything=True)))
    monkeypatch.setattr("explorer.views.model_card.LIMITS", Limits(hub_models=1))
    assert not any("(not" in label for label, _ in model_choices(FakeEngine()))


@pytest.mark.parametrize(
    ("device", "loaded", "model", "hidden"),
    [
        ("cpu", True, "bundled", {"refiner", "refiner_switch_at", "rng"}),
        ("cpu", True, "sdxl", {"rng"}),
        ("cuda:0", True, "sdxl", set()),
        ("cpu", False, "sdxl", set()),  # nobody has asked for the device yet
        ("cuda", True, "owner/far", {"refiner", "refiner_switch_at"}),  # not here yet
    ],
)
def test_what_does_not_apply_is_named(device, loaded, model, hidden):
    engine = FakeEngine(device=device)
    if loaded:
        engine.load()
    assert set(hidden_fields(engine, model)) == hidden
    assert set(model_card(engine, model)["without"]) == hidden


def test_what_does_not_apply_is_left_out_of_a_run(form):
    values = untouched(form) | {form.run["refiner"]: "sdxl-refiner", form.run["steps"]: 9}
    values[form.run["refiner_switch_at"]] = 99
    read = form.read(values, without=["refiner", "refiner_switch_at"])
    assert (read.refiner, read.refiner_switch_at, read.steps) == ("", 0.8, 9)


def filled(form: Form, value: dict, update: dict) -> dict:
    """The lanes' value after what the page does with a model's news."""
    model = update[form.lanes]["model"]
    return value | {"lanes": [lane | model["fill"] for lane in value["lanes"]]}


def test_lanes_take_the_models_arguments_and_keep_the_users(form):
    users = LaneSettings(schedule_type="karras", beta_end=0.5, rho=5, s_churn=2)
    value = lanes_value((users,) * 3)
    update, said = refill(form, untouched(form) | {form.lanes: value}, DEFAULTS["sdxl"], BUNDLED, 7)
    assert said == (
        "Set as this model wants: Timestep spacing trailing, Prediction type v_prediction, "
        "Beta end 0.012, CFG scale 7."
    )
    model = update[form.lanes]["model"]
    assert model["revision"] == 7
    assert model["defaults"]["prediction_type"] == "v_prediction"
    update[form.lanes] = filled(form, value, update)
    read = form.read(untouched(form) | update)
    own = DEFAULTS["sdxl"].lanes[0]
    assert read.lanes == (replace(own, schedule_type="karras", rho=5, s_churn=2),) * 3
    assert read.cfg_scale == 7


def test_what_is_typed_as_the_model_has_it_is_no_change(form):
    value = lanes_value(BUNDLED.lanes)
    value["lanes"][0] |= {"beta_end": " 1.2e-2 ", "trained_betas": "  "}
    assert refill(form, untouched(form) | {form.lanes: value}, BUNDLED, BUNDLED)[1] == ""
    value["lanes"][0]["beta_end"] = "pony"
    _, said = refill(form, untouched(form) | {form.lanes: value}, BUNDLED, BUNDLED)
    assert said == "Set as this model wants: Beta end 0.012."


def test_a_model_that_asks_for_karras_gets_it(form):
    lanes = tuple(replace(lane, schedule_type="karras") for lane in BUNDLED.lanes)
    update, said = refill(form, untouched(form), replace(BUNDLED, lanes=lanes), BUNDLED)
    value = filled(form, untouched(form)[form.lanes], update)
    assert [lane["schedule_type"] for lane in value["lanes"]] == ["karras", "karras"]
    assert said == "Set as this model wants: Schedule type karras."


def test_what_both_models_begin_with_stays(form):
    values = untouched(form) | {form.run["steps"]: 50, form.run["cfg_scale"]: 9}
    update, said = refill(form, values, BUNDLED, BUNDLED)
    assert form.run["steps"] not in update
    assert said == ""
    update, said = refill(form, values, RunSettings(), BUNDLED)
    assert update[form.run["cfg_scale"]] == 7
    assert form.run["prompt"] not in update


def test_a_long_list_of_betas_is_not_read_out(form):
    lanes = tuple(LaneSettings(trained_betas=(0.01, 0.02) * 50) for _ in BUNDLED.lanes)
    _, said = refill(form, untouched(form), replace(BUNDLED, lanes=lanes), BUNDLED)
    assert said == "Set as this model wants: Trained betas a custom list."


def test_a_folded_group_says_what_differs():
    assert set(summaries(RunSettings()).values()) == {""}
    run = RunSettings(height=512, batch_size=3, cfg_rescale=0.7, rng="gpu", refiner="r", steps=10)
    assert summaries(run) == {
        "picture": "default × 512, 3 pictures, rescale 0.7, GPU noise",
        "start": "",
        "refiner": "from step 9",
    }


@pytest.mark.parametrize(("text", "side"), [("", 0), ("512", 512), (" 64 ", 64)])
def test_an_empty_size_is_the_models_own(form, text, side):
    assert form.read(untouched(form) | {form.run["width"]: text}).width == side


@pytest.mark.parametrize("end", ["given up", "left"])
def test_a_load_that_is_not_followed_any_more_is_not_wanted(end):
    engine, cancel = FakeEngine(), threading.Event()
    engine.slow.set()

    async def follow():
        load = Load(engine, "turbo")
        async with aclosing(load.followed(cancel)) as followed:
            assert (await anext(followed))[0] == "Loading Turbo."
            if end == "given up":
                cancel.set()
                assert [each async for each in followed] == []
        await asyncio.to_thread(load.done.wait, 60)

    finish(follow())
    assert (engine.abandoned, engine.resident) == (["turbo"], "")
