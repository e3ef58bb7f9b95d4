"""The model that is shipped: complete, small enough for a Space, and good at what it claims."""

import json
import random

import pytest
import torch

from explorer.engine import BUNDLED, Engine
from explorer.sampling import schedulers
from explorer.training.captions import EXAMPLES, every_scene, vocabulary
from explorer.training.classifier import SceneClassifier
from explorer.training.scenes import render

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def held_out():
    scenes = [scene for scene in every_scene() if scene.held_out]
    return random.Random(7).sample(scenes, 256)


@pytest.fixture(scope="module")
def rendered(held_out):
    return render(held_out, torch.Generator().manual_seed(77))


@pytest.fixture(scope="module")
def classifier():
    return SceneClassifier.load(BUNDLED / "judge.safetensors")


@pytest.fixture(scope="module")
def pipeline():
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(
        BUNDLED, torch_dtype=torch.float32, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_files_fit_a_space():
    sizes = [file.stat().st_size for file in BUNDLED.rglob("*") if file.is_file()]
    assert max(sizes) < 10 * MEGABYTE
    assert sum(sizes) < 25 * MEGABYTE


def test_it_knows_the_words_of_its_captions():
    assert json.loads((BUNDLED / "words.json").read_text()) == vocabulary()


def test_its_examples_are_captions_that_it_knows():
    examples = json.loads((BUNDLED / "examples.json").read_text())
    assert tuple(examples) == EXAMPLES
    assert {word for text in examples for word in text.split()} <= set(vocabulary())


def test_the_classifier_is_right_on_rendered_scenes(classifier, rendered, held_out):
    assert min(classifier.accuracy(rendered, held_out).values()) >= 0.99


def test_the_classifier_can_say_no(classifier, rendered, held_out):
    wrong = held_out[1:] + held_out[:1]
    assert max(classifier.accuracy(rendered, wrong).values()) < 0.5


@torch.no_grad()
def test_the_vae_keeps_what_it_sees(pipeline, rendered):
    pictures = rendered[:32]
    latents = pipeline.vae.encode(pictures * 2 - 1).latent_dist.mean
    drawn = pipeline.vae.decode(latents).sample / 2 + 0.5
    error = (drawn.clamp(0, 1) - pictures).square().mean(dim=(1, 2, 3))
    assert -10 * torch.log10(error).mean() >= 30
    assert 0.9 < (latents * pipeline.vae.config.scaling_factor).std() < 1.1


@pytest.mark.slow
@pytest.mark.parametrize(
    "sampler", [schedulers.KDPM2DiscreteScheduler, schedulers.KDPM2AncestralDiscreteScheduler]
)
def test_held_out_prompts_are_followed_at_the_defaults(pipeline, classifier, held_out, sampler):
    scenes, defaults = held_out[:8], Engine().facts.defaults()
    pipeline.scheduler = sampler.from_config(pipeline.scheduler.config)
    drawn = pipeline(
        [scene.caption for scene in scenes],
        num_inference_steps=defaults.steps,
        guidance_scale=defaults.cfg_scale,
        generator=[torch.Generator().manual_seed(500 + row) for row in range(len(scenes))],
        output_type="pt",
    ).images
    right = classifier.accuracy(drawn, scenes)
    assert min(right.values()) >= 7 / 8, right
