"""Lanes in lockstep against the same lanes alone: the same numbers, the same noise."""

import inspect

import diffusers
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image
from torch.testing import assert_close

from explorer.capture.recorder import recording
from explorer.sampling.lockstep import LockstepScheduler, TimestepTable
from explorer.sampling.schedulers import (
    KDPM2AncestralDiscreteScheduler,
    KDPM2DiscreteScheduler,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

STEPS = 6
SHAPE = (4, 8, 8)
SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}

# Every lane differs from its neighbours in class, schedule or prediction type.
SECOND_ORDER = [
    lambda: KDPM2DiscreteScheduler(**SD),
    lambda: KDPM2AncestralDiscreteScheduler(**SD),
    lambda: KDPM2AncestralDiscreteScheduler(**SD, use_karras_sigmas=True),
    lambda: KDPM2DiscreteScheduler(**SD, prediction_type="v_prediction"),
    lambda: KDPM2DiscreteScheduler(**SD, prediction_type="sample", timestep_spacing="trailing"),
    lambda: KDPM2AncestralDiscreteScheduler(num_train_timesteps=500, timestep_spacing="leading"),
    lambda: KDPM2DiscreteScheduler(trained_betas=[0.001 * (1 + i / 100) for i in range(200)]),
    lambda: diffusers.HeunDiscreteScheduler(**SD, timestep_spacing="leading"),
    lambda: diffusers.KDPM2AncestralDiscreteScheduler(**SD, use_exponential_sigmas=True),
]
FIRST_ORDER = [
    lambda: diffusers.EulerDiscreteScheduler(**SD, use_karras_sigmas=True),
    lambda: diffusers.DDIMScheduler(**SD, clip_sample=False),
    lambda: diffusers.EulerAncestralDiscreteScheduler(**SD, timestep_spacing="trailing"),
    lambda: diffusers.DPMSolverMultistepScheduler(**SD, algorithm_type="sde-dpmsolver++"),
    lambda: diffusers.UniPCMultistepScheduler(**SD, prediction_type="v_prediction"),
]


def draw(seed, n=1):
    return torch.randn((n, *SHAPE), generator=torch.Generator().manual_seed(seed))


def network(scaled, timestep):
    """Elementwise, so that the batch cannot change its arithmetic; depends on the timestep."""
    t = timestep.to(torch.float32).reshape(-1, 1, 1, 1) / 1000
    return scaled * (0.9 - 0.4 * t) - 0.1 * t


def denoise(scheduler, latents, generator=None, guidance=False):
    """The loop of a stock pipeline, with its guidance, for any scheduler."""
    scheduler.set_timesteps(STEPS, device="cpu")
    latents = latents * scheduler.init_noise_sigma
    draws = "generator" in inspect.signature(scheduler.step).parameters
    noise = {"generator": generator} if draws else {}
    for t in scheduler.timesteps:
        given = torch.cat([latents] * 2) if guidance else latents
        answer = network(scheduler.scale_model_input(given, t), t)
        if guidance:
            plain, prompted = answer.chunk(2)
            answer = plain + 3.0 * (0.9 * prompted - plain)
        latents = scheduler.step(answer, t, latents, **noise, return_dict=False)[0]
    return latents


def generators(count, seed=10):
    return [torch.Generator().manual_seed(seed + k) for k in range(count)]


@pytest.mark.parametrize("guidance", [False, True], ids=["plain", "guided"])
@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("makers", [SECOND_ORDER, FIRST_ORDER], ids=["second", "first"])
def test_each_lane_equals_its_solo_run_bit_for_bit(makers, images, guidance):
    count = len(makers)
    latents = draw(0, count * images)
    lockstep = LockstepScheduler(
        [make() for make in makers], generators(count), guidance, images_per_lane=images
    )
    together = denoise(lockstep, latents, guidance=guidance).split(images)
    for k, (make, generator) in enumerate(zip(makers, generators(count), strict=True)):
        solo = denoise(make(), latents.split(images)[k], generator, guidance)
        assert torch.equal(together[k], solo), type(make()).__name__


def ancestral_lanes(count):
    return [KDPM2AncestralDiscreteScheduler(**SD) for _ in range(count)]


def test_noise_of_a_lane_depends_on_its_own_seed_alone():
    two = denoise(LockstepScheduler(ancestral_lanes(2), generators(2), False), draw(0, 2))
    other = [torch.Generator().manual_seed(99), generators(2)[1]]
    changed = denoise(LockstepScheduler(ancestral_lanes(2), other, False), draw(0, 2))
    assert torch.equal(two[1], changed[1])
    assert not torch.equal(two[0], changed[0])
    fewer = denoise(LockstepScheduler(ancestral_lanes(1), generators(1), False), draw(0, 2)[:1])
    assert torch.equal(two[0], fewer[0])


def test_a_single_generator_is_copied_for_every_lane():
    latents = draw(0).repeat(3, 1, 1, 1)
    generator = torch.Generator().manual_seed(5)
    lockstep = LockstepScheduler(
        [*ancestral_lanes(2), KDPM2DiscreteScheduler(**SD)], guidance=False
    )
    together = denoise(lockstep, latents, generator)
    assert torch.equal(generator.get_state(), torch.Generator().manual_seed(5).get_state())
    solo = denoise(ancestral_lanes(1)[0], draw(0), torch.Generator().manual_seed(5))
    assert torch.equal(together[0:1], solo)
    assert torch.equal(together[1:2], solo)
    assert torch.equal(denoise(lockstep, latents, generator), together)


def test_a_list_of_generators_is_dealt_out_by_image():
    lockstep = LockstepScheduler(ancestral_lanes(2), guidance=False, images_per_lane=2)
    together = denoise(lockstep, draw(0, 4), generators(4))
    solo = denoise(ancestral_lanes(1)[0], draw(0, 4)[2:], generators(4)[2:])
    assert torch.equal(together[2:], solo)
    with pytest.raises(ValueError, match="list of 4"):
        denoise(lockstep, draw(0, 4), generators(3))


def test_the_same_lockstep_scheduler_runs_again():
    lockstep = LockstepScheduler([make() for make in SECOND_ORDER[:3]], guidance=False)
    runs = [denoise(lockstep, draw(0, 3), torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(*runs)


def test_timesteps_are_a_row_a_call_and_a_column_an_element():
    lanes = [KDPM2DiscreteScheduler(**SD), KDPM2DiscreteScheduler(**SD, use_karras_sigmas=True)]
    lockstep = LockstepScheduler(lanes, guidance=True, images_per_lane=3)
    lockstep.set_timesteps(STEPS)
    table = lockstep.timesteps
    assert table.shape == (2 * STEPS - 1, 12)
    for half in table.chunk(2, dim=1):
        for image in range(3):
            assert torch.equal(half[:, image], lanes[0].timesteps)
            assert torch.equal(half[:, 3 + image], lanes[1].timesteps)
    assert all(type(row) is torch.Tensor for row in table)
    assert torch.equal(table[4:][:1].repeat(6), table[4][:6])
    assert isinstance(table[2:], TimestepTable)


def test_lanes_of_unequal_length_are_refused_with_their_counts():
    lockstep = LockstepScheduler([SECOND_ORDER[0](), FIRST_ORDER[0]()])
    with pytest.raises(ValueError, match=r"KDPM2DiscreteScheduler 11, EulerDiscreteScheduler 6\."):
        lockstep.set_timesteps(STEPS)


def test_a_lanes_own_list_replaces_the_number_of_steps():
    lists = [{"sigmas": [9.0, 4.0, 2.0, 0.5]}, {}, {"timesteps": [900, 500, 300, 10]}]
    makers = [SECOND_ORDER[0], SECOND_ORDER[1], SECOND_ORDER[2]]
    lockstep = LockstepScheduler(
        [make() for make in makers], generators(3), False, custom_steps=lists
    )
    latents = draw(0, 3)
    lockstep.set_timesteps(4)
    assert lockstep.timesteps.shape == (7, 3)
    x = latents * lockstep.init_noise_sigma
    for t in lockstep.timesteps:
        x = lockstep.step(network(lockstep.scale_model_input(x, t), t), t, x).prev_sample
    for k, (make, own) in enumerate(zip(makers, lists, strict=True)):
        lane, generator = make(), generators(3)[k]
        lane.set_timesteps(**own or {"num_inference_steps": 4})
        solo = latents[k : k + 1] * lane.init_noise_sigma
        for t in lane.timesteps:
            answer = network(lane.scale_model_input(solo, t), t)
            solo = lane.step(answer, t, solo, generator=generator).prev_sample
        assert torch.equal(x[k : k + 1], solo)
    short = LockstepScheduler([makers[0]()], custom_steps=[{"sigmas": [3.0]}], guidance=False)
    short.set_timesteps(20)
    assert len(short.timesteps) == 1


def test_impossible_lanes_are_refused():
    lane = SECOND_ORDER[0]()
    with pytest.raises(ValueError, match="at least one lane"):
        LockstepScheduler([])
    with pytest.raises(ValueError, match="given twice"):
        LockstepScheduler([lane, lane])
    with pytest.raises(ValueError, match="each of the 2 lanes; got 1"):
        LockstepScheduler([lane, SECOND_ORDER[1]()], generators(1))
    with pytest.raises(ValueError, match="each of the 1 lanes; got 2"):
        LockstepScheduler([lane], custom_steps=[{}, {}])
    lockstep = LockstepScheduler([lane], guidance=False)
    lockstep.set_timesteps(STEPS)
    with pytest.raises(ValueError, match="must hold 1; got 2"):
        lockstep.step(draw(0, 2), lockstep.timesteps[0], draw(1, 2))


def test_a_recorder_around_a_lane_sees_that_lanes_part():
    lanes = [make() for make in SECOND_ORDER[:2]]
    calls = []
    lockstep = LockstepScheduler(lanes, generators(2), guidance=True, images_per_lane=2)
    with recording(lanes[1], calls.append):
        denoise(lockstep, draw(0, 4), guidance=True)
    solo = []
    alone = SECOND_ORDER[1]()
    with recording(alone, solo.append):
        denoise(alone, draw(0, 4)[2:], generators(2)[1], guidance=True)
    assert len(calls) == len(solo) == 2 * STEPS - 1
    for ours, theirs in zip(calls, solo, strict=True):
        assert (ours.sigma, ours.stage, ours.timestep) == (
            theirs.sigma,
            theirs.stage,
            theirs.timestep,
        )
        assert (ours.latent == theirs.latent).all()
        assert (ours.denoised == theirs.denoised).all()


def test_recording_the_lockstep_scheduler_itself_is_refused():
    lockstep = LockstepScheduler([SECOND_ORDER[0]()])
    with pytest.raises(ValueError, match="LockstepScheduler"), recording(lockstep, print):
        pass


def test_start_noise_keeps_its_dtype_and_its_lanes_numbers():
    lanes = [make() for make in (*SECOND_ORDER[:3], SECOND_ORDER[6])]
    lockstep = LockstepScheduler(lanes)
    lockstep.set_timesteps(STEPS)
    noise = draw(0, 4).half()
    scaled = noise * lockstep.init_noise_sigma
    assert scaled.dtype == torch.float16
    for k, lane in enumerate(lanes):
        assert torch.equal(scaled[k], noise[k] * lane.init_noise_sigma)


@pytest.fixture(scope="module")
def pipeline(tiny_pipeline_folder):
    pipe = StableDiffusionPipeline.from_pretrained(tiny_pipeline_folder, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


LANES = [
    lambda: KDPM2DiscreteScheduler(**SD),
    lambda: KDPM2AncestralDiscreteScheduler(**SD, use_karras_sigmas=True),
]


def with_scheduler(kind, pipeline, scheduler):
    pipe = kind(**pipeline.components, requires_safety_checker=False)
    pipe.scheduler = scheduler  # the constructor would edit its config
    pipe.set_progress_bar_config(disable=True)
    return pipe


def assert_within_rounding(ours, theirs):
    """To 1e-5 of the latents' size: another batch makes another order of sums in the network."""
    assert_close(ours, theirs, atol=1e-5 * float(theirs.abs().max()), rtol=0)


@pytest.mark.parametrize("cfg_scale", [1.0, 7.0])
@pytest.mark.parametrize("images", [1, 2])
def test_stock_pipeline_runs_all_lanes_as_one_batch(pipeline, cfg_scale, images):
    noise = torch.randn((images, 4, 16, 16), generator=torch.Generator().manual_seed(0))
    options = {
        "num_inference_steps": 4,
        "guidance_scale": cfg_scale,
        "num_images_per_prompt": images,
        "output_type": "latent",
    }
    lockstep = LockstepScheduler(
        [make() for make in LANES], generators(2), cfg_scale > 1, images_per_lane=images
    )
    pipe = with_scheduler(StableDiffusionPipeline, pipeline, lockstep)
    asked = []
    forward = pipe.unet.forward
    pipe.unet.forward = lambda x, t, **rest: (
        asked.append((x.shape, t.shape)) or forward(x, t, **rest)
    )
    try:
        together = pipe(["a red house"] * 2, latents=noise.repeat(2, 1, 1, 1), **options).images
    finally:
        pipe.unet.forward = forward
    batch = 2 * images * (2 if cfg_scale > 1 else 1)
    assert asked == [((batch, 4, 16, 16), (batch,))] * 7
    for k, make in enumerate(LANES):
        solo = with_scheduler(StableDiffusionPipeline, pipeline, make())
        alone = solo("a red house", latents=noise, generator=generators(2)[k], **options).images
        assert_within_rounding(together.split(images)[k], alone)


@pytest.mark.parametrize("makers", [LANES, FIRST_ORDER[:2]], ids=["second", "first"])
@pytest.mark.parametrize("images", [1, 2])
def test_image_to_image(pipeline, makers, images):
    picture = Image.effect_noise((32, 32), 60).convert("RGB")
    options = {
        "image": picture,
        "strength": 0.6,
        "num_inference_steps": 5,
        "num_images_per_prompt": images,
        "output_type": "latent",
    }
    start = torch.Generator().get_state()

    def run(scheduler, prompt):
        pipe = with_scheduler(StableDiffusionImg2ImgPipeline, pipeline, scheduler)
        # One generator an image: encoding and start noise are then the same for every lane.
        many = images * (len(prompt) if isinstance(prompt, list) else 1)
        seeds = [torch.Generator().set_state(start) for _ in range(many)]
        return pipe(prompt, generator=seeds, **options).images

    lockstep = LockstepScheduler([make() for make in makers], images_per_lane=images)
    together = run(lockstep, ["a red house"] * 2)
    for k, make in enumerate(makers):
        alone = run(make(), "a red house")
        assert_within_rounding(together.split(images)[k], alone)


# --- a run in parts ------------------------------------------------------------------------------


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("guidance", [False, True], ids=["plain", "guided"])
def test_two_parts_of_a_run_are_the_whole(images, guidance):
    makers = SECOND_ORDER[:4]
    latents = draw(0, len(makers) * images)
    draws = [generators(images, 10 * k) for k in range(len(makers))]
    one = LockstepScheduler([make() for make in makers], draws, guidance, images)
    whole = denoise(one, latents, guidance=guidance)

    draws = [generators(images, 10 * k) for k in range(len(makers))]
    lanes = [make() for make in makers]
    first = LockstepScheduler(lanes, draws, guidance, images, end_call=6)
    half = denoise(first, latents, guidance=guidance)
    assert len(first.timesteps) == 6
    second = LockstepScheduler(lanes, draws, guidance, images, first_call=6, already_scaled=True)
    assert torch.equal(denoise(second, half, guidance=guidance), whole)
    assert len(second.timesteps) == 2 * STEPS - 1 - 6


def test_a_pipeline_counts_a_part_from_its_own_start():
    lanes = [KDPM2DiscreteScheduler(**SD)]
    part = LockstepScheduler(lanes, [None], guidance=False, first_call=4, already_scaled=True)
    part.set_timesteps(STEPS)
    assert lanes[0].begin_index == 4  # also where the pipeline sets none
    part.set_begin_index(2)  # as image to image does, in the timesteps it was shown
    assert lanes[0].begin_index == 6
    assert part.scale_model_input(draw(0)).shape == (1, *SHAPE)
    assert part.init_noise_sigma == 1


@pytest.mark.parametrize(
    "cut", [{"first_call": 11}, {"end_call": 0}, {"first_call": 4, "end_call": 4}]
)
def test_a_part_without_calls_is_refused(cut):
    part = LockstepScheduler([KDPM2DiscreteScheduler(**SD)], **cut)
    with pytest.raises(ValueError, match="A run of 11 model calls has none"):
        part.set_timesteps(STEPS)
