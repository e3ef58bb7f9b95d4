"""Forged payloads over HTTP: a browser's start picture opens no file but an uploaded one."""

import json
import os
import urllib.request
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from gradio.utils import get_upload_folder
from PIL import Image

from explorer import ui
from explorer.hosting.uploaded_files import REFUSED
from explorer.views.answers import UNEXPECTED

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
    {"path": "/etc/shadow", "meta": "forged"},
    {"path": "/etc/shadow", "meta": META | {"more": 1}, "is_stream": True},
    {"path": "http://example.invalid/a.png", "meta": META},
    {"path": {"path": "/etc/shadow", "meta": META}},
    {"url": "file:///etc/passwd", "meta": META},
    [1, 2],
    7,
]


@pytest.fixture(scope="module")
def app():
    page = ui.build(FakeEngine())  # of its own: no other test has loaded a model
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    yield page, url
    page.close(verbose=False)


def redraw(app, picture: object, **others: object) -> dict:
    """What a redraw with this start picture, and other controls' values, answers."""
    page, url = app
    (event,) = (fn for fn in page.fns.values() if fn.name == "redraw" and len(fn.targets) > 1)
    given = {"init_image": picture} | others
    data = [given.get(getattr(block, "elem_id", ""), block.value) for block in event.inputs]
    body = json.dumps({"data": data, "fn_index": event._id, "session_hash": "forger"}).encode()
    call = urllib.request.Request(
        f"{url}gradio_api/run/predict", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(call, timeout=20) as answer:
        return json.load(answer)["data"][0]


def problems(answer: dict) -> list[str]:
    return [each["sentence"] for each in answer.get("value", answer)["problems"]]


@pytest.mark.parametrize("picture", FORGED, ids=lambda picture: repr(picture)[:40])
def test_a_forged_picture_is_refused_in_one_sentence(app, picture):
    assert problems(redraw(app, picture)) == [f"Start picture: {REFUSED}"]


LONG = "x" * 2**20
HALF = "\ud83d"
WRONG = [
    ("model", ["bundled"]), ("model", {"path": "/etc/shadow", "meta": META}), ("model", 7),
    ("model", HALF), ("model", LONG), ("rng", "tape"), ("rng", ["cpu"]), ("rng", HALF),
    ("steps", "many"), ("steps", [20]), ("steps", HALF), ("seed", {"path": "x", "meta": META}),
    ("cfg_scale", LONG), ("width", "9" * 5000), ("height", [8]), ("width", HALF),
    ("lanes", {"path": "http://127.0.0.1:1/a", "meta": META}), ("lanes", None), ("lanes", LONG),
    ("lanes", {"lanes": [{"path": "/etc/shadow", "meta": META}], "same": False}),
    ("lanes", {"lanes": [{HALF: 1}], "same": False}),
    ("lanes", {"lanes": [{"sigmas": HALF}], "same": False}),
    ("legend", {"quantity": "nothing"}), ("legend", {"quantity": ["sigma"]}), ("legend", "sigma"),
    ("legend", {"x": HALF}), ("legend", {"x": None}), ("legend", {"y": LONG}), ("legend", [1]),
    ("legend", {"y": ["log"]}), ("legend", {"y": {"log": 1}}),
]  # fmt: skip


@pytest.mark.parametrize(("control", "value"), WRONG, ids=lambda value: repr(value)[:40])
def test_whatever_a_control_is_sent_is_answered_with_a_sentence(app, control, value):
    (sentence, *_) = problems(redraw(app, None, **{control: value}))
    assert 10 < len(sentence) < 600
    assert sentence != UNEXPECTED


def test_pins_of_any_shape_leave_the_plot(app):
    for pins in (HALF, [HALF], [{"id": HALF, "label": HALF, "lane": {HALF: HALF}}], LONG, [[]] * 3):
        answer = redraw(app, None, legend={"pins": pins})
        assert answer.get("value", answer)["figure"]


def test_no_payload_is_fetched_or_copied(app, monkeypatch):
    """Of any component, also after one was updated: Gradio then makes another in its place."""
    page, _ = app
    moved = []
    for block in page.blocks.values():
        monkeypatch.setattr(block, "async_move_resource_to_block_cache", moved.append)
    folder = Path(get_upload_folder()) / "door-test"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "b.png").write_bytes(b"")
    for mark in (META, "forged"):
        for named in (str(folder / "b.png"), "http://127.0.0.1:1/a.png"):
            reference = {"path": named, "meta": mark}
            redraw(app, reference, legend={"pins": [reference]}, lanes={"lanes": [reference]})
    assert moved == []


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
    from explorer.settings.start_picture import picture_url

    assert problems(redraw(app, {"url": picture_url(Image.new("RGB", (8, 8)))})) == []
    (sentence,) = problems(redraw(app, {"url": "data:image/png;base64,AAAA"}))
    assert "must be a picture" in sentence
