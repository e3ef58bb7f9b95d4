"""Programs over HTTP: the named endpoints, what they refuse, and every example of docs/api.md."""

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from PIL import Image
from polling import wait_until

from explorer.hosting.api.endpoints import ENDPOINTS
from explorer.settings.mending import RUN_FIELDS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "api.md").read_text()
EXAMPLES = re.findall(
    r"```(bash|python|javascript)\n(.*?)```\n\n```text\n(.*?)```", DOCUMENT, re.DOTALL
)
RUNNERS = {
    "bash": ["bash", "-eu"],
    "python": [sys.executable, "-"],
    "javascript": ["node", "--input-type=module", "-"],
}
PATIENCE_S = 120
ME, OTHER = {"x-visitor": "a" * 32}, {"x-visitor": "b" * 32}
FAR = {"x-forwarded-for": "9.9.9.9"}  # a visitor of a server that others reach
NAMES = {f"/{each.name}" for each in ENDPOINTS}


@pytest.fixture(scope="module")
def http(keeping_server):
    with httpx.Client(base_url=keeping_server, timeout=PATIENCE_S) as client:
        yield client


def call(http, name, arguments, headers=None) -> tuple[int, dict | list]:
    """The status and the answer; of a stream that of its last event."""
    asked = http.post(f"gradio_api/call/v2/{name}", json=arguments, headers=headers)
    if asked.status_code != 200:
        return asked.status_code, asked.json()
    answer = http.get(f"gradio_api/call/{name}/{asked.json()['event_id']}", headers=headers)
    (*_, kind), data = re.findall(r"event: (\w+)", answer.text), answer.text.split("data: ")[-1]
    assert kind in ("complete", "error"), answer.text
    return (200 if kind == "complete" else 500), json.loads(data)


def run(http, headers=None, **arguments) -> dict:
    status, answer = call(http, "run", {"steps": 2, "lanes": ["dpm2"]} | arguments, headers)
    assert status == 200
    return answer[0]


# --- the document --------------------------------------------------------------------------------


def test_every_block_of_the_document_is_run():
    code = re.findall(r"```(?:bash|python|javascript)\n", DOCUMENT)
    assert len(code) == len(EXAMPLES) >= 7


@pytest.mark.parametrize(
    ("language", "code", "expected"), EXAMPLES, ids=[f"{n}_{e[0]}" for n, e in enumerate(EXAMPLES)]
)
def test_an_example_of_the_document_prints_what_it_says(
    keeping_server, tmp_path, language, code, expected
):
    Image.new("RGB", (128, 128), "orange").save(tmp_path / "start.png")
    code = code.replace("http://127.0.0.1:7860/", keeping_server)
    code = code.replace("http://127.0.0.1:7860", keeping_server.rstrip("/"))
    done = subprocess.run(
        RUNNERS[language],
        input=code,
        text=True,
        capture_output=True,
        timeout=PATIENCE_S,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    for line in expected.splitlines():
        assert line in done.stdout, done.stdout


def test_the_document_and_the_endpoints_are_the_same():
    assert set(re.findall(r"^\| `(/\w+)` \|", DOCUMENT, re.MULTILINE)) == NAMES


# --- what is told of the endpoints ---------------------------------------------------------------


def test_exactly_the_public_endpoints_are_told_with_useful_words(http):
    info = http.get("gradio_api/info").json()
    assert set(info["named_endpoints"]) == NAMES and not info["unnamed_endpoints"]
    for name, endpoint in info["named_endpoints"].items():
        assert len(endpoint["description"]) > 40, name
        assert all(each["type"]["description"] for each in endpoint["parameters"])
        assert all(each["parameter_has_default"] for each in endpoint["parameters"])
        (returned,) = endpoint["returns"]
        assert len(returned["type"]["description"]) > 20
    of_run = info["named_endpoints"]["/run"]["parameters"]
    assert [each["parameter_name"] for each in of_run] == [*RUN_FIELDS, "lanes"]
    assert of_run[3]["type"]["maximum"] == 1000


def test_the_openapi_description_has_them_too(http):
    paths = http.get("gradio_api/openapi.json").json()["paths"]
    assert {f"/gradio_api/call/v2{name}" for name in NAMES} <= set(paths)


def test_agents_are_told_each_endpoint_with_its_arguments(http):
    answer = http.get("agents.md")
    assert answer.headers["content-type"].startswith("text/markdown")
    assert set(re.findall(r"^## (/\w+)$", answer.text, re.MULTILINE)) == NAMES
    for name in (*RUN_FIELDS, "lanes", "settings", "query"):
        assert f"- `{name}`: " in answer.text
    bodies = re.findall(r"-d '(.*)' \\\n +SERVER/gradio_api/call/v2/(\w+)", answer.text)
    assert len(bodies) == len(NAMES)
    for body, name in bodies:  # what an agent would send works as it is
        assert call(http, name, json.loads(body))[0] == 200


def test_the_schema_is_served(http):
    schema = http.get("schema.json").json()
    assert schema["properties"]["steps"]["maximum"] == 1000
    assert schema["$defs"]["lane"]["properties"]["eta"]["description"]


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "field"),
    [
        ("run", {"steps": 5000}, "steps"),
        ("run", {"lanes": [{"sampler": "dpm2"}, {"rho": -1}]}, "lanes.1.rho"),
        ("run", {"init_image": "/etc/passwd"}, "init_image"),
        ("run", {"init_image": {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}},
         "init_image"),
        ("run", {"init_image": {"url": "http://127.0.0.1:1/x.png",
                                "meta": {"_type": "gradio.FileData"}}}, "init_image"),
        ("run", {"seeed": 1}, "seeed"),
        ("schedule", {"lanes": "dpm2"}, "lanes"),
        ("estimate", {"settings": {"model": "../secret"}}, "model"),
        ("doctor", {"settings": {"lanes": [5]}}, "lanes.0"),
        ("doctor", {"settings": "x"}, ""),
        ("models", {"all": True}, "all"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_422_with_its_field_before_anything_waits(http, name, arguments, field):
    status, answer = call(http, name, arguments)
    assert status == 422 and answer["field"] == field
    assert len(answer["error"]) > 15 and "/etc" not in answer["error"]


def test_what_is_answered_at_once_is_refused_with_the_same_status(http):
    answer = http.post("gradio_api/run/schedule", json={"data": [["dpm2:eta=x"], 3, None]})
    assert answer.status_code == 422 and answer.json()["field"] == "lanes.0.eta"
    assert "Eta must be" in answer.json()["error"]
    assert http.post("gradio_api/run/schedule", json={"data": [1]}).status_code == 422


def test_an_unexpected_error_is_a_sentence(http, keeping_engine):
    answer = run(http, prompt="[boom]")
    assert answer["state"] == "error" and "<b>" not in answer["message"]


def test_no_name_leads_to_an_event_of_the_page(http):
    config = http.get("config").json()
    private = [each for each in config["dependencies"] if each["api_visibility"] != "public"]
    assert len(private) > 10
    for each in private:
        name = each["api_name"]
        if not name or f"/{name}" in NAMES:
            continue
        for path in (f"call/{name}", f"call/v2/{name}", f"run/{name}", f"api/{name}"):
            body = {"data": [None] * len(each["inputs"])}
            assert http.post(f"gradio_api/{path}", json=body).status_code == 404, path


def test_a_name_does_not_change_which_event_a_number_asks_for(http):
    """The page's own run by its number under a public name: it is checked as that event."""
    config = http.get("config").json()
    (number,) = (each["id"] for each in config["dependencies"] if each["api_name"] == "run_1")
    for path in ("run/models", "api/models"):
        answer = http.post(f"gradio_api/{path}", json={"data": [], "fn_index": number})
        assert answer.status_code == 422, path
    asked = http.post("gradio_api/call/models", json={"data": [], "fn_index": number})
    assert asked.status_code == 200  # that of the name
    answer = http.get(f"gradio_api/call/models/{asked.json()['event_id']}")
    assert "bundled" in answer.text


# --- whose a run is, and when it stops -----------------------------------------------------------


def test_a_run_is_its_visitors_with_its_files_and_history(http):
    answer = run(http, ME | FAR, prompt="mine")
    assert answer["visitor"] == "a" * 32 and "base64" not in json.dumps(answer)
    address = answer["result"]["files"]["zip"]
    assert http.get(address, headers=ME | FAR).status_code == 200
    assert http.get(address, headers=OTHER | FAR).status_code == 404
    assert http.get(address, headers=FAR).status_code == 403
    picture = http.get(answer["result"]["lanes"][0]["image"])
    assert picture.content.startswith(b"\x89PNG")

    def kept(headers) -> list[str]:
        return [each["id"] for each in call(http, "history", {}, headers)[1][0]["runs"]]

    assert answer["id"] in kept(ME | FAR)
    assert answer["id"] not in kept(OTHER | FAR)
    assert kept(FAR) == []


def test_who_says_no_name_is_given_one_that_gets_the_files(http):
    answer = run(http, FAR)
    named = {"x-visitor": answer["visitor"]} | FAR
    assert http.get(answer["result"]["files"]["table"], headers=named).status_code == 200
    assert http.get(answer["result"]["files"]["table"], headers=ME | FAR).status_code == 404


def test_closing_the_stream_stops_the_run(http, keeping_engine, keeping_server):
    keeping_engine.hold_at = 3
    before = keeping_engine.calls_made
    asked = http.post("gradio_api/call/v2/run", json={"steps": 9, "lanes": ["dpm2"]})
    path = f"gradio_api/call/run/{asked.json()['event_id']}"
    with httpx.stream("GET", keeping_server + path, timeout=PATIENCE_S) as stream:
        for line in stream.iter_lines():
            if '"call": 3' in line:
                break
    wait_for_rest(keeping_engine)
    assert keeping_engine.calls_made == before + 3


def test_a_run_that_nobody_reads_does_not_begin(http, keeping_engine):
    before = keeping_engine.calls_made
    for _ in range(3):
        body = {"steps": 2, "lanes": ["dpm2"]}
        assert http.post("gradio_api/call/v2/run", json=body).status_code == 200
    answer = run(http)  # which comes after them
    assert answer["state"] == "done"
    assert keeping_engine.calls_made == before + 3


def wait_for_rest(engine) -> None:
    wait_until(lambda: not engine.queue.busy)
