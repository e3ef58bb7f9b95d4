"""What a job refuses before it computes, and what it keeps when something goes wrong."""

import io
import json
import math
import pickle
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from loaded import load_model
from PIL import Image

from explorer.capture.trajectory import DONE, ERROR, Call, Trajectory
from explorer.engine import Engine
from explorer.models.catalog import Catalog
from explorer.models.previews import VaeDecoder
from explorer.runs import refusals
from explorer.runs.denoising import denoise
from explorer.runs.job import Job
from explorer.sampling.brownian import motion_bytes
from explorer.settings import LaneSettings, RunSettings, SettingsError, picture_url
from explorer.settings.limits import LIMITS

RUN = RunSettings(prompt="a red house", seed=7, steps=4)
START = picture_url(Image.new("RGB", (48, 32), "red"))


@pytest.fixture(scope="module")
def model_of(family_folder):
    return cache(lambda key: load_model(Catalog([family_folder(key)]).find(), "cpu"))


@contextmanager
def counted_calls(model):
    calls = []
    hook = model.pipeline.unet.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        yield calls
    finally:
        hook.remove()


def denoised(run, model, refiner=None) -> Job:
    job = Job(run)
    denoise(job, model, refiner)
    return job


# --- refused before the first model call ----------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "refiner", "options", "said"),
    [
        ("sd1", None, {"rng": "gpu"}, "set RNG to CPU"),
        ("sdxl-refiner", None, {}, "is a refiner: give it a start picture"),
        ("sd1", "sdxl-refiner", {"refiner": "r"}, "both must be of the SDXL family"),
        ("sdxl", "sd1", {"refiner": "r"}, "both must be of the SDXL family"),
    ],
)
def test_what_cannot_be_is_a_sentence(model_of, family, refiner, options, said):
    model = model_of(family)
    with counted_calls(model) as calls:
        job = denoised(replace(RUN, **options), model, refiner and model_of(refiner))
    assert (job.state, calls) == (ERROR, [])
    assert said in job.message


def test_a_recording_without_room_is_refused_with_its_numbers(model_of, monkeypatch):
    monkeypatch.setenv("EXPLORER_RECORDING_GIB", "0.005")
    model = model_of("sd1")
    with counted_calls(model) as calls:
        job = denoised(replace(RUN, batch_size=16, steps=50), model)
    assert (job.state, calls) == (ERROR, [])
    assert "2 lanes of 99 model calls" in job.message
    assert "There is room for 5.1 MiB" in job.message
    monkeypatch.delenv("EXPLORER_RECORDING_GIB")
    assert denoised(RUN, model).state == DONE


def test_a_models_own_size_keeps_within_the_limit_too(model_of, monkeypatch):
    model = model_of("sd1")
    side = max(model.native)

    def limits(most: int) -> SimpleNamespace:  # less than an operator may say: the model is tiny
        return SimpleNamespace(**asdict(LIMITS) | {"side": most})

    monkeypatch.setattr(refusals, "LIMITS", limits(side - 8))
    job = denoised(RUN, model)
    assert job.state == ERROR
    assert f"at most {side - 8} on this server" in job.message
    monkeypatch.setattr(refusals, "LIMITS", limits(side))
    assert denoised(RUN, model).state == DONE


def test_the_noise_of_each_lane_of_dpmpp_sde_is_counted(model_of):
    model = model_of("sd1")
    sde = LaneSettings(sampler="dpmpp_sde")
    run = replace(RUN, lanes=(sde, sde, LaneSettings()), batch_size=3)
    elements = math.prod(refusals.recording_of(run, model).latent)
    assert refusals.memory_need(run, model).noise == 2 * motion_bytes(3, elements) > 0
    assert refusals.memory_need(RUN, model).noise == 0


def test_a_limit_that_is_no_number_is_a_sentence(model_of, monkeypatch):
    monkeypatch.setenv("EXPLORER_RECORDING_GIB", "lots")
    job = denoised(RUN, model_of("sd1"))
    assert job.message.startswith("EXPLORER_RECORDING_GIB must be")


def test_a_damaged_start_picture_is_a_sentence(model_of):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    head, data = picture_url(picture).split(",")
    cut = f"{head},{data[: len(data) // 8 * 4]}"
    model = model_of("sd1")
    with counted_calls(model) as calls:
        job = denoised(replace(RUN, init_image=cut), model)
    assert (job.state, calls) == (ERROR, [])
    assert job.message.startswith("Start picture: the file is damaged")


def test_settings_without_a_schedule_are_refused_at_once():
    with pytest.raises(SettingsError, match="Lane A: num_inference_steps"):
        Job(replace(RUN, steps=1000, lanes=(replace(RUN.lanes[0], num_train_timesteps=500),)))


# --- what was finished stays ----------------------------------------------------------------------


def test_a_lane_that_was_finished_keeps_its_picture_when_the_next_one_fails(model_of):
    model, calls = model_of("sd1"), []
    lanes = RUN.lanes[0], LaneSettings(sampler="euler")  # of 7 and 4 calls: one after the other

    def spoil(module, given, answer):
        calls.append(1)
        if len(calls) == 7 + 3:
            answer[0].fill_(torch.nan)

    hook = model.pipeline.unet.register_forward_hook(spoil)
    try:
        job = denoised(replace(RUN, lanes=lanes), model)
    finally:
        hook.remove()
    first, second = job.trajectories()
    assert job.state == ERROR
    assert (first.state, first.error, first.nfe) == (DONE, "", 7)
    assert first.image is not None
    assert (second.state, second.image, second.nfe) == (ERROR, None, 2)
    assert "Lane B, Euler (diffusers), gave NaN" in second.error
    assert "in step 3 of 4" in second.error
    assert "model call 3 of 4" in second.error
    wanted = denoised(replace(RUN, lanes=RUN.lanes[:1]), model).trajectories()[0]
    np.testing.assert_array_equal(first.final, wanted.final)


@pytest.mark.parametrize("late", [False, True])
def test_a_run_whose_last_call_is_spoilt_has_no_final_latents(model_of, monkeypatch, late):
    model, calls = model_of("sd1"), []

    def spoil(module, given, answer):
        calls.append(1)
        if len(calls) == 7:
            answer[0].fill_(torch.nan)

    if late:  # as on a GPU
        monkeypatch.setattr(Call, "arrived", False)
    hook = model.pipeline.unet.register_forward_hook(spoil)
    try:
        job = denoised(RUN, model)
    finally:
        hook.remove()
    assert (job.state, len(calls)) == (ERROR, 7)
    assert "model call 7 of 7" in job.message
    for each in job.trajectories():
        assert (each.nfe, each.final, each.image) == (6, None, None)


@pytest.mark.parametrize("last", [7, 3])
def test_calls_that_arrive_late_are_waited_for_also_where_a_run_breaks_off(
    model_of, monkeypatch, last
):
    model, calls = model_of("sd1"), []

    def stop(*_):
        if len(calls) == last:
            raise RuntimeError("broken")
        calls.append(1)

    monkeypatch.setattr(Call, "arrived", False)
    hook = model.pipeline.unet.register_forward_pre_hook(stop)
    try:
        job = denoised(RUN, model)
    finally:
        hook.remove()
    assert job.state == (DONE if last == 7 else ERROR)
    assert [each.nfe for each in job.trajectories()] == [last, last]


def test_a_picture_that_fails_does_not_cost_the_other_lane_its_own(model_of, monkeypatch):
    model, own = model_of("sd1"), VaeDecoder.begin
    times = iter(range(10))

    def begin(self, latents):
        first = next(times) == 0
        return own(self, torch.full_like(latents, torch.nan) if first else latents)

    monkeypatch.setattr(VaeDecoder, "begin", begin)
    job = denoised(RUN, model)
    first, second = job.trajectories()
    assert (job.state, first.state, second.state) == (ERROR, ERROR, DONE)
    assert "Lane A" in job.message
    assert first.image is None
    assert first.final is not None
    assert second.images.shape == (1, 32, 32, 3)


def test_out_of_memory_says_what_to_lower(model_of):
    def fail(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    model = model_of("sd1")
    hook = model.pipeline.unet.register_forward_pre_hook(fail)
    try:
        job = denoised(RUN, model)
    finally:
        hook.remove()
    for part in ("size", "batch size", "number of lanes", "CFG scale to 1", "--offload model"):
        assert part in job.message
    assert denoised(RUN, model).state == DONE


def test_the_pipeline_is_as_it_was(model_of):
    model = model_of("sdxl")
    own, forward = model.pipeline.scheduler, vars(model.pipeline.unet).get("forward")
    state = torch.random.get_rng_state()
    for options in ({"batch_size": 2}, {"init_image": START}, {"refiner": "r"}):
        refiner = model_of("sdxl-refiner") if "refiner" in options else None
        assert denoised(replace(RUN, **options), model, refiner).state == DONE
        assert model.pipeline.scheduler is own
        assert vars(model.pipeline.unet).get("forward") is forward
    assert torch.equal(torch.random.get_rng_state(), state)  # nobody else's noise was drawn


# --- what a run tells -----------------------------------------------------------------------------


def test_a_batch_is_streamed_as_tiles_and_ends_as_a_grid(tiny_pipeline_folder, tmp_path):
    engine = Engine(tiny_pipeline_folder, device="cpu")
    run = replace(RUN, batch_size=3, init_image=START, strength=0.5)
    last = pickle.loads(pickle.dumps(list(engine.stream(run))[-1]))
    assert (last.state, last.call, last.calls, last.step, last.steps) == (DONE, 3, 3, 4, 4)
    assert last.model == engine.resident
    for trajectory, frames, data in zip(last.trajectories, last.frames, last.images, strict=True):
        assert [call.index for call in trajectory.calls] == [0, 1, 2]
        assert [call.step for call in trajectory.calls] == [2, 2, 3]
        assert trajectory.calls[0].latent.shape == (3, 4, 16, 16)
        assert trajectory.images.shape == (3, 32, 32, 3)
        assert frames.denoised.shape == frames.noisy.shape
        assert len(frames.denoised) == 3
        picture = Image.open(io.BytesIO(data))
        assert picture.size == (64, 64)
        np.testing.assert_array_equal(np.asarray(picture)[:32, 32:], trajectory.images[1])
        assert (np.asarray(picture)[32:, 32:] == 0).all()
        told = json.loads(picture.text["sampler-explorer"])
        assert told["settings"]["seed"] == 7
        assert (told["model"], told["noise_drawn_on"]) == (last.model, "cpu")
        loaded = Trajectory.load(trajectory.save(tmp_path / "run.safetensors"))
        assert RunSettings.from_dict(loaded.settings) == run
        assert (loaded.model, loaded.device) == (last.model, "cpu")
