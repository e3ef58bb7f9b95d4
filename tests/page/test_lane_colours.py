"""The lanes' colours: read as text, and told apart, by the colour-blind too."""

import re
from itertools import combinations

import numpy as np
import pytest

from explorer.assets import asset
from explorer.records.exports.film import COLOURS
from explorer.ui.components import page_file

LANES = "abcdef"
# Linear RGB as those see it who lack one kind of cone (Machado, Oliveira, Fernandes 2009, table 1).
SIGHTS = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
APART = 0.075  # between any two lanes in OKLab, where black and white are 1 apart
FROM_INK = 0.18  # from the colour of the page's text, in normal sight


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Ottosson 2020: a space in which equal distances look equal."""
    cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    axes = [
        [0.2104542553, 0.793617785, -0.0040720468],
        [1.9779984951, -2.428592205, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.808675766],
    ]
    return np.array(axes) @ np.cbrt(np.array(cones) @ rgb)


def contrast(one: str, other: str) -> float:
    """WCAG's ratio."""
    low, high = sorted(float(linear(each) @ [0.2126, 0.7152, 0.0722]) for each in (one, other))
    return (high + 0.05) / (low + 0.05)


def themes(sheet: str) -> list[dict[str, str]]:
    """A style sheet's colours by name, those of the light theme first, then of the dark one."""
    found = re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", sheet)
    count = len(found) // 2
    return [dict(found[:count]), dict(found[count : 2 * count])]


PAGE = themes(page_file("base.css").read_text())


@pytest.mark.parametrize("theme", PAGE, ids=["light", "dark"])
def test_lanes_can_be_read_and_told_apart(theme):
    lanes = {lane: theme[f"lane-{lane}"] for lane in LANES}
    for lane, colour in lanes.items():
        assert contrast(colour, theme["ground"]) >= 4.5, lane
        ink = oklab(linear(theme["ink"]))
        assert np.linalg.norm(oklab(linear(colour)) - ink) >= FROM_INK, lane
    for sight, matrix in SIGHTS.items():
        seen = {
            lane: oklab(np.clip(matrix @ linear(colour), 0, 1)) for lane, colour in lanes.items()
        }
        for one, other in combinations(LANES, 2):
            assert np.linalg.norm(seen[one] - seen[other]) >= APART, (sight, one, other)


def test_exports_have_the_pages_colours():
    assert tuple(PAGE[0][f"lane-{lane}"] for lane in LANES) == COLOURS
    of_export = themes((asset("export") / "page.css").read_text())
    for ours, theirs in zip(PAGE, of_export, strict=True):
        assert [ours[f"lane-{lane}"] for lane in LANES] == [
            theirs[f"lane-{lane}"] for lane in LANES
        ]
