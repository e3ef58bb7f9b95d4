"""Pictures of this program and others, dropped to get their settings back."""

import io
import json

import numpy as np
import pytest
from made_runs import made_settings, made_trajectory, start_picture
from PIL import Image, ImageFile
from PIL.PngImagePlugin import PngInfo
from test_comfy_graphs import BASIC

from explorer.capture.trajectory import Trajectory
from explorer.records.interchange import read_settings
from explorer.records.interchange.picture_text import KEY, PARAMETERS, picture_texts
from explorer.records.pictures import lane_png
from explorer.settings.fields import SettingsError

TEXT = (
    "ein Böot ⛵\nNegative prompt: fog\nSteps: 9, Sampler: DPM2, CFG scale: 3, Seed: 2, Size: 64x64"
)
PICTURE = Image.fromarray(np.zeros((8, 8, 3), np.uint8))


def png(**texts: str) -> bytes:
    info = PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    file = io.BytesIO()
    PICTURE.save(file, "PNG", pnginfo=info)
    return file.getvalue()


def with_comment(comment: bytes, kind: str) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = comment
    file = io.BytesIO()
    PICTURE.save(file, kind, exif=exif)
    return file.getvalue()


def test_a_picture_of_ours_gives_back_all_its_settings():
    settings = made_settings()
    read = read_settings(lane_png(made_trajectory(settings, 1)))
    assert read.source == "Sampler Explorer"
    assert (read.settings, read.unmapped, read.notes) == (settings, (), ())


def test_a_picture_of_ours_carries_the_text_that_a1111_reads():
    file = lane_png(made_trajectory(made_settings(), 1))
    text = Image.open(io.BytesIO(file)).text[PARAMETERS]
    assert text.startswith(
        'a red boat, "evening":\nlow sun ⛵\nNegative prompt: fog, rain\nSteps: 3'
    )
    assert "Sampler: DPM2 a, Schedule type: Karras, CFG scale: 7, Seed: 7, Size: 16x16" in text
    read = read_settings(text)
    assert read.settings.lanes == made_settings().lanes[1:]
    assert [each.key for each in read.unmapped] == ["Size", "Model"]  # of so small a picture


def test_a_start_picture_is_asked_for():
    file = lane_png(made_trajectory(made_settings(init_image=start_picture()), 0))
    read = read_settings(file)
    assert "start picture" in read.notes[0]
    assert read.settings.init_image == ""
    assert b"base64" not in file


def test_settings_that_are_unknown_make_no_text():
    images = np.zeros((1, 8, 8, 3), np.uint8)
    for settings in ({}, {"turbulence": 1}, made_settings().to_dict()):
        trajectory = Trajectory(settings=settings, images=images, lane=2)
        assert PARAMETERS not in Image.open(io.BytesIO(lane_png(trajectory))).text


@pytest.mark.parametrize(
    "file",
    [
        png(parameters=TEXT),
        png(parameters=TEXT, prompt=json.dumps(BASIC)),
        with_comment(b"UNICODE\0" + TEXT.encode("utf-16-be"), "JPEG"),
        with_comment(b"UNICODE\0" + TEXT.encode("utf-16-le"), "WEBP"),
        with_comment(b"ASCII\0\0\0" + TEXT.encode(), "JPEG"),
        with_comment(TEXT.encode(), "JPEG"),
        png(**{KEY: "not ours", "parameters": TEXT}),
    ],
    ids=["png", "both", "jpeg", "webp", "ascii", "bare", "damaged"],
)
def test_a_picture_of_another_program_is_read(file):
    read = read_settings(file)
    assert read.settings.prompt == "ein Böot ⛵"
    assert (read.settings.steps, read.settings.cfg_scale, read.settings.seed) == (9, 3.0, 2)


def test_a_picture_of_comfyui_is_read():
    read = read_settings(png(prompt=json.dumps(BASIC), workflow="{}"))
    assert (read.source, read.settings.steps) == ("ComfyUI", 20)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"", "no picture that can be read"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "no picture that can be read"),
        (b"GIF89a" + bytes(100), "no picture that can be read"),
        (png(parameters=TEXT)[:60], "no picture that can be read"),
        (bytes(20 * 2**20 + 1), "too large"),
        (png(), "no settings in this picture"),
        (png(Comment="hello"), "no settings in this picture"),
        (png(parameters="a boat"), "no settings in this text"),
        (png(workflow="{}"), "workflow without its prompt graph"),
    ],
)
def test_a_picture_without_settings_is_a_sentence(file, words):
    with pytest.raises(SettingsError, match=rf"{words}.*\.$"):
        read_settings(file)


def test_a_bomb_of_text_is_a_sentence():
    info = PngInfo()
    info.add_itxt(PARAMETERS, "Steps: 1, " * 10**6, zip=True)
    file = io.BytesIO()
    PICTURE.save(file, "PNG", pnginfo=info)
    assert len(file.getvalue()) < 10**5
    with pytest.raises(SettingsError):
        read_settings(file.getvalue())


def test_a_picture_is_not_decoded_for_its_text(monkeypatch):
    """A small file may hold gigabytes of pixels, and one that was cut off has its text still."""
    file = png(parameters=TEXT)

    def decoded(self):
        raise AssertionError("it was decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded)
    assert read_settings(file).settings.steps == 9
    assert read_settings(file[:-20]).settings.steps == 9


def test_the_error_of_a_bomb_does_not_hold_its_texts():
    """The 64 MB that Pillow had unpacked stayed with each error until the next collection."""
    with pytest.raises(SettingsError, match="no picture that can be read") as refused:
        picture_texts(b"\x89PNG\r\n\x1a\n" + bytes(100))
    assert refused.value.__context__ is None
