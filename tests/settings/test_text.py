"""Text that is no Unicode: found in settings, and harmless in what is sent back."""

import json

import pytest

from explorer.settings import RunSettings, SettingsError
from explorer.settings.text import broken_at, encodable, printable
from explorer.views.lanes import numbers_of_file, read_lanes
from explorer.views.pins import read_pins
from explorer.views.scheduler_files import make_file, take_file

HALF = "a red boat \ud83d"


@pytest.mark.parametrize(
    "text", ["", "a boat", "\U0001f6a4 boat", "\u202ereversed", "Ä\u0308", "a\tb\n"]
)
def test_sound_text_is_left_alone(text):
    assert broken_at(text) is None
    assert encodable({"a": [text]}) == {"a": [text]}
    assert RunSettings(prompt=text).prompt == text


@pytest.mark.parametrize(("text", "place"), [(HALF, 11), ("\udc00b", 0), ("a\0b", 1)])
def test_half_a_character_is_named_with_its_place(text, place):
    assert broken_at(text) == place
    for field in ("prompt", "negative_prompt", "model", "refiner"):
        with pytest.raises(SettingsError, match=rf"no character, at place {place + 1} ") as caught:
            RunSettings(**{field: text})
        str(caught.value).encode()


def test_what_is_sent_back_is_utf_8():
    data = encodable({HALF: (HALF, [HALF, 3, None, True])})
    json.dumps(data, ensure_ascii=False).encode()
    assert encodable("\ud83d\ude00") == "\U0001f600"  # two halves that belong together


@pytest.mark.parametrize("column", [
    {"sampler": HALF}, {"schedule_type": HALF}, {"sigmas": HALF}, {"rho": HALF}, {HALF: 1},
    {"trained_betas": [HALF]}, {"timestep_spacing": "\0"},
])  # fmt: skip
def test_no_field_of_a_lane_breaks(column):
    lanes, problems = read_lanes({"lanes": [column], "same": False})
    assert problems and not lanes
    answer = make_file(column)
    json.dumps(answer, ensure_ascii=False).encode()
    assert "problem" in answer


def test_no_file_and_no_pin_breaks():
    for given in (
        {"text": HALF, "sampler": "dpm2"},
        {"text": json.dumps({"_class_name": HALF, "beta_schedule": HALF}), "sampler": "dpm2"},
        {"text": "{}", "sampler": HALF},
        {"text": json.dumps({HALF: 1}), "sampler": "dpm2"},
        HALF,
    ):
        json.dumps(take_file(given), ensure_ascii=False).encode()
    for given in (
        {"field": "sigmas", "name": HALF + ".txt", "data": "YQ=="},
        {"field": HALF, "name": "a.txt", "data": "MQ=="},
        {"field": "sigmas", "name": "a.txt", "data": HALF},
    ):
        answer = numbers_of_file(given)
        json.dumps(answer, ensure_ascii=False).encode()
        assert "problem" in answer
    (pin,) = read_pins([{"id": HALF, "label": HALF, "steps": HALF, "lane": {"sampler": HALF}}])
    assert pin.curve is None


def test_a_terminal_gets_nothing_that_it_obeys():
    hostile = "\x1b]0;a title\x07\x1b[2J\rgone\u202edesrever\x9b1m \ud83d"
    told = printable(hostile)
    assert told == (r"\x1b]0;a title\x07\x1b[2J\rgone\u202edesrever\x9b1m " + "\ufffd")
    for sound in ("a\tb\nc", "\u00c4\u0308 \U0001f469\u200d\U0001f680 a\u00a0b"):
        assert printable(sound) == sound
