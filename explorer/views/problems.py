"""What is wrong with settings, as sentences beside the controls concerned.

The shape: `Problems`, `{"figure": null, "problems": [{"control", "sentence"}]}`. It replaces that
of curves.py and has no figure, so that the page keeps its last good one.
"""

from dataclasses import dataclass
from typing import TypedDict


class ProblemJSON(TypedDict):
    """A `Problem` as JSON."""

    control: str
    sentence: str


class Problems(TypedDict):
    """All that is wrong, in the order of the form; `figure` is always None."""

    figure: None
    problems: list[ProblemJSON]


@dataclass(frozen=True)
class Problem:
    """A sentence about one control: `control` is its element id, "" for no single control."""

    control: str
    sentence: str


class FormError(ValueError):
    """What is wrong with the form, one problem for each part of it that has one."""

    def __init__(self, problems: list[Problem]):
        super().__init__(" ".join(problem.sentence for problem in problems))
        self.problems = problems


def problem_payload(error: FormError) -> Problems:
    """The sentences of an error, for the page."""
    problems = [
        ProblemJSON(control=each.control, sentence=each.sentence) for each in error.problems
    ]
    return {"figure": None, "problems": problems}
