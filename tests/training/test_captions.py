"""Captions: every scene can be asked for, in words that the model is told it knows."""

from random import Random

from explorer.training.captions import ATTRIBUTES, EXAMPLES, Scene, every_scene, varied_caption
from explorer.training.captions import vocabulary as words_of_the_model


def test_a_caption_says_every_attribute():
    scene = Scene("sailboat", "red", "sea", "sunset", "mountains")
    assert scene.caption == "a red sailboat on the sea at sunset with mountains"


def test_the_article_follows_the_sound():
    assert Scene("tree", "orange", "snow", "day", "open").caption == (
        "an orange tree in the snow by day"
    )


def test_every_combination_is_there_once():
    scenes = every_scene()
    assert len(set(scenes)) == len(scenes) == 12 * 10 * 4 * 4 * 4
    assert len({scene.caption for scene in scenes}) == len(scenes)


def test_a_tenth_is_held_out_and_shows_every_value():
    held = [scene for scene in every_scene() if scene.held_out]
    assert 0.08 < len(held) / len(every_scene()) < 0.12
    for name, table in ATTRIBUTES.items():
        assert {getattr(scene, name) for scene in held} == set(table)


def test_variations_use_known_words_but_for_one_stray_one():
    random, known, stray = Random(0), set(words_of_the_model()), 0
    for scene in every_scene()[::7]:
        unknown = [word for word in varied_caption(scene, random).split() if word not in known]
        assert len(unknown) <= 1
        stray += len(unknown)
    assert 0.1 < stray / len(every_scene()[::7]) < 0.2


def test_examples_ask_for_nothing_unknown():
    assert {word for example in EXAMPLES for word in example.split()} <= set(words_of_the_model())
