"""The tools by the official client over HTTP: answers, pictures, progress, sentences, limits."""

import base64
import http.client
import io
import json
from collections.abc import Iterator

import pytest
from fake_engine import FakeEngine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loops import finish
from mcp import ClientSession
from mcp.shared.exceptions import McpError
from mcp.types import CallToolRequest, CallToolRequestParams, CallToolResult
from PIL import Image
from polling import wait_until
from tool_server import PATIENCE_S, Server

from explorer.doctor.explanations import EXPLANATIONS
from explorer.hosting.mcp.arguments import NOT_TAKEN
from explorer.hosting.mcp.callers import Caller
from explorer.hosting.mcp.tools import HANDLERS, Call, call
from explorer.hosting.service import Service, ServiceError
from explorer.records.permalinks import write_permalink
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.limits import Limits
from explorer.settings.mending import RUN_FIELDS
from explorer.settings.scheduler_file import write_scheduler_file
from explorer.views.answers import UNEXPECTED
from explorer.views.calls_table import calls_table
from explorer.views.glossary import GLOSSARY
from explorer.views.schedule_texts import sigmas_of

LANES = ["dpm2", "dpm2_a:schedule_type=karras"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def said(result: CallToolResult) -> str:
    """The first text of an answer, which is no error."""
    assert not result.isError, result.content
    return result.content[0].text


def refused(result: CallToolResult) -> str:
    """The sentence of an error, which names nothing of the server."""
    assert result.isError
    (text,) = (each.text for each in result.content)
    for secret in ("/tmp", "/work", "site-packages", "Traceback", "explorer/", ".py"):
        assert secret not in text
    return text


def test_the_tools_say_what_they_take(server):
    listed = server.ask(lambda session: session.list_tools()).tools
    assert [tool.name for tool in listed] == list(HANDLERS)
    for tool in listed:
        assert len(tool.description) > 60
        for name, schema in tool.inputSchema["properties"].items():
            assert schema["title"] and schema["description"], name
    (compare,) = (tool for tool in listed if tool.name == "compare_samplers")
    taken = set(compare.inputSchema["properties"])
    assert taken == {*RUN_FIELDS, "lanes"} - set(NOT_TAKEN)
    assert compare.inputSchema["properties"]["steps"]["maximum"] == 1000
    assert not compare.annotations.readOnlyHint


def test_a_schedule_is_explained_in_words_and_a_table(server):
    result = server.call("explain_schedule", lanes=LANES, steps=4)
    text = said(result)
    assert "DPM2 a Karras: 4 steps, 7 model calls, from sigma 14.61 to 0" in text
    assert "adds fresh noise of sigma_up" in text
    assert "B  DPM2 a Karras: 7 model calls, ends at sigma 0\ncall  step  stage" in text
    lanes = LaneSettings(), LaneSettings(sampler="dpm2_a", schedule_type="karras")
    assert result.structuredContent == {
        "steps": 4,
        "lanes": calls_table(RunSettings(steps=4, lanes=lanes)),
    }


def test_a_long_schedule_is_shortened(server):
    result = server.call("explain_schedule", lanes=["dpm2"] * 16, steps=1000)
    assert result.structuredContent is None
    assert len(said(result)) < 200_000
    assert said(result).count(" ...\n") == 16


@pytest.mark.parametrize("as_a1111", [False, True])
def test_a_sigma_list_is_what_other_programs_take(server, as_a1111):
    result = server.call("sigma_list", lanes=LANES, steps=6, as_a1111=as_a1111)
    for line, lane in zip(
        said(result).splitlines(),
        (LaneSettings(), LaneSettings(sampler="dpm2_a", schedule_type="karras")),
        strict=True,
    ):
        wanted = sigmas_of(lane.as_a1111() if as_a1111 else lane, 6)
        assert [float(each) for each in line.split(", ")] == pytest.approx(wanted, rel=1e-5)


def test_settings_are_examined(server):
    result = server.call("examine", lanes=["dpm2", "dpm2:prediction_type=sample"], steps=7)
    worst = result.structuredContent["findings"][0]
    assert (worst["code"], worst["lanes"]) == ("prediction_differs", [1])
    assert said(result).startswith("error: lane B: The model was trained to predict epsilon")
    assert {each["code"] for each in result.structuredContent["findings"]} <= EXPLANATIONS.keys()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a boat\nSteps: 4, Sampler: Euler, Seed: 3", "The run makes 4 model calls"),
        (json.dumps(RunSettings(steps=5).to_dict()), "2 lanes make 9 model calls each"),
        (write_permalink(RunSettings(steps=6)), "2 lanes make 11 model calls each"),
        (
            write_scheduler_file(LaneSettings(s_churn=5.0, s_tmin=300.0)),
            "Sigma churn has no effect",
        ),
    ],
)
def test_texts_of_every_kind_are_examined(server, text, sentence):
    assert sentence in said(server.call("examine", text=text))


def test_samplers_are_compared_with_pictures_and_numbers(server):
    heard = []
    server.engine.pace = 0.04
    try:
        result = server.call("compare_samplers", heard, prompt="a boat", lanes=LANES, steps=20)
    finally:
        server.engine.pace = 0.0
    assert "78 model calls" in said(result)
    kinds = [each.type for each in result.content]
    assert kinds == ["text", "text", "image", "text", "image"]
    assert [each.text for each in result.content[1::2]] == ["A  DPM2", "B  DPM2 a Karras"]
    for each in result.content[2::2]:
        with Image.open(io.BytesIO(base64.b64decode(each.data))) as picture:
            assert picture.format == "JPEG"
            assert max(picture.size) <= 512
    numbers = result.structuredContent
    assert (numbers["state"], numbers["calls"], numbers["seed"]) == ("done", 78, 7)
    assert [lane["text"] for lane in numbers["lanes"]] == LANES
    assert f"runs/{numbers['id']}/save/zip" in said(result)
    assert heard and all(made <= 39 for made, _, _ in heard)
    assert server.engine.settings.prompt == "a boat"


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("compare", {}, "There is no tool 'compare'; there are explain_schedule, examine,"),
        (
            "explain_schedule",
            {"stepz": 3},
            "stepz: There is no argument 'stepz'; did you mean steps?",
        ),
        ("explain_schedule", {"prompt": "a boat"}, "prompt: There is no argument 'prompt'"),
        (
            "explain_schedule",
            {"lanes": ["dpm3"]},
            "lanes.0.sampler: There is no sampler 'dpm3'; did you",
        ),
        (
            "explain_schedule",
            {"lanes": [{"sampler": "dpm2", "x": 1}]},
            "lanes.0.x: There is no lane argument 'x'",
        ),
        ("explain_schedule", {"lanes": "dpm2"}, "lanes: Lanes must be a list of 1 to 16 lanes"),
        ("explain_schedule", {"lanes": [["dpm2"]]}, "lanes.0: A lane is an object with a sampler"),
        (
            "explain_schedule",
            {"lanes": ["dpm2"] * 17},
            "lanes: A run has at most 16 lanes; got 17.",
        ),
        ("explain_schedule", {"steps": 10**300}, "steps: Steps must be a whole number from 1 to"),
        (
            "sigma_list",
            {"steps": "x"},
            "steps: Steps must be a whole number from 1 to 1000; got x.",
        ),
        ("sigma_list", {"as_a1111": "yes"}, "as_a1111: As A1111 must be true or false; got 'yes'."),
        (
            "sigma_list",
            {"lanes": ["dpm2_a:eta=2"]},
            "lanes.0.eta: Eta must be a number from 0 to 1",
        ),
        ("examine", {"text": 7}, "text: Text must be a string."),
        ("examine", {"text": "nothing"}, "settings_text: There are no settings in this text."),
        ("examine", {"text": "{" * 9999}, "settings_text: "),
        ("examine", {"text": "a" * 400_001}, "settings_text: A text with settings may have at"),
        (
            "examine",
            {"text": "a", "steps": 3},
            "text: With text, which has all settings, leave out steps.",
        ),
        ("examine", {"init_image": "/etc/shadow"}, "init_image: There is no argument 'init_image'"),
        (
            "compare_samplers",
            {"init_image": "/etc/shadow"},
            "init_image: There is no argument 'init_image'",
        ),
        ("compare_samplers", {"model": "/etc/shadow"}, "model: The model '/etc/shadow' is not on"),
        ("compare_samplers", {"model": ["a"]}, "model: Model must be text; got"),
        ("compare_samplers", {"prompt": "a" * 2001}, "prompt: Prompt may have at most 2,000"),
        ("compare_samplers", {"prompt": {"a": 1}}, "prompt: Prompt must be text; got"),
        ("compare_samplers", {"width": 100}, "width: Width must be 0 (the model's default) or a"),
        ("compare_samplers", {"prompt": "[nan]"}, "DPM2 a gave NaN in step 4 at sigma 5.09."),
    ],
)
def test_what_is_wrong_is_a_sentence(server, tool, arguments, sentence):
    text = refused(server.call(tool, **arguments))
    assert text.startswith(sentence)
    assert len(text) < 900


def test_what_nobody_expected_is_a_sentence_too(server):
    assert refused(server.call("compare_samplers", prompt="[boom]")) != ""
    whole = server.service.schedule
    server.service.schedule = None  # as a fault of this program would be
    try:
        assert refused(server.call("explain_schedule")) == UNEXPECTED
    finally:
        server.service.schedule = whole


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from([*RUN_FIELDS, "lanes", "text", "as_a1111"]) | st.text(max_size=9)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tool=st.sampled_from([name for name in HANDLERS if name != "compare_samplers"]),
    arguments=st.dictionaries(NAMES, ANYTHING, max_size=4),
)
def test_whatever_is_sent_is_answered_or_refused(tool, arguments):
    service = Service(FakeEngine(pace=0))

    async def quiet(*_) -> None:
        pass

    async def one() -> CallToolResult:
        return await call(tool, Call(service, arguments, Caller(), quiet))

    try:
        assert not finish(one()).isError
    except ServiceError as error:
        assert str(error)


def test_limits_hold_for_tools_as_for_the_page():
    with Server(Limits(runs_per_minute_per_address=2)) as server:
        for _ in range(2):
            assert not server.call("compare_samplers", steps=2).isError
        text = refused(server.call("compare_samplers", steps=2))
    assert text.startswith("This server starts at most 2 runs a minute for a network address")


def test_whoever_goes_ends_the_run():
    with Server(pace=0.05) as server:
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
        params = CallToolRequestParams(name="compare_samplers", arguments={"steps": 1000})
        request = CallToolRequest(method="tools/call", params=params).model_dump(exclude_none=True)
        body = json.dumps({"jsonrpc": "2.0", "id": 1, **request})
        headers = {"accept": "application/json, text/event-stream"}
        line.request("POST", "/mcp", body, headers | {"content-type": "application/json"})
        wait_until(lambda: server.engine.calls_made > 2)
        line.sock.close()
        line.close()
        wait_until(lambda: not server.engine.queue.busy)
        assert server.engine.calls_made < 1999
        assert server.service.admission.under_way == 0


def test_the_texts_are_the_glossary_and_what_findings_mean(server):
    listed = server.ask(lambda session: session.list_resources()).resources
    texts = {
        each.name: server.ask(lambda session, uri=each.uri: session.read_resource(uri)).contents[0]
        for each in listed
    }
    assert all(f"**{word}**" in texts["glossary"].text for word in GLOSSARY)
    assert all(f"**{code}**" in texts["findings"].text for code in EXPLANATIONS)
    one = server.ask(lambda session: session.read_resource("sampler-explorer://findings/wide_step"))
    assert one.contents[0].text == EXPLANATIONS["wide_step"]
    (template,) = server.ask(lambda session: session.list_resource_templates()).resourceTemplates
    assert template.uriTemplate == "sampler-explorer://findings/{code}"


@pytest.mark.parametrize(
    "uri", ["file:///etc/passwd", "sampler-explorer://findings/../x", "sampler-explorer://nothing"]
)
def test_no_other_text_is_there(server, uri):
    async def read(session: ClientSession) -> str:
        with pytest.raises(McpError) as caught:
            await session.read_resource(uri)
        return str(caught.value)

    assert server.ask(read).startswith("There is no text ")


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("GET", b"", 405),
        ("DELETE", b"", 405),
        ("POST", b"no JSON", 400),
        ("POST", b"{}", 400),
        ("POST", b"[" * 100_000, 400),
        ("POST", rb'{"jsonrpc": "2.0", "id": "\ud83d", "method": "tools/list"}', 400),
        (
            "POST",
            rb'{"jsonrpc": "2.0", "id": 1, "method": "tools/list", '
            rb'"params": {"_meta": {"progressToken": "\ud83d"}}}',
            400,
        ),
        ("POST", b"x" * (3 << 20), 413),
    ],
)
def test_requests_that_are_none_of_the_protocol_are_refused(server, method, body, status):
    got, text = server.post(body, method)
    assert got == status
    for secret in ("/tmp", "/work", "site-packages", "Traceback"):
        assert secret not in text
