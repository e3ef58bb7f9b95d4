"""Settings of another time or place: what is out of range is mended, and every change is said."""

from dataclasses import fields, replace

import pytest

from explorer.settings import LaneSettings, RunSettings
from explorer.settings.checks import Ranged
from explorer.settings.limits import LIMITS, Limits, set_limits
from explorer.settings.mending import LANE_FIELDS, RUN_FIELDS, mend
from explorer.settings.start_picture import picture_url


@pytest.fixture
def small_limits():
    """A server that allows less than this one did."""
    before = replace(LIMITS)
    set_limits(Limits(lanes=2, steps=50, side=512, batch_size=2))
    yield
    set_limits(before)


def test_good_settings_stay_as_they_are():
    from PIL import Image

    settings = RunSettings(
        prompt="a boat", init_image=picture_url(Image.new("RGB", (8, 8))), strength=0.5
    )
    assert mend(settings.to_dict()) == (mend({}).__class__(settings, ()))
    assert mend({}).settings == RunSettings()


@pytest.mark.parametrize("name", [n for n, s in RUN_FIELDS.items() if "check" in s.metadata])
@pytest.mark.parametrize("value", [None, "", "x", -1e12, 1e12, [], {}, True, float("nan"), "\0"])
def test_any_value_of_any_field_becomes_an_allowed_one(name, value):
    mended = mend({name: value})
    kept = getattr(mended.settings, name)
    if not mended.notes:  # it was allowed
        assert RunSettings(**{name: value}) == mended.settings
    elif isinstance(value, float) and isinstance(RUN_FIELDS[name].metadata["check"], Ranged):
        check = RUN_FIELDS[name].metadata["check"]
        nearest = {-1e12: check.low, 1e12: check.high}.get(value, RUN_FIELDS[name].default)
        assert kept in (nearest, RUN_FIELDS[name].default)
    else:
        assert kept == RUN_FIELDS[name].default


@pytest.mark.parametrize("name", LANE_FIELDS)
@pytest.mark.parametrize("value", [None, "x", -1e12, 1e12, [], [[]], {}, True, float("nan")])
def test_any_value_of_any_field_of_a_lane_becomes_an_allowed_one(name, value):
    mended = mend({"lanes": [{name: value}]})
    assert len(mended.settings.lanes) == 1
    try:
        assert mended.settings.lanes == (LaneSettings(**{name: value}),)
    except ValueError:
        assert mended.notes and all(note.startswith("Lane A: ") for note in mended.notes)


def test_the_operators_limits_are_kept_to(small_limits):
    lanes = [{"sigmas": [float(99 - at) for at in range(60)]}, {"sampler": "dpm2_a"}, {}]
    given = {"steps": 200, "width": 1024, "height": 2048, "batch_size": 9, "lanes": lanes}
    mended = mend(given)
    wanted = RunSettings(
        steps=50,
        width=512,
        height=512,
        batch_size=2,
        lanes=(LaneSettings(), LaneSettings(sampler="dpm2_a")),
    )
    assert mended.settings == wanted
    assert len(mended.notes) == 6
    for piece in (
        "A run has at most 2 lanes: the last 1 are left out.",
        "Steps may be at most 50 on this server; got 200. Steps is 50 now.",
        "Width may be at most 512 on this server; got 1024. Width is 512 now.",
        "Lane A may have at most 50 steps on this server; its sigmas are 60.",
    ):
        assert any(note.startswith(piece) for note in mended.notes), mended.notes


def test_what_leaves_nothing_to_do_is_mended():
    from PIL import Image

    picture = picture_url(Image.new("RGB", (8, 8)))
    mended = mend({"steps": 1, "strength": 0.2, "init_image": picture})
    assert mended.settings.strength == 1
    assert len(mended.notes) == 2  # the default is not enough either
    mended = mend({"steps": 1, "refiner": "r"})
    assert mended.settings == RunSettings(steps=1)


def test_many_faults_are_not_a_flood():
    mended = mend({f"unknown {at}": at for at in range(5000)})
    assert len(mended.notes) == 51
    assert mended.notes[-1] == "... and 4,950 more."


def test_every_number_knows_its_range():
    """A number's check that is no `Ranged` could not be mended to its nearest value."""
    others = {
        spec.name
        for spec in (*fields(RunSettings), *fields(LaneSettings))
        if spec.type in (int, float) and not isinstance(spec.metadata["check"], Ranged)
    }
    assert others == {"width", "height"}  # multiples of 8, or none
