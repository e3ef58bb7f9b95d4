"""Forged payloads over HTTP: a browser's start picture opens no file but an uploaded one."""

import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from explorer import ui
from explorer.uploads import REFUSED

META = {"_type": "gradio.FileData"}
FORGED = [
    {"path": "/etc/shadow"},
    {"path": "/etc/shadow", "meta": META},
    {"path": "/dev/zero"},
    {"path": "/dev/zero", "meta": META},
    {"path": "/"},
    {"path": "../../etc/passwd", "meta": {"_type": "other"}},
    {"path": "a\0b"},
    {"path": "\ud83d"},
    {"path": "x" * 2**20},
    {"path": 3},
    {"path": ["/etc/passwd"]},
    {"path": None, "url": None, "orig_name": "a.png"},
    {"url": "http://127.0.0.1:1/a.png"},
    {"path": "http://127.0.0.1:1/a.png"},
    {"path": "http://169.254.169.254/latest/meta-data", "meta": META},
    {"path": "file:///etc/passwd"},
    "/etc/passwd",
    [1, 2],
    7,
]


@pytest.fixture(scope="module")
def app(engine):
    page = ui.build(engine)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    yield page, url
    page.close(verbose=False)


def redraw(app, picture: object) -> dict:
    """What a redraw with this start picture answers: `{"status", "data"}`."""
    page, url = app
    (event,) = (fn for fn in page.fns.values() if fn.name == "redraw" and len(fn.targets) > 1)
    data = [
        picture if getattr(block, "elem_id", "") == "init_image" else block.value
        for block in event.inputs
    ]
    body = json.dumps({"data": data, "fn_index": event._id, "session_hash": "forger"}).encode()
    call = urllib.request.Request(
        f"{url}gradio_api/run/predict", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(call, timeout=20) as answer:
            return {"status": answer.status, "data": json.load(answer)["data"][0]}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "data": error.read().decode()}


def problems(answer: dict) -> list[str]:
    value = answer["data"]
    return [each["sentence"] for each in value.get("value", value)["problems"]]


@pytest.mark.parametrize("picture", FORGED, ids=lambda picture: repr(picture)[:40])
def test_a_forged_picture_is_refused_in_one_sentence(app, picture):
    answer = redraw(app, picture)
    if answer["status"] == 200:
        assert problems(answer) == [f"Start picture: {REFUSED}"]
    else:  # Gradio's own check of a path with its mark comes first
        assert isinstance(picture, dict) and picture.get("meta") == META
        assert "root:" not in answer["data"]


def test_an_uploaded_picture_is_used_and_a_link_out_of_the_folder_is_not(app, tmp_path):
    folder = Path(get_upload_folder()) / "door-test"
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    (folder / "out.png").unlink(missing_ok=True)
    os.symlink(tmp_path / "secret.png", folder / "out.png")
    assert problems(redraw(app, {"path": str(folder / "a.png")})) == []
    for named in (folder / "out.png", tmp_path / "secret.png", folder):
        assert problems(redraw(app, {"path": str(named)})) == [f"Start picture: {REFUSED}"]


def test_a_data_url_is_a_picture_too(app):
    from explorer.pictures import picture_url

    assert problems(redraw(app, {"url": picture_url(Image.new("RGB", (8, 8)))})) == []
    (sentence,) = problems(redraw(app, {"url": "data:image/png;base64,AAAA"}))
    assert "must be a picture" in sentence
