"""Where diffusers' pipelines begin and end inside a run: always with a whole step."""

import pytest
import torch
from diffusers import (
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)
from gaussian_data import CLASSES
from PIL import Image

# numpy has things to say about how diffusers converts tensors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
both = pytest.mark.parametrize("cls", CLASSES)
OPTIONS = pytest.mark.parametrize(
    "options",
    [
        {},
        {"s_churn": 3.0, "midpoint_ratio": 0.8, "eta": 0.4},
        {"schedule_type": "karras", "discard_penultimate_sigma": True},
    ],
    ids=["defaults", "churn", "karras"],
)
PICTURE = Image.new("RGB", (32, 32), "teal")


@pytest.fixture(scope="module")
def pipes(family_folder):
    """Bare pipelines of each kind, by class."""
    made = {
        StableDiffusionPipeline: family_folder("sd1"),
        StableDiffusionXLPipeline: family_folder("sdxl"),
    }
    return {kind: kind.from_pretrained(folder) for kind, folder in made.items()}


def pipeline(kind, bare, cls, **options):
    """A pipeline whose scheduler writes down the calls that it makes."""
    pipe = kind.from_pipe(bare, scheduler=cls.from_config(bare.scheduler.config, **options))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def calls_of(pipe, **arguments):
    """(the calls of the schedule that were made, the latents)."""
    made = []

    def watch(pipe, call, timestep, tensors):
        made.append(pipe.scheduler.step_index - 1)
        return tensors

    latents = pipe(
        "a red sailboat",
        generator=torch.Generator().manual_seed(1),
        output_type="latent",
        callback_on_step_end=watch,
        **arguments,
    ).images
    return made, latents


@both
@OPTIONS
@pytest.mark.parametrize("strength", [0.15, 0.31, 0.5, 0.77, 1.0])
def test_image_to_image_makes_the_last_whole_steps(pipes, cls, options, strength):
    pipe = pipeline(StableDiffusionImg2ImgPipeline, pipes[StableDiffusionPipeline], cls, **options)
    arguments = {"image": PICTURE, "strength": strength, "num_inference_steps": 10}
    made, latents = calls_of(pipe, **arguments)
    assert made == list(range(2 * (10 - int(10 * strength)), 19))
    assert latents.isfinite().all()


@both
@OPTIONS
@pytest.mark.parametrize("cut", [0.25, 0.5, 0.8])
def test_a_refiner_begins_a_whole_step(pipes, cls, options, cut):
    bare = pipes[StableDiffusionXLPipeline]
    base = pipeline(StableDiffusionXLPipeline, bare, cls, **options)
    size = {"height": 32, "width": 32}
    made, latents = calls_of(base, denoising_end=cut, num_inference_steps=10, **size)
    assert made == list(range(len(made))) and 0 < len(made) < 19
    assert latents.isfinite().all()
    refiner = pipeline(StableDiffusionXLImg2ImgPipeline, bare, cls, **options)
    rest, refined = calls_of(refiner, image=latents, denoising_start=cut, num_inference_steps=10)
    assert rest[0] % 2 == 0
    assert rest == list(range(rest[0], 19))
    assert refined.isfinite().all()
    # diffusers' base may stop half way into a step; its refiner does that step again.
    assert rest[0] in (len(made), len(made) - 1)
