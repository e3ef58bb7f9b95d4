"""POST settings: texts, pictures, links and kept forms come back as the form's values."""

import base64
import io
import json
import time
import zlib

import pytest
from fake_engine import FakeEngine
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from starlette.applications import Starlette
from starlette.testclient import TestClient

from explorer.hosting.settings_routes import routes
from explorer.records.permalinks import read_permalink, write_permalink
from explorer.settings import LaneSettings, RunSettings
from explorer.views.form_values import FORM_FIELDS, default_values, form_values, read_form

A1111 = (
    "a boat\nNegative prompt: fog\nSteps: 25, Sampler: DPM2 a, Schedule type: Karras, "
    "CFG scale: 6.5, Seed: 42, Size: 512x768, Model: other, Clip skip: 2, Version: v1.10.1"
)
SETTINGS = RunSettings(
    prompt="a <b>boat</b>",
    steps=30,
    model="turbo",
    lanes=(LaneSettings(rho=5, schedule_type="karras"), LaneSettings(sampler="euler")),
)


def client_of(environment: dict[str, str]) -> TestClient:
    engine = FakeEngine()
    return TestClient(Starlette(routes=routes(lambda app: engine, environment)))


@pytest.fixture(scope="module")
def client() -> TestClient:
    return client_of({})


def post(client: TestClient, **data) -> dict:
    answer = client.post("/settings", json=data)
    assert answer.status_code == 200, answer.text
    return answer.json()


def png(**texts: str) -> bytes:
    info, file = PngInfo(), io.BytesIO()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def settings_of(values: dict) -> RunSettings:
    return read_form(values, str)


def test_a_text_of_a1111_is_the_forms_values_and_a_list_of_the_rest(client):
    opened = post(client, text=A1111)
    assert opened["source"] == "A1111"
    values = opened["values"]
    assert values["prompt"] == "a boat" and values["negative_prompt"] == "fog"
    assert (values["steps"], values["seed"], values["cfg_scale"]) == (25, 42, 6.5)
    assert (values["width"], values["height"]) == ("512", "768")
    assert "model" not in values  # not offered here: the page keeps its own
    assert values["init_image"] is None
    lane = values["lanes"]["lanes"][0]
    assert (lane["sampler"], lane["schedule_type"]) == ("dpm2_a", "karras")
    assert lane["discard_penultimate_sigma"] is True
    assert opened["unmapped"] == [
        {"key": "Model", "value": "other", "reason": "not among the models here"},
        {"key": "Clip skip", "value": "2", "reason": "the text encoder's last layer is used here"},
    ]
    assert [each["key"] for each in opened["informative"]] == ["Version"]
    assert any("Discard penultimate sigma on" in note for note in opened["notes"])
    assert settings_of(values).lanes[0].label == "DPM2 a Karras"


def test_what_a_text_does_not_say_is_assumed_and_said(client):
    opened = post(client, text="a boat\nSteps: 25, Size: 512x512, Clip skip: 1")
    assert opened["notes"][-1] == (
        "Not in it, so the default here: Sampler DPM2, Schedule type Automatic, CFG scale 7 and "
        "Seed 7."
    )


def test_a_picture_says_the_same(client):
    for kind in ("image/png", "application/octet-stream", ""):
        answer = client.post(
            "/settings", content=png(parameters=A1111), headers={"content-type": kind}
        )
        assert answer.json() == post(client, text=A1111)


def test_our_own_json_brings_every_lane_and_its_model(client):
    opened = post(client, text=json.dumps(SETTINGS.to_dict()))
    assert opened["source"] == "Sampler Explorer"
    assert opened["values"]["model"] == "turbo"
    assert not opened["values"]["lanes"]["same"]
    assert settings_of(opened["values"]) == SETTINGS


@pytest.mark.parametrize("address", ["", "https://huggingface.co/spaces/a/b?s=", "?x=1&s="])
def test_a_link_is_opened_whole(client, address):
    if address.startswith("?"):
        address = f"http://127.0.0.1:7860/explorer/{address}"
    text = write_permalink(SETTINGS)
    for opened in (post(client, link=address + text), post(client, text=address + text)):
        assert opened["source"] == "a link"
        assert settings_of(opened["values"]) == SETTINGS
        assert opened["notes"] == []


def test_no_model_is_taken_that_the_menu_does_not_offer(client):
    """A link must not make a server load what whoever wrote it would like to see loaded."""
    hostile = RunSettings(model="/etc/passwd", refiner="evil/model")
    opened = post(client, link=write_permalink(hostile))
    assert "model" not in opened["values"] and opened["values"]["refiner"] == ""
    assert opened["notes"] == [
        "The model /etc/passwd is not in the menu here.",
        "The refiner evil/model is not in the menu here.",
    ]


def test_more_lanes_than_the_page_shows_are_counted(client):
    opened = post(client, link=write_permalink(RunSettings(lanes=(LaneSettings(),) * 8)))
    assert len(opened["values"]["lanes"]["lanes"]) == 6
    assert opened["notes"] == ["The page has 6 lanes at most: the last 2 are left out."]


def test_the_form_becomes_a_link_and_the_link_the_form(client):
    values = form_values(SETTINGS) | {"init_image": {"path": "/tmp/gradio/x.png"}}
    made = client.post("/settings/link", json=values).json()
    assert made["notes"] == ["The start picture is not in the link."]
    assert made["address"] == ""
    read = read_permalink(made["link"])
    assert (read.settings, read.from_a_picture) == (SETTINGS, True)


def test_on_a_space_the_address_is_the_spaces(client):
    made = client_of({"SPACE_ID": "some/body"}).post("/settings/link", json=form_values(SETTINGS))
    link = made.json()
    assert link["address"] == f"https://huggingface.co/spaces/some/body?s={link['link']}"


def test_a_form_that_is_wrong_makes_no_link(client):
    answer = client.post("/settings/link", json=form_values(SETTINGS) | {"steps": 0})
    assert answer.status_code == 422
    assert answer.json() == {"message": "Steps must be a whole number from 1 to 1000; got 0."}


def test_a_kept_form_of_another_version_is_mended(client):
    kept = form_values(SETTINGS)
    kept |= {"steps": 99_999, "gone": 1, "model": "gone", "width": "7", "init_image": {"path": "x"}}
    del kept["cfg_scale"]
    del kept["lanes"]["lanes"][0]["eta"]
    kept["lanes"]["lanes"][0] |= {"s_noise": "5000", "sigmas": "9, 5, 1", "rho": "x"}
    opened = post(client, form=kept)
    values = opened["values"]
    assert values.keys() == set(FORM_FIELDS) - {"init_image", "model", "cfg_scale"}
    assert (values["steps"], values["width"]) == (1000, "")
    lane = values["lanes"]["lanes"][0]
    assert (lane["s_noise"], lane["sigmas"], lane["rho"]) == (1000, "9.0, 5.0, 1.0", 0)
    assert values["lanes"]["same"] is False
    assert len(opened["notes"]) == 6, opened["notes"]


def test_a_kept_form_that_is_good_comes_back_as_it_was(client):
    for settings in (RunSettings(), SETTINGS):
        kept = form_values(settings) | {"model": "turbo"}
        del kept["init_image"]
        opened = post(client, form=kept)
        assert (opened["values"], opened["notes"]) == (kept, [])


def test_the_defaults_of_a_model(client):
    values = post(client, defaults="turbo")["values"]
    assert (values["model"], values["steps"], values["cfg_scale"]) == ("turbo", 4, 1)
    assert post(client, defaults="")["values"] == default_values(FakeEngine())
    answer = client.post("/settings", json={"defaults": "none"})
    assert answer.status_code == 422 and "not on this app's list" in answer.json()["message"]


BOMB = zlib.compressobj(9, zlib.DEFLATED, -15)
BOMB = BOMB.compress(b"[" * 4_000_000) + BOMB.flush()
HOSTILE = {
    "no JSON": b"{",
    "a list": b"[]",
    "nothing": b"{}",
    "a number": b'{"text": 5}',
    "nested": b'{"text":' + b"[" * 100_000,
    "no settings": b'{"text": "a boat"}',
    "a scheduler's": b'{"text": "{\\"_class_name\\": \\"PNDMScheduler\\"}"}',
    "no link": b'{"link": "<img src=x onerror=window.hit=1>"}',
    "a long text": json.dumps({"text": "x" * 500_000}).encode(),
    "a long link": json.dumps({"link": "1." + "A" * 100_000}).encode(),
    "a bomb": json.dumps({"link": "1." + base64.urlsafe_b64encode(BOMB).decode()}).encode(),
    "a newer link": b'{"link": "9.AAAA"}',
    "surrogates": b'{"text": "\\ud83d Steps: 1, \\ud83d: 2"}',
}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("route", ["/settings", "/settings/link"])
def test_what_cannot_be_read_is_a_sentence(client, route, what):
    kind = {"content-type": "application/json"}
    answer = client.post(route, content=HOSTILE[what], headers=kind)
    assert answer.status_code == 422
    message = answer.json()["message"]
    assert message.endswith(".") and len(message) < 400 and "Traceback" not in message


@pytest.mark.parametrize(
    "file", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"x" * 10_000, png(), png(workflow="{}")]
)
def test_a_file_without_settings_is_a_sentence(client, file):
    answer = client.post("/settings", content=file, headers={"content-type": "image/png"})
    assert answer.status_code == 422
    assert answer.json()["message"].endswith(".")


@pytest.mark.parametrize(
    "text",
    ['{"lanes":[' + ",".join(["1", "{}"] * 60_000) + "]}", "<lora:" * 60_000 + "\nSteps: 3"],
    ids=["lanes", "networks"],
)
def test_a_strangers_text_takes_no_minutes(client, text):
    began = time.process_time()
    assert post(client, text=text)["values"]
    assert time.process_time() - began < 5


def test_of_ten_thousand_unknown_settings_some_are_listed_and_the_others_counted(client):
    text = json.dumps({"steps": 3} | {f"x{number}": 0 for number in range(10_000)})
    unmapped = post(client, text=text)["unmapped"]
    assert [each["key"] for each in unmapped[:2]] == ["x0", "x1"]
    assert (len(unmapped), unmapped[-1]["key"]) == (201, "9,800 more")


def test_an_empty_form_is_a_sentence(client):
    answer = client.post("/settings/link", json={"prompt": "a"})
    assert answer.status_code == 422 and "reload the page" in answer.json()["message"]
    for form in ({}, {"lanes": 3}, {"lanes": {"lanes": [3, {"x": 1}]}}, {"steps": [[]]}):
        assert post(client, form=form)["source"] == "the settings kept here"


def test_a_scheduler_config_is_told_where_it_belongs(client):
    config = json.dumps({"_class_name": "PNDMScheduler", "beta_start": 0.00085})
    answer = client.post("/settings", json={"text": config})
    assert answer.status_code == 422
    assert answer.json()["message"].startswith("This is a scheduler_config.json: open it in")
