"""Lists and lanes in sentences, and that nobody else writes them by hand."""

import re
from pathlib import Path

import pytest

from explorer.sampling.wording import counted, joined, lane_letter

EXPLORER = Path(__file__).resolve().parents[2] / "explorer"
BY_HAND = {
    "a list joined with 'and'": r"join\(others\)|[\"'] and [\"']\.join",
    "a lane's letter": r"chr\(65|chr\(ord|ABCDEF",
    "the clean latent from v": r"hypot\(sigma, 1\)|1 \+ level\.sigma\*\*2",
    "the prediction types": r"\"epsilon\", \"v_prediction\", \"sample\"",
}
HOMES = {
    "the prediction types": "sampling/configs.py",
    "a lane's letter": "sampling/wording.py",
    "the clean latent from v": "sampling/prediction.py",
    "a list joined with 'and'": "sampling/wording.py",
}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", 2, "c"], "a, 2 and c")],
)
def test_lists_are_joined_as_one_writes_them(words, sentence):
    assert joined(words) == sentence
    assert joined(words, "or") == sentence.replace(" and ", " or ")


def test_one_thing_is_no_plural():
    assert [counted(count, "step") for count in (0, 1, 2, 1000)] == [
        "0 steps",
        "1 step",
        "2 steps",
        "1,000 steps",
    ]


def test_lanes_have_letters():
    assert [lane_letter(lane) for lane in (0, 1, 15)] == ["A", "B", "P"]


@pytest.mark.parametrize("what", BY_HAND)
def test_it_is_said_in_one_place(what):
    files = EXPLORER.rglob("*.py")
    sources = {path.relative_to(EXPLORER).as_posix(): path.read_text() for path in files}
    places = [name for name, text in sources.items() if re.search(BY_HAND[what], text)]
    assert places == [home for key, home in HOMES.items() if key == what]
