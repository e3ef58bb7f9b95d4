"""Lists of numbers as text and as files."""

import io
import json

import numpy as np
import pytest

from explorer.settings import SettingsError
from explorer.settings.limits import LIMITS
from explorer.views.lists import largest_file, list_text, parse_list, read_list_file

BETAS = (0.001, 0.02, 0.3)
FIELD = "trained_betas"


@pytest.mark.parametrize(
    "text",
    [
        "0.001, 0.02, 0.3",
        "0.001 0.02\n0.3\n",
        "[1e-3; 2e-2; .3]",
        json.dumps(BETAS),
        "0.001\t0.02,0.3",
    ],
)
def test_ways_to_write_a_list(text):
    assert parse_list(FIELD, text) == BETAS


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_no_text_is_no_list(text):
    assert parse_list(FIELD, text) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0.1, pony", "entry 2 is 'pony'"),
        ("<b>", "entry 1 is '<b>'"),
        ("0" * (LIMITS.text_characters + 1), "at most 400,000 characters"),
        ("[]", "holds no number"),
    ],
)
def test_what_is_no_list_is_a_sentence(text, sentence):
    with pytest.raises(SettingsError, match=sentence) as caught:
        parse_list(FIELD, text)
    assert caught.value.name == FIELD


def written(kind: str) -> bytes:
    if kind == "npy":
        file = io.BytesIO()
        np.save(file, np.array(BETAS))
        return file.getvalue()
    if kind == "json":
        return json.dumps({FIELD: BETAS}).encode()
    return "\n".join(map(str, BETAS)).encode()


@pytest.mark.parametrize("kind", ["txt", "csv", "json", "npy"])
def test_files_become_text_that_reads_back(kind):
    text = read_list_file(FIELD, f"betas.{kind}", written(kind))
    assert text == list_text(BETAS)
    assert parse_list(FIELD, text) == BETAS


def test_a_list_of_another_field_is_named_by_its_label():
    with pytest.raises(SettingsError, match="Custom sigmas must be numbers; entry 1 is") as caught:
        parse_list("sigmas", "x")
    assert caught.value.name == "sigmas"
    assert read_list_file("sigmas", "s.json", b'{"sigmas": [3, 2, 1]}') == "3.0, 2.0, 1.0"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", b"It was a dark night"),
        ("b.json", b'{"steps": 3}'),
        ("c.json", b"[0.1, "),
        ("d.npy", b"not an array"),
        ("e.csv", b"\xff\xfe\x00\x01"),
        ("f.txt", b""),
        ("g.json", b"[" * 100_000),
        ("h.txt", b"1 " * largest_file()),
    ],
)
def test_files_without_numbers_are_a_sentence(name, content):
    with pytest.raises(SettingsError, match=r"must be numbers|holds no list|too large"):
        read_list_file(FIELD, name, content)


def test_a_pickled_array_is_not_opened():
    file = io.BytesIO()
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(SettingsError, match="holds no list"):
        read_list_file(FIELD, "x.npy", file.getvalue())
