"""Whatever programs send, they get plain JSON or a sentence: nothing else is raised."""

import json

import pytest
from fake_engine import FakeEngine
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from explorer.hosting.api.endpoints import EXAMPLES, OTHERS
from explorer.hosting.service import Service, ServiceError
from explorer.settings.mending import LANE_FIELDS, RUN_FIELDS
from explorer.views.answers import UNEXPECTED

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.sampled_from([10**400, -(10**30), 2**63, 1e308, float("inf"), float("nan"), -0.0, 0.5]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["\ud83d", "\0", "karras", "dpm2", "dpm2_a:eta=0.5", "auto", "automatic"]),
    st.sampled_from(["/etc/passwd", "../x", "a" * 5000, "dpm2:" + "rho=1," * 50]),
    st.just("data:image/png;base64,x"),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=4), inner, max_size=3),
        st.fixed_dictionaries({"path": inner}),
    ),
    max_leaves=6,
)
LANE = st.dictionaries(st.sampled_from([*LANE_FIELDS, "lanes", ""]), VALUES, max_size=4)
SETTINGS = st.dictionaries(
    st.sampled_from([*RUN_FIELDS, "lanes", "nothing"]), VALUES, max_size=5
) | st.fixed_dictionaries({"lanes": st.lists(LANE | VALUES, max_size=4), "steps": st.just(4)})
LONG = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uploads")
    return Service(FakeEngine(), uploads=lambda: folder)


def ask(method, *arguments) -> None:
    try:
        json.dumps(method(*arguments), allow_nan=False).encode()
    except ServiceError as error:
        said = json.dumps(error.to_dict(), allow_nan=False).encode()
        assert str(error).strip() and UNEXPECTED.encode() not in said
        assert error.status in (404, 422, 429)
        assert b"/etc/passwd" not in said.replace(b"'/etc/passwd'", b"")  # what was sent, quoted


@seed(15)
@LONG
@given(sent=SETTINGS | VALUES)
def test_settings_of_any_kind_are_answered(service, sent):
    for method in (service.schedule, service.examine, service.estimate):
        ask(method, sent)
    if isinstance(sent, dict):
        for endpoint in ("run", "schedule", "doctor", "models"):
            refusal = service.refusal(endpoint, sent)
            assert refusal is None or isinstance(refusal, ServiceError)


@seed(15)
@settings(LONG, max_examples=60)
@given(owner=st.sampled_from(["", "a" * 32]), query=VALUES, after=VALUES)
def test_any_search_of_the_history_is_answered(service, owner, query, after):
    ask(service.history, owner, query, after)


def test_examples_are_of_arguments_that_exist():
    assert set(EXAMPLES) <= {*RUN_FIELDS, "lanes", *OTHERS}
