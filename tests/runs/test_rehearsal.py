"""What is prepared for a first run on a GPU, tried without one: networks, order, words, folder."""

import os
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
import torch

from explorer.commands import serve
from explorer.engine import Engine
from explorer.models.catalog import ModelError
from explorer.runs import rehearsal
from explorer.runtime.kernels import compilation as kernels


@pytest.fixture(scope="module")
def loaded(family_folder):
    return lambda name: Engine(family_folder(name), "cpu").model()


@pytest.mark.parametrize("name", ["sd1", "sd2", "lcm", "sdxl", "sdxl-refiner"])
def test_every_family_s_unet_takes_the_inputs_it_is_warmed_up_with(name, loaded):
    model = loaded(name)
    inputs = rehearsal.unet_inputs(model, 4)
    assert ("added_cond_kwargs" in inputs) == name.startswith("sdxl")
    with torch.no_grad():
        answer = model.pipeline.unet(**inputs, return_dict=False)[0]
    assert answer.shape == (4, 4, 16, 16)


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_a_rehearsal_tells_its_parts_and_runs_the_networks(name, loaded, monkeypatch):
    model, told, jobs = loaded(name), [], []
    monkeypatch.setattr(
        rehearsal, "compile_kernels", lambda _, tell: tell("Compiling kernels for it.", 0.5)
    )
    rehearsal.rehearse(model, lambda *words: told.append(words), jobs.append)
    assert told == [
        ("Compiling kernels for it.", 0.5),
        (f"Capturing graphs for {model.entry.label}.", None),
    ]
    assert jobs[0].state == "done"
    lanes = jobs[0].trajectories()
    assert len(lanes) == 2
    assert all(lane.nfe == 3 and lane.image is not None for lane in lanes)


def test_the_program_s_end_breaks_a_rehearsal_off(loaded, monkeypatch):
    monkeypatch.setattr(rehearsal, "compile_kernels", lambda *_: None)
    model, jobs = loaded("sd1"), []

    def start(job):
        jobs.append(job)
        job.stop()

    rehearsal.rehearse(model, lambda *_: None, start)
    assert jobs[0].state == "cancelled"


def test_no_kernel_is_launched_while_they_are_compiled(monkeypatch):
    asked, launched, told = [], [], []

    class Function:
        def run(self, *args, grid, warmup):
            assert warmup
            asked.append((args, grid))
            mode.submit(len(asked))

        def __getitem__(self, grid):
            return lambda *args: launched.append((args, grid))

    class Mode:
        def __init__(self, pool, ignore_errors):
            nonlocal mode
            mode, self.raw_futures = self, []

        def submit(self, number):
            future = Future()
            future.set_result(number)
            self.raw_futures.append(future)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

    mode = None
    monkeypatch.setattr("triton.AsyncCompileMode", Mode)
    kernel = kernels.Kernel(Function())
    kernel[1,](0)
    with kernels.compiling(lambda *counts: told.append(counts)):
        kernel[2,](1)
        kernel[3,](2)
        assert len(launched) == 1
    kernel[4,](3)
    assert asked == [((1,), (2,)), ((2,), (3,))]
    assert launched == [((0,), (1,)), ((3,), (4,))]
    assert told == [(1, 2), (2, 2)]


def test_kernels_stay_in_the_users_cache_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TRITON_CACHE_DIR", "elsewhere")
    kernels.keep_on_disk()
    assert os.environ["TRITON_CACHE_DIR"] == "elsewhere"
    monkeypatch.delenv("TRITON_CACHE_DIR")
    kernels.keep_on_disk()
    folder = tmp_path / "sampler-explorer" / "triton"
    assert os.environ["TRITON_CACHE_DIR"] == str(folder)
    assert folder.is_dir()


def test_a_cache_that_cannot_be_made_is_left_to_triton(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("TRITON_CACHE_DIR", "")
    kernels.keep_on_disk()
    assert os.environ["TRITON_CACHE_DIR"] == ""


@pytest.mark.parametrize(("device", "loads"), [("cuda", 1), ("cuda:1", 1), ("cpu", 0), ("mps", 0)])
def test_the_app_loads_its_model_at_the_start_on_a_gpu_alone(device, loads):
    calls = []

    def load():
        calls.append(device)
        raise ModelError("There is no model here.")

    serve.load_on_gpu(SimpleNamespace(device=device, load=load))
    assert len(calls) == loads
