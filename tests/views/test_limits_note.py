"""What the page says of an operator's limits, and where."""

from dataclasses import replace

import pytest
from fake_engine import FakeEngine

from explorer.settings.limits import HOST, MINE, PLACES, SPACE, Limits, place_of, set_limits
from explorer.views.limits import field_note, limits_note
from explorer.views.model_card import model_card


@pytest.fixture
def limited():
    """A function that sets this process's limits until the test is over."""
    yield set_limits
    set_limits(Limits())


def test_ones_own_machine_says_nothing():
    assert limits_note(Limits.for_place(MINE)) == ""
    assert field_note(Limits.for_place(MINE), "steps") == ""
    assert model_card(FakeEngine(), "bundled")["notes"] == []


def test_a_space_says_once_what_a_run_may_be(limited):
    limited(Limits.for_place(SPACE))
    assert model_card(FakeEngine(), "bundled")["notes"] == [
        "On this server a run has at most 250 steps, 1,024 pixels a side, 4 pictures a lane and 3 "
        "minutes of time. Whoever runs this server has switched off other models of the hub."
    ]
    assert model_card(FakeEngine(anything=True), "bundled")["notes"][0].endswith("of time.")


def test_a_server_with_one_limit_says_that_one():
    limits = replace(Limits(), lanes=2)
    assert limits_note(limits) == "On this server a run has at most 2 lanes."
    assert "has switched off other models" in limits_note(replace(Limits(), hub_models=0))


def test_a_field_with_a_limit_says_it(limited):
    from explorer.ui.form import run_control

    limited(replace(Limits(), steps=50, side=512, batch_size=2))
    for name, most in (("steps", 50), ("width", 512), ("height", 512), ("batch_size", 2)):
        control = run_control(name, 0)
        assert f"At most {most} on this server." in (control.info or "")
        assert getattr(control, "maximum", None) is None  # Gradio's own check has no sentence
    assert "on this server" not in (run_control("cfg_scale", 7).info or "")


def test_every_place_has_its_defaults():
    assert Limits.for_place(MINE) == Limits()
    assert Limits.for_place(HOST).hub_models == Limits.for_place(SPACE).hub_models == 0
    for name in ("steps", "lanes", "side", "batch_size", "waiting_runs", "keep_uploads_s"):
        mine, host, space = (getattr(Limits.for_place(place), name) for place in PLACES)
        assert mine >= host >= space
    for name in ("run_s", "runs_per_minute", "device_s_per_minute", "waiting_runs_per_address"):
        assert getattr(Limits.for_place(MINE), name) == 0
        assert getattr(Limits.for_place(SPACE), name) > 0


@pytest.mark.parametrize(
    ("environment", "is_shared", "place"),
    [
        ({}, False, MINE),
        ({}, True, HOST),
        ({"GRADIO_ROOT_PATH": "/explorer"}, False, HOST),
        ({"SPACE_ID": "a/b"}, True, SPACE),
        ({"SPACE_ID": ""}, False, MINE),
    ],
)
def test_where_the_program_runs_is_noticed(environment, is_shared, place):
    assert place_of(environment, is_shared) == place


def test_a_place_gives_the_defaults_and_flags_and_variables_come_first():
    from explorer.settings.limit_options import read_limits

    assert read_limits({}, {}, SPACE) == Limits.for_place(SPACE)
    read = read_limits({"steps": "1000"}, {"EXPLORER_RUN_S": "0"}, SPACE)
    assert (read.steps, read.run_s, read.lanes) == (1000, 0, 6)


def test_models_of_the_hub_are_offered_only_where_they_may_be_loaded():
    from explorer.engine import Engine
    from explorer.models.catalog import KNOWN, ModelError

    known = next(iter(KNOWN))
    assert Engine("bundled", "cpu").catalog.find(known).source == known
    engine = Engine("bundled", "cpu", limits=Limits.for_place(SPACE))
    assert [entry.name for entry in engine.entries] == ["bundled"]
    with pytest.raises(ModelError, match=r"does not load Stable Diffusion 1\.5 of the hub; choose"):
        engine.catalog.find(known)
    allowed = Engine("bundled", "cpu", allow=[known], limits=Limits.for_place(SPACE))
    assert allowed.catalog.find(known).source == known


def test_a_model_of_the_hub_is_refused_at_the_door_by_its_limit():
    from explorer.engine import Engine
    from explorer.hosting.admission import Admission
    from explorer.models.catalog import KNOWN
    from explorer.settings import Refused, RunSettings, SettingsError

    limits = Limits.for_place(SPACE)
    admission = Admission(Engine("bundled", "cpu", limits=limits), limits)
    for field in ("model", "refiner"):
        with pytest.raises(Refused, match="does not load") as caught:
            admission.admit(RunSettings(**{field: next(iter(KNOWN))}))
        assert (caught.value.limit, caught.value.field) == ("hub_models", field)
    with pytest.raises(SettingsError, match="not on this app's list") as caught:
        admission.admit(RunSettings(model="some/other"))
    assert not isinstance(caught.value, Refused)
