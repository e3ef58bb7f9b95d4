"""The form: a control for every field, and settings or sentences from what it holds."""

from dataclasses import fields

import gradio as gr
import pytest

from explorer.settings import LaneSettings, RunSettings
from explorer.ui.form import Form, run_control
from explorer.ui.lanes import lanes_table
from explorer.views.lanes import lanes_value
from explorer.views.problems import FormError

RUN_FIELDS = [spec.name for spec in fields(RunSettings) if spec.name != "lanes"]
MODEL = (
    LaneSettings(beta_end=0.02, steps_offset=1),
    LaneSettings(sampler="dpm2_a", beta_end=0.02, steps_offset=1),
)
DEFAULTS = RunSettings(lanes=MODEL, cfg_scale=3)


@pytest.fixture
def form() -> Form:
    with gr.Blocks():
        run = {name: run_control(name, getattr(DEFAULTS, name)) for name in RUN_FIELDS}
        return Form(run, lanes_table(DEFAULTS.lanes))


def untouched(form: Form) -> dict:
    return {control: control.value for control in form.controls()}


def test_untouched_it_is_what_it_began_with(form):
    assert form.read(untouched(form)) == DEFAULTS


def held(form: Form, *changes: dict, same: bool = False) -> dict:
    """What an untouched form holds but for these changes, a lane each."""
    value = lanes_value(DEFAULTS.lanes, same)
    for lane, change in zip(value["lanes"], changes, strict=False):
        lane |= change
    return untouched(form) | {form.lanes: value}


def test_every_setting_comes_back(form):
    b = {"schedule_type": "karras", "trained_betas": "0.1 0.2", "beta_start": "0.001"}
    values = held(form, {}, b)
    values |= {form.run["steps"]: 7, form.run["prompt"]: "a tent", form.run["cfg_scale"]: 3.5}
    read = form.read(values)
    assert (read.steps, read.prompt, read.cfg_scale) == (7, "a tent", 3.5)
    assert read.lanes[0] == MODEL[0]
    assert read.lanes[1].trained_betas == (0.1, 0.2)
    assert (read.lanes[1].schedule_type, read.lanes[1].beta_start) == ("karras", 0.001)


def test_same_settings_for_all_leaves_lane_b_its_sampler(form):
    a, b = {"beta_end": 0.03}, {"beta_end": "nonsense", "sampler": "dpm2"}
    read = form.read(held(form, a, b, same=True))
    assert read.lanes[0] == read.lanes[1]
    assert read.lanes[1].beta_end == 0.03


def test_every_part_says_what_is_wrong_with_it(form):
    values = held(form, {"beta_end": 2}, {"trained_betas": "0.1 nan"}) | {form.run["steps"]: 0}
    with pytest.raises(FormError) as caught:
        form.read(values)
    controls = [problem.control for problem in caught.value.problems]
    assert controls == ["steps", "a_beta_end", "b_trained_betas"]
    assert "Steps must be a whole number" in str(caught.value)


def test_a_shared_problem_is_said_once(form):
    with pytest.raises(FormError) as caught:
        form.read(held(form, {"beta_end": None}, same=True))
    assert [problem.control for problem in caught.value.problems] == ["a_beta_end"]


def test_a_form_that_lacks_a_field_is_refused():
    with gr.Blocks():
        run = {name: run_control(name, getattr(DEFAULTS, name)) for name in RUN_FIELDS[1:]}
        with pytest.raises(AssertionError, match=RUN_FIELDS[0]):
            Form(run, lanes_table(DEFAULTS.lanes))
