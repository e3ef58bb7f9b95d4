"""Baselines and lanes of unequal length in a job, against diffusers' own pipelines run bare."""

import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import diffusers
import numpy as np
import pytest
import torch
from loaded import image_to_image, load_model
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from explorer.capture.trajectory import CANCELLED, DONE
from explorer.engine import Computed, Engine
from explorer.models.catalog import Catalog
from explorer.models.model import Model
from explorer.runs.denoising import denoise
from explorer.runs.job import Job
from explorer.sampling import schedulers
from explorer.sampling.samplers import SAMPLERS
from explorer.settings import LaneSettings, RunSettings, picture_url

# diffusers' own tables, built with numpy 2
pytestmark = [
    pytest.mark.usefixtures("untraced"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Should have t"),  # as brownian.py says
]

STEPS = 5
CLOSE = 1e-5  # of the latents' largest value
SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
BASELINES = [key for key, sampler in SAMPLERS.items() if sampler.baseline]
CALLS = dict.fromkeys(BASELINES, STEPS) | {"heun": 9, "dpmpp_sde": 9, "dpm2": 9, "dpm2_a": 9}
# A lane's settings, and what makes diffusers' scheduler the same: written down here once more.
CASES = {
    "euler": ({}, {}),
    "euler leading": (
        {"timestep_spacing": "leading", "steps_offset": 1},
        {"timestep_spacing": "leading", "steps_offset": 1},
    ),
    "euler sigmas": (
        {"schedule_type": "exponential", "sigma_min": 0.1, "sigma_max": 9.0},
        {"use_exponential_sigmas": True, "sigma_min": 0.1, "sigma_max": 9.0},
    ),
    "euler zero": (
        {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"},
        {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"},
    ),
    "euler_a": ({"timestep_spacing": "trailing"}, {"timestep_spacing": "trailing"}),
    "heun": ({"schedule_type": "beta"}, {"use_beta_sigmas": True}),
    "dpmpp_2m": ({"schedule_type": "karras"}, {"use_karras_sigmas": True}),
    "dpmpp_2m v": ({"prediction_type": "v_prediction"}, {"prediction_type": "v_prediction"}),
    "dpmpp_sde": ({}, {}),
    "dpmpp_sde exponential": ({"schedule_type": "exponential"}, {"use_exponential_sigmas": True}),
    "ddim": ({}, {"clip_sample": False}),
    "ddim leading": (
        {"timestep_spacing": "leading", "beta_end": 0.02, "prediction_type": "sample"},
        {"beta_end": 0.02, "prediction_type": "sample", "clip_sample": False},
    ),
    "unipc": ({"schedule_type": "karras"}, {"use_karras_sigmas": True}),
    "unipc betas": (
        {"trained_betas": tuple(np.linspace(1e-3, 2e-2, 500))},
        {"trained_betas": list(np.linspace(1e-3, 2e-2, 500)), "num_train_timesteps": 500},
    ),
    "dpm2": ({}, None),
    "dpm2_a": ({"schedule_type": "karras", "eta": 0.8}, None),
}
OWN = (12.0, 5.0, 2.0, 0.4)  # an own list of sigmas
SOME = ["euler", "dpmpp_2m", "heun", "dpmpp_sde", "ddim", "dpm2_a"]


def lane_of(case: str) -> LaneSettings:
    settings, _ = CASES[case]
    return LaneSettings(sampler=case.split()[0], **settings)


def scheduler_of(case: str, run: RunSettings):
    """The scheduler as a user of diffusers makes it."""
    _, arguments = CASES[case]
    solver = SAMPLERS[case.split()[0]]
    if arguments is None:
        return getattr(schedulers, solver.class_name)(**lane_of(case).scheduler_config())
    arguments = SD | {"timestep_spacing": lane_of(case).spacing} | arguments
    if solver.key == "dpmpp_sde":
        arguments["noise_sampler_seed"] = list(range(run.seed, run.seed + run.batch_size))
    return getattr(diffusers, solver.class_name)(**arguments)


def run_of(*cases: str, **more) -> RunSettings:
    settings = {"prompt": "a red sailboat", "seed": 7, "steps": STEPS, "cfg_scale": 4}
    return RunSettings(**settings | {"lanes": tuple(map(lane_of, cases))} | more)


@pytest.fixture(scope="module")
def model_of(family_folder) -> Callable[[str], Model]:
    return cache(lambda key: load_model(Catalog([family_folder(key)]).find(), "cpu"))


def trajectories(run: RunSettings, model: Model, refiner: Model | None = None):
    job = Job(run)
    denoise(job, model, refiner)
    assert job.state == DONE, job.message
    return job.trajectories()


@contextmanager
def with_scheduler(pipe, scheduler):
    own, pipe.scheduler = pipe.scheduler, scheduler
    try:
        yield
    finally:
        pipe.scheduler = own


def alone(run: RunSettings, case: str, pipe, **arguments) -> torch.Tensor:
    """The last latents as diffusers alone makes them."""
    seeds = range(run.seed, run.seed + run.batch_size)
    given = {
        "prompt": [run.prompt] * run.batch_size,
        "negative_prompt": [""] * run.batch_size,
        "num_inference_steps": run.steps,
        "guidance_scale": run.cfg_scale,
        "generator": [torch.Generator().manual_seed(seed) for seed in seeds],
        "output_type": "latent",
    }
    with with_scheduler(pipe, scheduler_of(case, run)):
        return pipe(**given | arguments).images


def assert_same(found: np.ndarray, wanted: torch.Tensor, close: float = CLOSE):
    wanted = wanted.numpy()
    assert found.shape == wanted.shape
    assert np.isfinite(wanted).all()
    assert_allclose(found, wanted, rtol=0, atol=close * np.abs(wanted).max())


def levels_of(trajectory) -> list[tuple]:
    return [
        (call.step, call.stage != "step", call.sigma, call.timestep) for call in trajectory.calls
    ]


# --- each is diffusers' ---------------------------------------------------------------------------


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][1] is not None])
def test_a_baseline_is_the_bare_pipeline_with_that_scheduler(model_of, case):
    model, run = model_of("sd1"), run_of(case, batch_size=2)
    (found,) = trajectories(run, model)
    assert_same(found.final, alone(run, case, model.pipeline))
    assert found.nfe == run.nfe == run.total_nfe == CALLS[case.split()[0]]
    assert found.label.startswith(lane_of(case).solver.label)


@pytest.mark.parametrize("case", CASES)
def test_what_was_told_before_the_run_is_recorded(model_of, case):
    run = run_of(case)
    (found,) = trajectories(run, model_of("sd1"))
    table = run.lanes[0].calls(STEPS)
    told = list(zip(table.step, table.second_call, table.sigma, table.timestep, strict=True))
    assert [call.index for call in found.calls] == list(range(table.nfe))
    assert_allclose(levels_of(found), told, rtol=1e-6)
    assert found.calls[-1].sigma_next == pytest.approx(table.sigma_end)


def test_the_noise_of_dpmpp_sde_is_that_of_the_seed(model_of):
    model = model_of("sd1")
    together = trajectories(run_of("dpmpp_sde", batch_size=3), model)[0].final
    again = trajectories(run_of("dpmpp_sde", batch_size=3), model)[0].final
    assert_array_equal(together, again)
    for picture in range(3):
        one = trajectories(run_of("dpmpp_sde", seed=7 + picture), model)[0].final
        assert_same(together[picture], torch.from_numpy(one[0]))
    assert np.abs(together[0] - together[1]).max() > 0.1


def test_the_noise_of_dpmpp_sde_leaves_the_worlds_alone(model_of):
    state = torch.random.get_rng_state()
    trajectories(run_of("dpmpp_sde", "euler_a"), model_of("sd1"))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("key", ["dpmpp_2m", "unipc"])
def test_a_run_whose_first_timesteps_repeat_begins_at_the_first(model_of, key):
    """Diffusers alone begins such a run a call late and breaks off at its end."""
    lane = LaneSettings(sampler=key, schedule_type="beta")
    assert lane.calls(50).timestep[0] == lane.calls(50).timestep[1]
    (found,) = trajectories(run_of(lanes=(lane,), steps=50), model_of("sd1"))
    assert_allclose([call.sigma for call in found.calls], lane.calls(50).sigma)
    assert np.isfinite(found.final).all()


# --- together -------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_lanes_of_mixed_groups_are_their_solo_runs(model_of, family, batch):
    model, run = model_of(family), run_of(*SOME, batch_size=batch)
    negative = {"negative_prompt": None} if family == "sdxl" else {}
    found = trajectories(run, model)
    assert [each.nfe for each in found] == [CALLS[case] for case in SOME] == [5, 5, 9, 9, 5, 9]
    for each, case in zip(found, SOME, strict=True):
        assert_same(each.final, alone(run, case, model.pipeline, **negative))
        (solo,) = trajectories(replace(run, lanes=(lane_of(case),)), model)
        assert_same(each.final, torch.from_numpy(solo.final))
        assert levels_of(each) == levels_of(solo)


def test_every_lane_starts_from_the_same_unit_noise(model_of):
    found = trajectories(run_of(*SOME, batch_size=2), model_of("sd1"))
    wanted = None
    for each in found:
        first = each.calls[0]
        # Variance-preserving samplers begin with unit noise, the others with sigma times it.
        scale = 1.0 if first.alpha < 1 else first.sigma
        unit = first.latent / scale
        wanted = unit if wanted is None else wanted
        assert_allclose(unit, wanted, atol=1e-2)  # kept in half precision


def test_lanes_with_equal_calls_share_them(model_of):
    model, asked = model_of("sd1"), []
    unet = model.pipeline.unet
    hook = unet.conv_in.register_forward_hook(lambda _, given, answer: asked.append(len(given[0])))
    try:
        trajectories(run_of(*SOME, cfg_scale=1), model)
    finally:
        hook.remove()
    assert asked == [3] * 5 + [3] * 9


def test_a_list_of_sigmas_is_the_number_of_steps(model_of):
    model = model_of("sd1")
    lanes = (
        LaneSettings(sigmas=OWN),
        LaneSettings(sampler="euler", sigmas=OWN),
        lane_of("euler"),
        LaneSettings(sampler="euler", sigmas=(14.0, 9.0, 5.0, 3.0, 2.0, 1.0, 0.3)),
    )
    run = run_of(lanes=lanes)
    ours, theirs, whole, in_step = trajectories(run, model)
    assert [each.nfe for each in (ours, theirs, whole, in_step)] == [7, 4, 5, 7]
    assert_same(whole.final, alone(run, "euler", model.pipeline))
    assert_allclose([call.sigma for call in theirs.calls], OWN, rtol=1e-6)
    assert_allclose([call.sigma for call in ours.calls[::2]], OWN)
    # The stock pipeline hands `sigmas` on to a scheduler that takes them; diffusers' want the 0.
    assert_same(theirs.final, alone(run, "euler", model.pipeline, sigmas=[*OWN, 0.0]))
    assert_same(ours.final, alone(run, "dpm2", model.pipeline, sigmas=list(OWN)))


# --- beginning and ending inside a run ------------------------------------------------------------


def start_picture() -> Image.Image:
    y, x = np.mgrid[:32, :32]
    return Image.fromarray(np.stack([8 * x, 8 * y, 4 * (x + y)], -1).astype(np.uint8))


@pytest.mark.parametrize("strength", [0.45, 1.0])
@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_image_to_image_is_the_stock_pipelines(model_of, family, strength):
    model, picture = model_of(family), start_picture()
    cases = [*SOME, "euler_a", "unipc"]
    done = int(STEPS * strength)
    for some in (cases[:4], cases[4:]):
        run = run_of(*some, init_image=picture_url(picture), strength=strength, batch_size=2)
        for lane, found in enumerate(trajectories(run, model)):
            given = {"image": [picture] * 2, "strength": strength}
            negative = {"negative_prompt": None} if family == "sdxl" else {}
            wanted = alone(run, some[lane], image_to_image(model), **given, **negative)
            assert_same(found.final, wanted)
            order = run.lanes[lane].solver.order
            assert found.nfe == run.step_ranges[lane].nfe == order * done - (order - 1)
            assert found.calls[0].step == run.step_ranges[lane].start == STEPS - done
            table = run.lanes[lane].calls(STEPS)
            first = run.step_ranges[lane].first_call
            assert_allclose([call.sigma for call in found.calls], table.sigma[first:], rtol=1e-6)


def handed_over(run: RunSettings, case: str, base, refiner) -> torch.Tensor:
    """Diffusers' two pipelines by hand: the base interrupted, the refiner begun, at one call."""
    call = SAMPLERS[case.split()[0]].order * run.base_steps
    seeds = [torch.Generator().manual_seed(run.seed)]

    def interrupt(pipe, index, timestep, given):
        pipe._interrupt = index == call - 1
        return given

    def rest(steps, strength, device, denoising_start):
        if hasattr(refiner.scheduler, "set_begin_index"):
            refiner.scheduler.set_begin_index(call)
        return refiner.scheduler.timesteps[call:], steps

    ends = {"generator": seeds, "callback_on_step_end": interrupt, "negative_prompt": None}
    latents = alone(run, case, base, **ends)
    del ends["callback_on_step_end"]
    refiner.get_timesteps = rest
    try:
        return alone(run, case, refiner, image=latents, denoising_start=0.5, **ends)
    finally:
        del refiner.get_timesteps


def test_a_refiner_takes_over_on_a_whole_step_of_every_lane(model_of):
    base, refiner = model_of("sdxl"), model_of("sdxl-refiner")
    run = run_of(*SOME, refiner="refiner", refiner_switch_at=0.6)
    for case, found in zip(SOME, trajectories(run, base, refiner), strict=True):
        assert_same(found.final, handed_over(run, case, base.pipeline, image_to_image(refiner)))
        assert [call.index for call in found.calls] == list(range(CALLS[case]))
        table = run.lanes[0].calls(STEPS) if case == "euler" else lane_of(case).calls(STEPS)
        assert_allclose([call.sigma for call in found.calls], table.sigma, rtol=1e-6)


def test_each_lanes_list_has_its_own_cut(model_of):
    base, refiner = model_of("sdxl"), model_of("sdxl-refiner")
    lanes = LaneSettings(sampler="euler", sigmas=OWN), lane_of("heun")
    run = run_of(lanes=lanes, refiner="refiner", refiner_switch_at=0.5)
    assert [(step_range.refiner_at, step_range.refiner_call) for step_range in run.step_ranges] == [
        (2, 2),
        (2, 4),
    ]
    euler, heun = trajectories(run, base, refiner)
    assert (euler.nfe, heun.nfe) == (4, 9)
    assert_allclose([call.sigma for call in euler.calls], OWN, rtol=1e-6)


# --- stopping, and what is told -------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine(tiny_pipeline_folder) -> Engine:
    engine = Engine(tiny_pipeline_folder, device="cpu")
    engine.load()
    return engine


@contextmanager
def at_call(engine: Engine, number: int, act: Callable[[], None]):
    """`act()` before the U-Net's call of that number, counted from 1."""
    numbers = iter(range(1, 10_000))
    handle = engine.pipeline.unet.register_forward_pre_hook(
        lambda *_: act() if next(numbers) == number else None
    )
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize(
    ("at", "made", "news", "pictures"),
    [
        (3, (3, 0, 3), (0, 3, 5), (False, False, False)),
        (5 + 4, (5, 4, 5), (1, 4, 9), (True, False, True)),
    ],
)
def test_a_stop_keeps_what_every_group_has_made(engine, at, made, news, pictures):
    run, cancel = run_of("euler", "dpm2", "ddim"), threading.Event()
    with at_call(engine, at, cancel.set):
        *_, last = engine.stream(run, cancel)
    assert last.state == CANCELLED
    assert tuple(each.nfe for each in last.trajectories) == made
    assert (last.call, last.calls, last.steps) == (*news[1:], STEPS)
    assert last.lane in ((0, 2) if news[0] == 0 else (1,))
    assert [len(each.noisy) if each else 0 for each in last.frames] == list(made)
    assert [each.image is not None for each in last.trajectories] == list(pictures)
    assert [each.state for each in last.trajectories] == [
        DONE if picture else CANCELLED for picture in pictures
    ]
    assert [bool(image) for image in last.images] == (list(pictures) if any(pictures) else [])


def test_a_stop_between_two_groups_begins_no_other(engine):
    run, cancel, asked = run_of("euler", "dpm2"), threading.Event(), []
    counting = engine.pipeline.unet.register_forward_pre_hook(lambda *_: asked.append(1))
    decoding = engine.pipeline.vae.decoder.register_forward_hook(lambda *_: cancel.set())
    try:
        euler, dpm2 = engine.run(run, cancel)
    finally:
        counting.remove()
        decoding.remove()
    assert len(asked) == 5
    assert (euler.state, euler.nfe, dpm2.state, dpm2.nfe) == (DONE, 5, CANCELLED, 0)


def test_events_count_the_calls_of_the_lane_that_they_are_of(engine):
    run = run_of("euler", "heun", steps=8)
    events = [event for event in engine.stream(run) if isinstance(event, Computed) and event.call]
    for event in events:
        assert (event.lane, event.calls) in ((0, 8), (1, 15))
        assert event.call <= event.calls
        assert event.steps == 8
        assert event.second_call == (event.lane == 1 and event.call % 2 == 0)
        assert event.step == (event.call if event.lane == 0 else (event.call + 1) // 2)
    assert events[-1].state == DONE
    assert (events[-1].lane, events[-1].call) == (1, 15)
    assert [event.lane for event in events] == sorted(event.lane for event in events)


def test_time_left_counts_the_groups_to_come(model_of):
    job = Job(run_of("euler", "ddim", "heun"))
    assert job.eta.left_s is None
    denoise(job, model_of("sd1"))
    assert job.eta.left_s == 0
