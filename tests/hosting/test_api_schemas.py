"""The settings as JSON Schema: it says what the settings' own checks take, and nothing else."""

import json
from dataclasses import MISSING

import jsonschema
import pytest
from fake_engine import FakeEngine

from explorer.hosting.api.schemas import run_schema
from explorer.hosting.service import Service, ServiceError
from explorer.settings import LaneSettings, RunSettings, SettingsError
from explorer.settings.limits import LIMITS
from explorer.settings.mending import LANE_FIELDS, RUN_FIELDS

SCHEMA = run_schema(RunSettings(), {"bundled": "Scenes"})
LANE = SCHEMA["$defs"]["lane"]
FIELDS = [
    *((RunSettings, name, SCHEMA["properties"][name]) for name in RUN_FIELDS),
    *((LaneSettings, name, LANE["properties"][name]) for name in LANE_FIELDS),
]


def takes(schema: dict, value: object) -> bool:
    return jsonschema.Draft202012Validator(schema).is_valid(value)


def is_taken(check, value: object) -> bool:
    try:
        check("It", value)
    except ValueError:
        return False
    return True


def values_around(schema: dict) -> list:
    """Ends of ranges and what is just beyond them, all choices, and values of other kinds."""
    values: list = ["", "nonsense", True, [], [0.5], {}]
    for each in (schema, *schema.get("anyOf", ())):
        for end, beyond in (
            ("minimum", -1),
            ("maximum", 1),
            ("exclusiveMinimum", 1e-3),
            ("exclusiveMaximum", -1e-3),
        ):
            if end in each:
                values += [each[end], each[end] + beyond, each[end] - beyond]
        values += each.get("enum", ())
        if "maxLength" in each:
            values += ["x" * each["maxLength"], "x" * (each["maxLength"] + 1)]
    return values


def test_it_is_a_schema_with_every_setting():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    json.dumps(SCHEMA, allow_nan=False)
    assert set(SCHEMA["properties"]) == {*RUN_FIELDS, "lanes"}
    assert set(LANE["properties"]) == set(LANE_FIELDS)


@pytest.mark.parametrize(("kind", "name", "schema"), FIELDS, ids=[each[1] for each in FIELDS])
def test_a_field_says_what_it_is_and_takes_what_its_check_takes(kind, name, schema):
    spec = kind.__dataclass_fields__[name]
    assert schema["title"] == spec.metadata["label"]
    assert schema["description"].startswith(spec.metadata["help"])
    assert spec.default is not MISSING
    default = list(spec.default) if isinstance(spec.default, tuple) else spec.default
    assert schema["default"] == default and takes(schema, default)
    if name in ("init_image", "sigmas", "trained_betas"):
        return  # a schema says nothing about what is inside a picture, or of lists' order
    check = spec.metadata["check"]
    for value in values_around(schema):
        if takes(schema, value) and value is not True:
            assert is_taken(check, value), value
        elif isinstance(value, int | float) and value is not True and name != "sampler":
            assert not is_taken(check, value), value


def test_limits_are_applied():
    limits = {"steps": 50, "side": 512, "batch_size": 2, "lanes": 3}
    before = {name: getattr(LIMITS, name) for name in limits}
    try:
        for name, value in limits.items():
            object.__setattr__(LIMITS, name, value)
        schema = Service(FakeEngine()).schema()
    finally:
        for name, value in before.items():
            object.__setattr__(LIMITS, name, value)
    properties = schema["properties"]
    assert properties["steps"]["maximum"] == 50 and properties["batch_size"]["maximum"] == 2
    assert properties["width"]["anyOf"][1]["maximum"] == 512
    assert properties["lanes"]["maxItems"] == 3
    assert properties["cfg_scale"]["default"] == 3  # the model's


@pytest.mark.parametrize(
    "arguments",
    [
        {"steps": 0},
        {"lanes": [{"rho": 0.01}]},
        {"lanes": [{"sampler": "ddpm"}]},
        {"nothing": 1},
        {"lanes": [{"nothing": 1}]},
        {"width": 100},
    ],
)
def test_what_the_schema_refuses_the_service_refuses(arguments):
    assert not takes(SCHEMA, arguments)
    with pytest.raises(ServiceError):
        Service(FakeEngine()).check(arguments)


def test_a_schema_of_plain_settings_takes_their_own_json():
    settings = json.loads(json.dumps(RunSettings(steps=5).to_dict()))
    assert takes(SCHEMA, settings)
    with pytest.raises(SettingsError):
        RunSettings(steps=0)
