"""What only a CUDA device can show: copies that do not stall it, half precision, freed memory."""

import gc
import threading
from contextlib import contextmanager
from dataclasses import replace

import diffusers
import numpy as np
import pytest
import torch

from explorer.capture.recorder import recording
from explorer.engine import Engine
from explorer.runs.denoising import _Denoising
from explorer.sampling import schedulers
from explorer.settings import LaneSettings, RunSettings

pytestmark = pytest.mark.gpu

STEPS = 6
SETTINGS = RunSettings(prompt="a red house", seed=7, steps=STEPS)


@pytest.fixture(scope="module")
def engine(tiny_pipeline_folder):
    engine = Engine(tiny_pipeline_folder)
    engine.load()
    return engine


@contextmanager
def syncs_are_errors():
    """CUDA calls that wait for the device raise."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(
    "make",
    [
        schedulers.KDPM2DiscreteScheduler,
        schedulers.KDPM2AncestralDiscreteScheduler,
        diffusers.DPMSolverMultistepScheduler,
    ],
)
def test_a_recorded_step_never_waits_for_the_device(make):
    scheduler, calls, truths = make(), [], []
    generator = torch.Generator("cuda").manual_seed(0)
    options = {"generator": generator} if "generator" in make.step.__code__.co_varnames else {}
    with recording(scheduler, calls.append):
        scheduler.set_timesteps(STEPS, device="cuda")
        scheduler.set_begin_index(0)
        latent = torch.randn(1, 4, 64, 64, device="cuda") * float(scheduler.init_noise_sigma)
        busy = torch.randn(4096, 4096, device="cuda")
        with syncs_are_errors():
            for timestep in scheduler.timesteps:
                for _ in range(20):  # the device has much to do when the copies are asked for
                    busy = busy @ busy * 1e-3
                truths.append(latent.clone())
                answer = latent * 0.1
                after = scheduler.step(answer, timestep, latent, **options).prev_sample
                latent.fill_(99)
                answer.fill_(99)
                latent = after
    assert not calls[-1].arrived
    for call, truth in zip(calls, truths, strict=True):
        np.testing.assert_allclose(call.latent, truth.cpu(), rtol=1e-3, atol=0.02)
        assert call.arrived


def test_the_loop_of_a_run_never_waits_for_the_device(engine, monkeypatch):
    engine.run(SETTINGS)  # graphs are captured, memory is there
    real, calls = _Denoising._on_call, []

    def on_call(denoising, *args):
        real(denoising, *args)
        calls.append(True)
        inside = len(calls) < len(SETTINGS.lanes) * SETTINGS.nfe
        torch.cuda.set_sync_debug_mode("error" if inside else "default")

    monkeypatch.setattr(_Denoising, "_on_call", on_call)
    try:
        trajectories = engine.run(SETTINGS)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert [each.nfe for each in trajectories] == [2 * STEPS - 1] * 2
    assert len(calls) == 2 * (2 * STEPS - 1)


def test_lanes_on_the_gpu_are_half_precision_and_close_to_their_solo_runs(engine):
    assert (engine.device, engine.threads) == ("cuda", None)
    assert engine.pipeline.unet.dtype == torch.float16
    events = list(engine.stream(SETTINGS))
    last = events[-1]
    assert last.state == "done", last.message
    assert [frames.denoised.shape[0] for frames in last.frames] == [2 * STEPS - 1] * 2
    for lane, trajectory in enumerate(last.trajectories):
        alone = engine.run(replace(SETTINGS, lanes=(SETTINGS.lanes[lane],)))[0]
        np.testing.assert_array_equal(alone.calls[0].latent, trajectory.calls[0].latent)
        size = np.abs(alone.final).max()
        np.testing.assert_allclose(trajectory.final, alone.final, atol=0.02 * size)


def test_nan_is_seen_within_two_calls(engine):
    made = []

    def spoil(module, given, answer):
        made.append(True)
        if len(made) == 4:
            answer[0].fill_(float("nan"))

    handle = engine.pipeline.unet.register_forward_hook(spoil)
    try:
        last = list(engine.stream(SETTINGS))[-1]
    finally:
        handle.remove()
    assert last.state == "error"
    assert "call 4 of" in last.message
    assert len(made) <= 5
    assert [each.nfe for each in last.trajectories] == [3, 3]


def test_a_cancelled_run_gives_its_memory_back(engine):
    def allocated():
        gc.collect()
        torch.cuda.synchronize()
        return torch.cuda.memory_allocated()

    engine.run(SETTINGS)
    before = allocated()
    cancel, made = threading.Event(), []

    def act(*_):
        made.append(True)
        if len(made) == 3:
            cancel.set()

    handle = engine.pipeline.unet.register_forward_pre_hook(act)
    try:
        trajectories = engine.run(SETTINGS, cancel)
    finally:
        handle.remove()
    assert len(made) == 3
    assert [each.nfe for each in trajectories] == [3, 3]
    assert allocated() <= before


def test_running_out_of_memory_is_a_sentence(engine):
    def act(*_):
        torch.empty(2**45, dtype=torch.uint8, device="cuda")

    handle = engine.pipeline.unet.register_forward_pre_hook(act)
    try:
        last = list(engine.stream(SETTINGS))[-1]
    finally:
        handle.remove()
    assert "ran out of memory" in last.message
    karras = LaneSettings(schedule_type="karras")
    assert engine.run(replace(SETTINGS, lanes=(karras,)))[0].nfe == 2 * STEPS - 1


def test_baselines_are_those_of_the_cpu_their_noise_included(tiny_pipeline_folder):
    keys = ("euler", "euler_a", "dpmpp_sde", "heun", "ddim", "dpm2_a")
    run = replace(SETTINGS, lanes=tuple(LaneSettings(sampler=key) for key in keys), batch_size=2)
    there = Engine(tiny_pipeline_folder, dtype=torch.float32).run(run)
    here = Engine(tiny_pipeline_folder, device="cpu").run(run)
    for gpu, cpu in zip(there, here, strict=True):
        assert gpu.nfe == cpu.nfe
        np.testing.assert_allclose(gpu.final, cpu.final, atol=1e-2 * np.abs(cpu.final).max())


def test_baselines_in_half_precision_repeat_by_their_seed(tiny_pipeline_folder):
    keys = ("euler", "euler_a", "dpmpp_sde", "heun", "ddim", "dpmpp_2m", "unipc")
    run = replace(SETTINGS, lanes=tuple(LaneSettings(sampler=key) for key in keys), batch_size=2)
    engine = Engine(tiny_pipeline_folder, dtype=torch.float16)
    for one, again in zip(engine.run(run), engine.run(run), strict=True):
        assert one.nfe == again.nfe and np.isfinite(one.final).all()
        np.testing.assert_array_equal(one.final, again.final)
