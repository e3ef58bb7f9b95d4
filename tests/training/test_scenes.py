"""Scenes: the same seed draws the same picture, and a caption's attribute is what changes it."""

from dataclasses import replace

import pytest
import torch

from explorer.training.captions import ATTRIBUTES, Scene
from explorer.training.scenes import COLOURS, DRAW_OBJECT, render

SCENE = Scene("heart", "red", "meadow", "day", "open")


def draw(*scenes: Scene, seed: int = 0, size: int = 64) -> torch.Tensor:
    return render(list(scenes), torch.Generator().manual_seed(seed), size)


def test_pictures_have_their_size_and_range():
    pictures = draw(SCENE, replace(SCENE, time="night"), size=48)
    assert pictures.shape == (2, 3, 48, 48)
    assert pictures.min() >= 0
    assert pictures.max() <= 1


def test_a_seed_is_a_picture():
    assert torch.equal(draw(SCENE, seed=1), draw(SCENE, seed=1))
    assert not torch.equal(draw(SCENE, seed=1), draw(SCENE, seed=2))


def test_every_object_can_be_drawn():
    assert set(DRAW_OBJECT) == set(ATTRIBUTES["object"])
    assert set(COLOURS) == set(ATTRIBUTES["colour"])


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_every_value_of_an_attribute_looks_different(name):
    pictures = [draw(replace(SCENE, **{name: value}))[0] for value in ATTRIBUTES[name]]
    for number, picture in enumerate(pictures):
        for other in pictures[:number]:
            assert (picture - other).abs().max() > 0.05


def test_the_object_has_its_colour():
    picture = draw(replace(SCENE, colour="blue"), size=128)[0]
    blue = torch.tensor(COLOURS["blue"])[:, None, None] / 255
    covered = ((picture - blue).abs().amax(0) < 0.01).float().mean()
    assert 0.02 < covered < 0.4


def test_neighbours_in_a_batch_do_not_change_a_picture():
    other = replace(SCENE, object="castle", time="night", land="sea")
    generator = torch.Generator().manual_seed(3)
    both = render([SCENE, other], generator, 64)
    generator.manual_seed(3)
    again = render([SCENE, replace(other, object="tree")], generator, 64)
    assert torch.equal(both[0], again[0])
