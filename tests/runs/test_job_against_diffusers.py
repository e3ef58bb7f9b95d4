"""A job's lanes against diffusers' own pipelines, run bare and one lane at a time.

The first test has traced networks, of every family. Where only arguments of the pipeline differ,
they run as they are.
"""

import io
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from loaded import image_to_image, load_model
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from explorer.capture.trajectory import DONE
from explorer.models.catalog import Catalog
from explorer.models.model import Model
from explorer.runs.denoising import denoise
from explorer.runs.job import Job
from explorer.sampling import schedulers
from explorer.settings import LaneSettings, RunSettings, picture_url

LANES = (LaneSettings(), LaneSettings(sampler="dpm2_a", schedule_type="karras"))
RUN = RunSettings(
    prompt="a red sailboat", negative_prompt="night", seed=7, steps=5, cfg_scale=4, lanes=LANES
)
CLOSE = 1e-5  # of the latents' largest value


@pytest.fixture(scope="module")
def model_of(family_folder) -> Callable[[str], Model]:
    return cache(lambda key: load_model(Catalog([family_folder(key)]).find(), "cpu"))


@cache
def start_picture(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    channels = [255 * x / width, 255 * y / height, 128 + 100 * np.sin(x / 3)]
    return Image.fromarray(np.stack(channels, -1).astype(np.uint8))


def png(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def trajectories(run: RunSettings, model: Model, refiner: Model | None = None):
    job = Job(run)
    denoise(job, model, refiner)
    assert job.state == DONE, job.message
    return job.trajectories()


@contextmanager
def with_scheduler(pipe, lane: LaneSettings):
    own = pipe.scheduler
    kind = getattr(schedulers, lane.solver.class_name)
    pipe.scheduler = kind(**lane.scheduler_config())
    try:
        yield
    finally:
        pipe.scheduler = own


def generators(run: RunSettings) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(run.seed + i) for i in range(run.batch_size)]


def words(run: RunSettings) -> dict:
    return {
        "prompt": [run.prompt] * run.batch_size,
        "negative_prompt": [run.negative_prompt] * run.batch_size,
        "num_inference_steps": run.steps,
        "guidance_scale": run.cfg_scale,
        "output_type": "latent",
    }


def alone(run: RunSettings, lane: int, pipe, **arguments) -> torch.Tensor:
    """The last latents of one lane, as diffusers alone makes them."""
    with with_scheduler(pipe, run.lanes[lane]):
        return pipe(**words(run) | {"generator": generators(run)} | arguments).images


def assert_same(found: np.ndarray, wanted: torch.Tensor):
    wanted = wanted.numpy()
    assert found.shape == wanted.shape
    assert_allclose(found, wanted, rtol=0, atol=CLOSE * np.abs(wanted).max())


# --- from noise ----------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_each_lane_is_the_bare_pipeline(model_of, family, batch):
    model, run = model_of(family), replace(RUN, batch_size=batch)
    for lane, found in enumerate(trajectories(run, model)):
        assert_same(found.final, alone(run, lane, model.pipeline))
        assert found.nfe == run.nfe == 9
        assert found.calls[0].latent.shape == (batch, 4, 16, 16)


def test_no_lane_takes_anothers_noise(model_of, untraced):
    model, run = model_of("sd1"), replace(RUN, lanes=(LANES[1],) * 3, batch_size=2)
    for lane, found in enumerate(trajectories(run, model)):
        assert_same(found.final, alone(run, lane, model.pipeline))


def test_a_picture_of_a_batch_is_that_of_the_next_seed(model_of, untraced):
    model = model_of("sd1")
    together = trajectories(replace(RUN, batch_size=3), model)
    for picture in range(3):
        for lane, one in enumerate(trajectories(replace(RUN, seed=RUN.seed + picture), model)):
            found = together[lane].final[picture]
            assert_same(found, torch.from_numpy(one.final[0]))
            difference = together[lane].images[picture].astype(int) - one.image
            assert np.abs(difference).max() <= 1


def test_pictures_are_what_the_pipeline_returns(model_of, untraced):
    for family in ("sd1", "sdxl"):
        model, run = model_of(family), replace(RUN, batch_size=2)
        for lane, found in enumerate(trajectories(run, model)):
            wanted = alone(run, lane, model.pipeline, output_type="np")
            assert found.images.shape == (2, 32, 32, 3)
            assert found.images.dtype == np.uint8
            assert np.abs(found.images - 255 * wanted).max() <= 1
            assert_array_equal(found.image, found.images[0])


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_another_size(model_of, untraced, family):
    model, run = model_of(family), replace(RUN, width=64, height=80, batch_size=2)
    for lane, found in enumerate(trajectories(run, model)):
        wanted = alone(run, lane, model.pipeline, width=64, height=80)
        assert wanted.shape == (2, 4, 40, 32)
        assert_same(found.final, wanted)
        assert found.images.shape == (2, 80, 64, 3)


def test_no_negative_prompt_is_none(model_of, untraced):
    """SDXL then takes zeros for its embedding, where its configuration says so."""
    model, run = model_of("sdxl"), replace(RUN, negative_prompt="")
    assert model.pipeline.config.force_zeros_for_empty_prompt
    for lane, found in enumerate(trajectories(run, model)):
        assert_same(found.final, alone(run, lane, model.pipeline, negative_prompt=None))


# --- guidance ------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_cfg_rescale_is_the_pipelines_guidance_rescale(model_of, untraced, family):
    model, run = model_of(family), replace(RUN, cfg_rescale=0.7)
    for lane, found in enumerate(trajectories(run, model)):
        wanted = alone(run, lane, model.pipeline, guidance_rescale=0.7)
        assert_same(found.final, wanted)
        plain = alone(run, lane, model.pipeline)
        assert float((plain - wanted).abs().max()) > 20 * CLOSE * float(wanted.abs().max())


@pytest.mark.parametrize(("cfg_scale", "batch"), [(1, 4), (4, 8)])
def test_without_guidance_the_unet_is_asked_once_a_picture(model_of, cfg_scale, batch):
    model = model_of("sd1")
    run = replace(RUN, cfg_scale=cfg_scale, batch_size=2)
    asked = []
    unet = model.pipeline.unet
    hook = unet.conv_in.register_forward_hook(lambda _, given, answer: asked.append(len(given[0])))
    try:
        found = trajectories(run, model)
    finally:
        hook.remove()
    assert asked == [batch] * 9  # two lanes of two pictures, once or twice
    for lane, each in enumerate(found):
        assert_same(each.final, alone(run, lane, model.pipeline))


# --- from a picture ------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("strength", [0.45, 1.0])
@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_image_to_image_is_the_stock_pipelines(model_of, untraced, family, strength, batch):
    model, picture = model_of(family), start_picture(32, 32)
    url = picture_url(png(picture))
    run = replace(RUN, init_image=url, strength=strength, batch_size=batch)
    done = min(int(5 * strength), 5)
    assert run.first_step == 5 - done
    for lane, found in enumerate(trajectories(run, model)):
        wanted = alone(run, lane, image_to_image(model), image=[picture] * batch, strength=strength)
        assert_same(found.final, wanted)
        assert found.nfe == run.nfe == 2 * done - 1
        assert found.calls[0].index == 0
        assert found.calls[0].step == run.first_step
        table = run.lanes[lane].schedule(5)
        sigmas = [call.sigma for call in found.calls]
        assert_allclose(sigmas, table.call_sigma[2 * run.first_step :])


def test_image_to_image_of_another_size(model_of, untraced):
    model, picture = model_of("sd1"), start_picture(80, 64)
    url = picture_url(png(picture))
    run = replace(RUN, init_image=url, strength=0.6, width=80, height=64)
    for lane, found in enumerate(trajectories(run, model)):
        wanted = alone(run, lane, image_to_image(model), image=[picture], strength=0.6)
        assert_same(found.final, wanted)


# --- a refiner -----------------------------------------------------------------------------------


def handed_over(run: RunSettings, lane: int, base, refiner, **start) -> torch.Tensor:
    """Diffusers' two pipelines by hand: the base interrupted, the refiner begun, at one call."""
    call, draws = 2 * run.base_steps, generators(run)

    def interrupt(pipe, index, timestep, given):
        pipe._interrupt = index == call - 2 * run.first_step - 1
        return given

    def rest(steps, strength, device, denoising_start):
        refiner.scheduler.set_begin_index(call)
        return refiner.scheduler.timesteps[call:], steps

    ends = {"generator": draws, "callback_on_step_end": interrupt}
    latents = alone(run, lane, base, **ends, **start)
    refiner.get_timesteps = rest
    try:
        return alone(run, lane, refiner, image=latents, denoising_start=0.5, generator=draws)
    finally:
        del refiner.get_timesteps


def test_where_diffusers_cuts_between_steps_the_lane_is_its_run_too(model_of, untraced):
    """Diffusers cuts by timestep: in a midpoint's shadow it cuts a step in two, we never do."""
    base, refiner = model_of("sdxl"), model_of("sdxl-refiner")
    run = replace(RUN, refiner="refiner", refiner_switch_at=0.4, lanes=LANES[:1])
    timesteps = LANES[0].schedule(5).call_timestep  # 999 885.2 749.2 632.2 | 499.5 371.4 ...
    assert timesteps[3] > 500 > timesteps[4]
    latents = alone(run, 0, base.pipeline, denoising_end=0.5)
    start = {"image": latents, "denoising_start": 0.5}
    (found,) = trajectories(run, base, refiner)
    assert_same(found.final, alone(run, 0, image_to_image(refiner), **start))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("at", [0.4, 0.8])
def test_a_refiner_goes_on_where_the_base_ends(model_of, untraced, at, batch):
    model, refiner = model_of("sdxl"), model_of("sdxl-refiner")
    run = replace(RUN, refiner="refiner", refiner_switch_at=at, batch_size=batch)
    for lane, found in enumerate(trajectories(run, model, refiner)):
        wanted = handed_over(run, lane, model.pipeline, image_to_image(refiner))
        assert_same(found.final, wanted)
        assert [call.index for call in found.calls] == list(range(9))
        assert [call.step for call in found.calls] == [0, 0, 1, 1, 2, 2, 3, 3, 4]
        assert_allclose(
            [call.sigma for call in found.calls], run.lanes[lane].schedule(5).call_sigma
        )
        unrefined = alone(run, lane, model.pipeline)
        assert float((unrefined - wanted).abs().max()) > 20 * CLOSE * float(wanted.abs().max())


def test_a_refiner_after_image_to_image(model_of, untraced):
    model, refiner = model_of("sdxl"), model_of("sdxl-refiner")
    picture = start_picture(32, 32)
    run = replace(
        RUN,
        init_image=picture_url(png(picture)),
        strength=0.8,
        refiner="refiner",
        refiner_switch_at=0.6,
    )
    for lane, found in enumerate(trajectories(run, model, refiner)):
        start = {"image": [picture], "strength": 0.8}
        wanted = handed_over(run, lane, image_to_image(model), image_to_image(refiner), **start)
        assert_same(found.final, wanted)
        assert [call.step for call in found.calls] == [1, 1, 2, 2, 3, 3, 4]
        assert [call.index for call in found.calls] == list(range(7))


def test_a_refined_picture_is_decoded_by_the_refiner(model_of, family_folder):
    model = model_of("sdxl")
    refiner = load_model(Catalog([family_folder("sdxl-refiner")]).find(), "cpu")
    vae = refiner.pipeline.vae
    with torch.no_grad():
        vae.decoder.conv_out.bias += 0.3  # as made for the tests the two VAEs are one
    run = replace(RUN, refiner="refiner", refiner_switch_at=0.6)
    for found in trajectories(run, model, refiner):
        with torch.no_grad():
            given = torch.from_numpy(found.final) / vae.config.scaling_factor
            decoded = vae.decode(given).sample[0].permute(1, 2, 0)
        wanted = 255 * (decoded / 2 + 0.5).clamp(0, 1).numpy()
        assert np.abs(found.image - wanted).max() <= 1
