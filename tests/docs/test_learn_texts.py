"""The texts of the tab Learn: short, with pictures and links, and right where they say numbers."""

import json
import math
import re

import learn_pictures
import numpy as np
import pytest
import torch

from explorer.hosting.files import guides, sources
from explorer.lab.by_the_book import Method
from explorer.lab.gaussian import Gaussian
from explorer.plots.curves import QUANTITIES
from explorer.plots.figures import X_AXES
from explorer.settings import LaneSettings
from explorer.ui.components import page_file

TEXTS = {
    text["key"]: text for text in json.loads(page_file("texts.json").read_text(encoding="utf-8"))
}
LONGEST = 110  # words
LARGEST = 300_000  # bytes of all pictures
HOSTS = ("https://arxiv.org/abs/", "https://github.com/crowsonkb/", "https://huggingface.co/docs/")


def words(key: str) -> str:
    return " ".join([*TEXTS[key]["paragraphs"], TEXTS[key]["formula"]])


@pytest.mark.parametrize("key", TEXTS)
def test_texts_are_short_and_have_a_picture_actions_and_links(key):
    text = TEXTS[key]
    assert len(" ".join(text["paragraphs"]).split()) <= LONGEST
    assert "!" not in json.dumps(text)
    assert (learn_pictures.LEARN / text["picture"]).stat().st_size
    assert text["alt"] and text["caption"] and text["show"]
    for link in text["links"]:
        if "source" in link:
            assert link["source"] in sources() | guides()
        else:
            assert link["href"].startswith(HOSTS)
            assert re.fullmatch(r"https://[\w./-]+", link["href"])


def test_there_are_six_and_their_pictures_are_small():
    assert list(TEXTS) == ["sigma", "midpoint", "ancestral", "schedules", "cfg", "reading"]
    sizes = [(learn_pictures.LEARN / text["picture"]).stat().st_size for text in TEXTS.values()]
    assert sum(sizes) <= LARGEST


@pytest.mark.parametrize("name", ["ancestral", "schedules", "reading"])
def test_drawings_of_schedules_are_those_that_the_command_makes(name):
    kept = (learn_pictures.LEARN / f"{name}.svg").read_text(encoding="utf-8")
    assert kept == getattr(learn_pictures, name)()


@pytest.mark.parametrize("key", TEXTS)
def test_what_a_button_shows_exists(key):
    for action in TEXTS[key]["show"]:
        curve = action.get("curve", {})
        assert curve.get("quantity", "sigma") in QUANTITIES
        assert curve.get("x", "step") in X_AXES
        assert action.keys() <= {
            *("label", "look", "example", "form", "view", "compare", "curve", "tab", "call", "lane")
        }


# --- what the texts say in numbers ---------------------------------------------------------------


def test_stable_diffusion_begins_at_the_sigma_that_is_said():
    assert f"begins at sigma {LaneSettings().schedule(20).sigma[0]:.1f}" in words("sigma")


def test_the_midpoint_is_the_geometric_mean_and_20_steps_are_39_calls():
    table = LaneSettings().schedule(20)
    np.testing.assert_allclose(table.sigma_mid, np.sqrt(table.sigma[:-1] * table.sigma[1:]))
    assert table.steps + len(table.sigma_mid) == 39
    assert "20 steps are 39 calls" in TEXTS["midpoint"]["heading"]


def test_steps_half_as_long_leave_the_share_of_the_error_that_is_said():
    data, start = Gaussian(), torch.tensor([10.0], dtype=torch.float64)
    truth = data.solution(start, 10.0, 0.1)

    def errors(steps: int) -> tuple[float, float]:
        sigmas = np.geomspace(10, 0.1, steps + 1).tolist()
        plain = Method(sigmas=sigmas[:-1], final=sigmas[-1])
        x = euler = start
        for a, b in plain.step_ends():
            euler = euler + (b - a) * (euler - data.denoise(euler, a)) / a
            first = (x - data.denoise(x, a)) / a
            middle = (a * b) ** 0.5
            x_mid = x + (middle - a) * first
            x = x + (b - a) * (x_mid - data.denoise(x_mid, middle)) / middle
        return float(abs(x - truth)), float(abs(euler - truth))

    (dpm2, euler), (dpm2_half, euler_half) = errors(100), errors(200)
    assert dpm2_half / dpm2 == pytest.approx(1 / 4, rel=0.05)
    assert euler_half / euler == pytest.approx(1 / 2, rel=0.05)


def test_ancestral_variances_add_up_and_eta_does_what_is_said():
    ends = LaneSettings(sampler="dpm2_a").schedule(20)
    a, b = ends.sigma[:-1], ends.sigma[1:]
    down, up = ends.sigma_down[:-1], ends.sigma_up[:-1]
    np.testing.assert_allclose(down**2 + up**2, b**2)
    np.testing.assert_allclose(down, b**2 / a)
    np.testing.assert_allclose(ends.sigma_mid, b)
    for eta in (0.0, 0.3, 1.0):
        some = LaneSettings(sampler="dpm2_a", eta=eta).schedule(20)
        np.testing.assert_allclose(some.sigma_up[:-1], eta * b * np.sqrt(1 - (b / a) ** 2))
    none, plain = LaneSettings(sampler="dpm2_a", eta=0).schedule(20), LaneSettings().schedule(20)
    np.testing.assert_array_equal(none.sigma_mid, plain.sigma_mid)
    assert not none.sigma_up.any()


def test_the_longest_step_of_automatic_is_as_long_as_is_said():
    sigma = LaneSettings().schedule(20).sigma
    lengths = np.log(sigma[:-1] / sigma[1:])
    longest, next_longest = np.sort(lengths)[:-3:-1]
    assert lengths.argmax() == len(lengths) - 1
    assert f"from {sigma[-2]:.3f} to {sigma[-1]:.3f} in a single step" in words("schedules")
    assert f"{longest / next_longest:.1f} times as long as its next longest" in words("schedules")


def test_schedule_types_space_their_sigmas_as_is_said():
    exponential, karras = (
        LaneSettings(schedule_type=kind, round_timesteps="off").schedule(20).sigma
        for kind in ("exponential", "karras")
    )
    np.testing.assert_allclose(np.diff(np.log(exponential), 2), 0, atol=1e-9)
    np.testing.assert_allclose(np.diff(karras ** (1 / 7), 2), 0, atol=1e-9)
    assert (np.diff(np.log(karras), 2) < 0).all()  # ever longer in log sigma


def test_log_snr_and_alpha_bar_are_those_of_the_formula():
    from explorer.plots.curves import alpha_bar, log_snr

    assert log_snr(np.array([2.0]))[0] == pytest.approx(-2 * math.log(2))
    assert alpha_bar(np.array([2.0]))[0] == pytest.approx(1 / 5)
