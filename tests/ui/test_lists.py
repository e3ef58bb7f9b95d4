"""Trained betas as text and as files."""

import json

import numpy as np
import pytest
from explorer.ui.betas import LONGEST_TEXT, parse_betas, read_betas_file

from explorer.settings import SettingsError

BETAS = (0.001, 0.02, 0.3)


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
    assert parse_betas(text) == BETAS


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_no_text_is_no_list(text):
    assert parse_betas(text) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0.1, pony", "entry 2 is 'pony'"),
        ("<b>", "entry 1 is '<b>'"),
        ("0" * (LONGEST_TEXT + 1), "at most 400,000 characters"),
        ("[]", "holds no number"),
    ],
)
def test_what_is_no_list_is_a_sentence(text, sentence):
    with pytest.raises(SettingsError, match=sentence) as caught:
        parse_betas(text)
    assert caught.value.name == "trained_betas"


def write(path, kind: str):
    path = path / f"betas.{kind}"
    if kind == "npy":
        np.save(path, np.array(BETAS))
    else:
        text = (
            json.dumps({"trained_betas": BETAS}) if kind == "json" else "\n".join(map(str, BETAS))
        )
        path.write_text(text)
    return path


@pytest.mark.parametrize("kind", ["txt", "csv", "json", "npy"])
def test_files_become_text_that_reads_back(tmp_path, kind):
    assert parse_betas(read_betas_file(write(tmp_path, kind))) == BETAS


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", b"It was a dark night"),
        ("b.json", b'{"steps": 3}'),
        ("c.json", b"[0.1, "),
        ("d.npy", b"not an array"),
        ("e.csv", b"\xff\xfe\x00\x01"),
        ("f.txt", b""),
    ],
)
def test_files_without_betas_are_a_sentence(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"must be numbers|holds no list"):
        read_betas_file(path)


def test_a_pickled_array_is_not_opened(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(SettingsError, match="holds no list"):
        read_betas_file(tmp_path / "x.npy")
