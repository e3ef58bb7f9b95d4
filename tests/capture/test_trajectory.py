"""Calls and trajectories: what is kept, how exactly, and what survives the file."""

import dataclasses
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from explorer.capture.trajectory import VERSION, Call, Trajectory

SHAPE = (1, 4, 8, 8)


def arrays(seed=0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(SHAPE) * scale).astype(np.float32)


def make_call(index=0, sigma=14.6, **extra):
    options = {
        "index": index,
        "step": index // 2,
        "stage": "midpoint" if index % 2 else "step",
        "sigma": sigma,
        "timestep": 999.0 - index,
        "sigma_next": sigma / 2,
        "sigma_mid": None,
        "latent": arrays(index, sigma),
        "denoised": arrays(index + 100),
    }
    return Call.of(**options | extra)


def make_trajectory(**extra):
    calls = tuple(make_call(index, sigma=20.0 / (index + 1)) for index in range(5))
    options = {
        "settings": {"prompt": "ein Segelboot bei Nacht: ⛵ \u202e\x00\ud83d", "seed": 2**32 - 1},
        "lane": 1,
        "label": "DPM2 a Karras",
        "calls": calls,
        "final": arrays(7),
        "images": np.arange(96, dtype=np.uint8).reshape(2, 4, 4, 3),
        "model": "scenes",
        "device": "cpu",
    }
    return Trajectory(**options | extra)


@pytest.mark.parametrize("sigma", [0.03, 14.6, 2e4])
def test_latent_keeps_eleven_bits_at_every_noise_level(sigma):
    latent = arrays(1, np.hypot(1, sigma))
    call = make_call(sigma=sigma, latent=latent)
    assert call.latent.dtype == np.float32
    assert_allclose(call.latent, latent, rtol=2**-11, atol=1e-6 * sigma)


def test_memory_is_half_precision():
    call = make_call()
    assert sum(each.values.nbytes for each in call.packed()) == 2 * 2 * np.prod(SHAPE)


@pytest.mark.parametrize("magnitude", [0.0, 1e-30, 1.0, 7e4, 1e30])
def test_prediction_of_any_magnitude_is_kept(magnitude):
    denoised = arrays(2, magnitude)
    call = make_call(denoised=denoised)
    assert call.finite
    assert_allclose(call.denoised, denoised, rtol=2**-11, atol=magnitude * 1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["latent", "denoised"])
def test_nan_and_inf_are_seen_and_kept(name, value):
    broken = arrays()
    broken[0, 2, 3, 4] = value
    call = make_call(**{name: broken})
    assert not call.finite
    kept = getattr(call, name)
    assert_array_equal(np.isfinite(kept), np.isfinite(broken))
    assert make_call().finite


def test_a_variance_preserving_latent_is_scaled_by_its_alpha():
    alpha = 1 / np.hypot(1, 157.0)
    call = make_call(sigma=157.0, alpha=alpha, latent=arrays())
    assert_allclose(call.noise_scale, 1.0)
    assert_allclose(call.latent, arrays(), rtol=2**-11)


def test_arrays_may_arrive_later_and_are_asked_for_once():
    asked = []

    def arrive():
        asked.append(True)
        return arrays(3)

    call = make_call(latent=arrive)
    assert not asked
    assert_allclose(call.latent, arrays(3), rtol=2**-11, atol=0.02)
    assert call.latent is not call.latent
    assert len(asked) == 1


def test_pickling_waits_for_arrays_on_their_way():
    call = make_call(denoised=lambda: arrays(4))
    again = pickle.loads(pickle.dumps(call))
    assert_allclose(again.denoised, arrays(4), rtol=2**-11)
    assert (again.index, again.sigma_mid) == (call.index, None)


def test_calls_are_frozen_and_replaceable():
    call = make_call()
    with pytest.raises(dataclasses.FrozenInstanceError):
        call.sigma = 1.0
    moved = dataclasses.replace(call, step=9)
    assert moved.step == 9
    assert_array_equal(moved.latent, call.latent)


def test_a_call_needs_its_arrays():
    with pytest.raises(TypeError, match="latent"):
        Call.of(index=0, step=0, stage="step", sigma=1.0, timestep=1.0)


def test_counts():
    assert (make_trajectory().steps, make_trajectory().nfe) == (3, 5)
    assert (Trajectory().steps, Trajectory().nfe) == (0, 0)


def test_everything_survives_the_file(tmp_path):
    saved = make_trajectory(state="error", error="Es ging schief. ☹")
    path = saved.save(tmp_path / "läufe und 'mehr'.safetensors")
    loaded = Trajectory.load(path)
    for spec in dataclasses.fields(Trajectory):
        if spec.name not in ("calls", "final", "images"):
            assert getattr(loaded, spec.name) == getattr(saved, spec.name), spec.name
    assert_array_equal(loaded.final, saved.final)
    assert_array_equal(loaded.images, saved.images)
    assert_array_equal(loaded.image, saved.images[0])
    assert loaded.images.dtype == np.uint8
    assert len(loaded.calls) == len(saved.calls)
    for ours, theirs in zip(loaded.calls, saved.calls, strict=True):
        names = [spec.name.removeprefix("stored_") for spec in dataclasses.fields(Call)]
        assert {"latent", "denoised", "sigma"} <= set(names)
        for name in names:
            assert_array_equal(getattr(ours, name), getattr(theirs, name))
            assert type(getattr(ours, name)) is type(getattr(theirs, name))


def test_a_cancelled_run_and_an_empty_one_survive_the_file(tmp_path):
    saved = Trajectory(state="cancelled")
    loaded = Trajectory.load(saved.save(tmp_path / "empty.safetensors"))
    assert (loaded.calls, loaded.state) == ((), "cancelled")
    assert (loaded.final, loaded.images, loaded.image) == (None, None, None)


def test_saving_replaces_atomically_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "run.safetensors"
    make_trajectory().save(path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        make_trajectory(settings={"not": {"plain": object()}}).save(path)
    assert path.read_bytes() == before
    make_trajectory(label="another").save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["run.safetensors"]
    assert Trajectory.load(path).label == "another"


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, 0.999])
def test_truncated_file_is_a_sentence(tmp_path, kept):
    path = make_trajectory().save(tmp_path / "run.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(len(whole) * kept)])
    with pytest.raises(ValueError, match=r"^run\.safetensors is broken .*\.$"):
        Trajectory.load(path)


def test_foreign_files_are_a_sentence(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"weight": arrays()}, path)
    with pytest.raises(ValueError, match=r"^model\.safetensors is no trajectory"):
        Trajectory.load(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(4000))
    with pytest.raises(ValueError, match=r"^model\.safetensors is broken"):
        Trajectory.load(path)
    with pytest.raises(FileNotFoundError):
        Trajectory.load(tmp_path / "missing.safetensors")


def rewrite(path, **changes):
    """The file again, with other metadata over the same tensors."""
    with safe_open(str(path), framework="numpy") as file:
        metadata = file.metadata()
    save_file(load_file(path), path, metadata=metadata | changes)


def test_newer_version_says_so(tmp_path):
    path = make_trajectory().save(tmp_path / "run.safetensors")
    rewrite(path, version=str(VERSION + 1))
    with pytest.raises(ValueError, match="newer Sampler Explorer"):
        Trajectory.load(path)


def test_a_file_of_version_1_is_read(tmp_path):
    saved = make_trajectory()
    path = saved.save(tmp_path / "run.safetensors")
    with safe_open(str(path), framework="numpy") as file:
        metadata = file.metadata()
    about = json.loads(metadata["trajectory"])
    del about["model"], about["device"]
    tensors = load_file(path)
    tensors["image"] = tensors.pop("images")[0]
    save_file(tensors, path, metadata | {"version": "1", "trajectory": json.dumps(about)})
    loaded = Trajectory.load(path)
    assert_array_equal(loaded.images, saved.images[:1])
    assert (loaded.model, loaded.device, loaded.label) == ("", "", saved.label)
    assert_array_equal(loaded.calls[4].latent, saved.calls[4].latent)


@pytest.mark.parametrize(
    "trajectory",
    [
        "not json",
        "[]",
        "{}",
        json.dumps({"calls": [{}]}),
        json.dumps({"calls": [], "surprise": 1}),
        json.dumps({"calls": [{"scales": [1, 1]}]}),
        json.dumps({"calls": 5}),
        "5",
        "[" * 100_000,
        json.dumps({"calls": [], "settings": []}),
        json.dumps({"calls": [], "lane": "1"}),
        json.dumps({"calls": [], "lane": True}),
        '{"calls": [], "lane": ' + "1" * 5000 + "}",
    ],
)
def test_damaged_metadata_is_a_sentence(tmp_path, trajectory):
    path = make_trajectory().save(tmp_path / "run.safetensors")
    rewrite(path, trajectory=trajectory)
    with pytest.raises(ValueError, match=r"^run\.safetensors is broken"):
        Trajectory.load(path)


@pytest.mark.parametrize(
    "row",
    [
        {"sigma": "14.6"},
        {"sigma": None},
        {"sigma_mid": "1"},
        {"index": 0.5},
        {"stage": 1},
        {"scales": [1]},
        {"scales": [1, 2, 3]},
        {"scales": ["1", "1"]},
        {"scales": 1},
    ],
)
def test_a_damaged_call_is_a_sentence_and_not_found_later(tmp_path, row):
    path = make_trajectory().save(tmp_path / "run.safetensors")
    with safe_open(str(path), framework="numpy") as file:
        about = json.loads(file.metadata()["trajectory"])
    about["calls"][1] |= row
    rewrite(path, trajectory=json.dumps(about))
    with pytest.raises(ValueError, match=r"^run\.safetensors is broken"):
        Trajectory.load(path)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("latents", lambda array: array[:4]),
        ("latents", lambda array: array[:, 0]),
        ("latents", lambda array: array.astype(np.float32)),
        ("denoised", lambda array: array[..., :4]),
        ("final", lambda array: array[0]),
        ("final", lambda array: array.astype(np.float64)),
        ("images", lambda array: array[..., :2]),
        ("images", lambda array: array.astype(np.int16)),
    ],
)
def test_arrays_of_another_shape_or_type_are_a_sentence(tmp_path, name, change):
    path = make_trajectory().save(tmp_path / "run.safetensors")
    with safe_open(str(path), framework="numpy") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    tensors[name] = np.ascontiguousarray(change(tensors[name]))
    save_file(tensors, path, metadata)
    with pytest.raises(ValueError, match=r"^run\.safetensors is broken"):
        Trajectory.load(path)


def test_opens_in_a_process_without_torch(tmp_path):
    path = make_trajectory().save(tmp_path / "run.safetensors")
    script = f"""
import sys
sys.modules["torch"] = sys.modules["diffusers"] = None  # importing either now fails
from explorer.capture.trajectory import Trajectory
trajectory = Trajectory.load({str(path)!r})
trajectory.save({str(path)!r})
print(trajectory.nfe, trajectory.calls[0].latent.shape)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True)
    assert done.stdout == "5 (1, 4, 8, 8)\n", done.stderr
