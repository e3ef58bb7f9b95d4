"""Both classes inside real pipelines with small random weights, beside diffusers' own classes."""

import diffusers
import pytest
import torch
from diffusers import (
    DiffusionPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
)
from gaussian_data import CLASSES
from PIL import Image
from torch.testing import assert_close

# numpy has things to say about how diffusers converts tensors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

both = pytest.mark.parametrize("cls", CLASSES)
PROMPT = "a red sailboat"


@pytest.fixture(scope="module")
def bare(tiny_pipeline_folder):
    pipe = StableDiffusionPipeline.from_pretrained(tiny_pipeline_folder)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def peer(cls):
    """diffusers' class of the same name."""
    return getattr(diffusers, cls.__name__)


def pipeline(kind, bare, cls, **config):
    scheduler = cls.from_config(bare.scheduler.config, **config)
    pipe = kind.from_pipe(bare, scheduler=scheduler)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def picture(pipe, seed=1, **arguments):
    """The final latents of one run."""
    generator = torch.Generator().manual_seed(seed)
    arguments = {"num_inference_steps": 5, "output_type": "latent"} | arguments
    return pipe(PROMPT, generator=generator, **arguments).images


CONFIGS = pytest.mark.parametrize(
    "config",
    [{}, {"use_karras_sigmas": True}, {"timestep_spacing": "leading"}],
    ids=["automatic", "karras", "leading"],
)


@both
@CONFIGS
def test_text_to_image_agrees_with_diffusers(bare, cls, config):
    pipes = [pipeline(StableDiffusionPipeline, bare, one, **config) for one in (cls, peer(cls))]
    ours, theirs = (picture(pipe) for pipe in pipes)
    assert torch.all(torch.isfinite(ours))
    assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


@both
@pytest.mark.parametrize("strength", [0.3, 0.6, 1.0])
def test_image_to_image_agrees_with_diffusers(bare, cls, strength):
    arguments = {"image": Image.new("RGB", (32, 32), "teal"), "strength": strength}
    pipes = [pipeline(StableDiffusionImg2ImgPipeline, bare, one) for one in (cls, peer(cls))]
    ours, theirs = (picture(pipe, num_inference_steps=10, **arguments) for pipe in pipes)
    assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


@both
def test_inpainting_keeps_what_is_not_masked(bare, cls):
    pipe = pipeline(StableDiffusionInpaintPipeline, bare, cls)
    image = Image.linear_gradient("L").resize((32, 32)).convert("RGB")
    mask = Image.new("L", (32, 32), 0)
    mask.paste(255, (0, 0, 16, 32))
    levels = []

    def watch(pipe, call, timestep, tensors):
        levels.append((call, tensors["latents"][..., 8:].std().item()))
        return tensors

    arguments = {"image": image, "mask_image": mask, "height": 32, "width": 32, "strength": 1.0}
    picture(pipe, callback_on_step_end=watch, **arguments)
    # After each call the part that is kept has the noise of the call that comes next.
    sigma = pipe.scheduler.schedule.call_sigma
    for call, spread in levels[:-1]:
        assert spread == pytest.approx((sigma[call + 1] ** 2 + levels[-1][1] ** 2) ** 0.5, rel=0.25)


@both
def test_every_call_reaches_the_pipelines_callback(bare, cls):
    calls = []

    def watch(pipe, call, timestep, tensors):
        calls.append((call, float(timestep)))
        return tensors

    pipe = pipeline(StableDiffusionPipeline, bare, cls)
    picture(pipe, callback_on_step_end=watch)
    assert calls == list(enumerate(pipe.scheduler.timesteps.tolist()))
    assert len(calls) == 9


@both
def test_runs_can_follow_one_another(bare, cls):
    pipe = pipeline(StableDiffusionPipeline, bare, cls)
    first = picture(pipe)

    def stop(pipe, call, timestep, tensors):
        raise KeyboardInterrupt

    for steps in (5, 6):
        with pytest.raises(KeyboardInterrupt):
            picture(pipe, num_inference_steps=steps, callback_on_step_end=stop)
    assert_close(picture(pipe), first, rtol=0, atol=0)


@both
def test_a_batch_with_generators_of_its_own_is_its_pictures(bare, cls):
    pipe = pipeline(StableDiffusionPipeline, bare, cls)
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    arguments = {"num_inference_steps": 5, "output_type": "latent"}
    together = pipe([PROMPT] * 2, generator=generators, **arguments).images
    for row, seed in enumerate((1, 2)):
        assert_close(together[row : row + 1], picture(pipe, seed), rtol=1e-4, atol=1e-4)


@both
def test_half_precision_weights(tiny_pipeline_folder, cls):
    pipe = StableDiffusionPipeline.from_pretrained(tiny_pipeline_folder, dtype=torch.bfloat16)
    pipe.scheduler = cls.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    latents = picture(pipe)
    assert latents.dtype == torch.bfloat16
    assert torch.all(torch.isfinite(latents))


@both
def test_a_pipeline_is_saved_and_loaded_with_its_scheduler(bare, cls, tmp_path):
    pipe = pipeline(StableDiffusionPipeline, bare, cls, use_karras_sigmas=True)
    want = picture(pipe)
    pipe.save_pretrained(tmp_path)
    given = cls.from_pretrained(tmp_path, subfolder="scheduler")
    loaded = [
        StableDiffusionPipeline.from_pretrained(tmp_path, scheduler=given),
        DiffusionPipeline.from_pretrained(tmp_path),
    ]
    for again in loaded:
        again.set_progress_bar_config(disable=True)
        assert isinstance(again.scheduler, cls)
        assert_close(picture(again), want, rtol=0, atol=0)


@both
def test_a_pipeline_from_another_keeps_the_scheduler(bare, cls):
    pipe = pipeline(StableDiffusionPipeline, bare, cls)
    other = StableDiffusionImg2ImgPipeline.from_pipe(pipe)
    assert isinstance(other.scheduler, cls)
    assert other.scheduler.config == pipe.scheduler.config
