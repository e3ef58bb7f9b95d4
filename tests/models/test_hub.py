"""Downloading from a hub on this machine that is well, gated, broken, silent or gone."""

import shutil
import time
from pathlib import Path

import huggingface_hub
import pytest
import torch
from hub_server import serving

from explorer.models.catalog import Catalog, ModelError
from explorer.models.found import find_model
from explorer.models.hub import Hub
from explorer.models.loading import load_found

REPO = "somebody/small-model"


@pytest.fixture
def server(family_folder):
    with serving() as server:
        server.repos[REPO] = family_folder("sd1")
        yield server


@pytest.fixture
def hub(server, tmp_path, monkeypatch):
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    return Hub(server.url, tmp_path / "cache", timeout=0.5)


@pytest.fixture
def entry():
    return Catalog(allow=[REPO]).find(REPO)


def nobody(words, fraction):
    pass


def test_a_good_model_comes_whole_and_runs(hub, entry, family_folder):
    told = []
    found = find_model(entry, False, lambda *words: told.append(words), hub)
    pipeline = load_found(found, "cpu").pipeline
    options = {"num_inference_steps": 2, "output_type": "latent"}
    options["generator"] = torch.Generator().manual_seed(0)
    assert pipeline("a red house", **options).images.isfinite().all()
    fractions = [fraction for words, fraction in told if words.startswith("Downloading")]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert len(set(fractions)) >= 4
    assert hub.cached(REPO) == found.folder


def test_only_configuration_and_safetensors_are_asked_for(hub, server, entry, tmp_path):
    folder = shutil.copytree(server.repos[REPO], tmp_path / "repo")
    for name in ("unet/diffusion_pytorch_model.bin", "unet/code.py", "README.md", "a.safetensors"):
        (folder / name).write_bytes(b"no")
    (folder / "safety_checker").mkdir()
    (folder / "safety_checker" / "model.safetensors").write_bytes(b"no")
    server.repos[REPO] = folder
    find_model(entry, False, nobody, hub)
    assert {Path(name).suffix for name in server.asked} <= {".json", ".txt", ".safetensors"}
    assert not any("safety" in name or name == "a.safetensors" for name in server.asked)
    assert "unet/diffusion_pytorch_model.safetensors" in server.asked


def test_paths_that_a_hub_names_never_leave_the_models_folder(hub, server, entry, tmp_path):
    names = ["../../../../evil.json", "unet/../../evil.json", "/etc/evil.json", "unet/..json"]
    names += ["vae/a/evil.json", "unet\\..\\evil.json", "../vae/model.safetensors"]
    server.names[REPO] = names
    find_model(entry, False, nobody, hub)
    assert not [name for name in server.asked if name in names]
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.parametrize("half", [True, False])
def test_half_precision_takes_the_smaller_files(hub, server, entry, tmp_path, half):
    folder = shutil.copytree(server.repos[REPO], tmp_path / "repo")
    for weights in list(folder.rglob("*.safetensors")):
        tensors = weights.read_bytes()
        weights.with_name(f"{weights.stem}.fp16.safetensors").write_bytes(tensors)
    server.repos[REPO] = folder
    found = find_model(entry, half, nobody, hub)
    weights = [name for name in server.asked if name.endswith(".safetensors")]
    assert len(weights) == 3
    assert all((".fp16." in name) == half for name in weights)
    assert load_found(found, "cpu", torch.bfloat16).pipeline.unet.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (401, "does not let this app have somebody/small-model"),
        (403, "does not let this app have somebody/small-model"),
        (404, "has no model somebody/small-model"),
        (500, r"in trouble \(500\)"),
        (503, r"in trouble \(503\)"),
        ("hang", "did not answer within 0.5 seconds"),
    ],
)
def test_a_hub_that_refuses_is_a_sentence(hub, server, entry, fault, sentence):
    server.faults["api/models"] = fault
    start = time.monotonic()
    with pytest.raises(ModelError, match=sentence) as caught:
        find_model(entry, False, nobody, hub)
    assert time.monotonic() - start < 5
    assert "\n" not in str(caught.value)


def test_a_model_that_is_gated_file_by_file_is_a_sentence(hub, server, entry):
    server.faults["/resolve/"] = 403
    with pytest.raises(ModelError, match="does not let this app have"):
        find_model(entry, False, nobody, hub)


def test_a_hub_that_is_not_there_is_a_sentence(hub, entry, tmp_path):
    nowhere = Hub("http://127.0.0.1:9", tmp_path / "cache", timeout=0.5)
    with pytest.raises(ModelError, match="cannot be reached from here"):
        find_model(entry, False, nobody, nowhere)


def test_a_hub_that_is_switched_off_is_a_sentence(hub, entry, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE"):
        find_model(entry, False, nobody, hub)


@pytest.mark.parametrize("fault", ["offline", 401, 403, 404, 500, "hang"])
def test_what_was_downloaded_before_does_without_the_hub(hub, server, entry, monkeypatch, fault):
    before = find_model(entry, False, nobody, hub)
    if fault == "offline":
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    else:
        server.faults["api/models"] = fault
    assert find_model(entry, False, nobody, hub).folder == before.folder


def test_half_a_download_is_a_sentence_and_goes_on_later(hub, server, entry, monkeypatch):
    monkeypatch.setattr(huggingface_hub.utils._http.time, "sleep", lambda seconds: None)
    server.faults["unet/diffusion"] = 500
    with pytest.raises(ModelError, match="Only a part of somebody/small-model"):
        find_model(entry, False, nobody, hub)
    assert hub.cached(REPO) is not None
    server.faults = {"api/models": "hang"}
    with pytest.raises(ModelError, match="Only a part of somebody/small-model"):
        find_model(entry, False, nobody, hub)
    server.faults = {}
    server.asked.clear()
    load_found(find_model(entry, False, nobody, hub), "cpu")
    assert "model_index.json" not in server.asked


def test_a_download_that_breaks_off_is_a_sentence(hub, server, entry, monkeypatch):
    monkeypatch.setattr(huggingface_hub.file_download.time, "sleep", lambda seconds: None)
    server.faults["unet/diffusion_pytorch_model.safetensors"] = "cut"
    with pytest.raises(ModelError, match="Only a part of somebody/small-model") as caught:
        find_model(entry, False, nobody, hub)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("family", "sentence"),
    [
        ("sd3", "needs other formulas"),
        ("flux", "needs other formulas"),
        ("custom-component", "never run"),
        ("custom-pipeline", "never done here"),
        ("only-bin", "no .safetensors files"),
        ("truncated", "is not whole"),
    ],
)
def test_the_wrong_kind_is_refused_before_its_weights_come(
    hub, server, entry, family_folder, family, sentence
):
    server.repos[REPO] = family_folder(family)
    with pytest.raises(ModelError, match=sentence):
        find_model(entry, False, nobody, hub)
    if family != "truncated":
        assert not [name for name in server.asked if not name.endswith((".json", ".txt"))]


def test_a_repository_without_a_pipeline_is_a_sentence(hub, server, entry, tmp_path):
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "v1-5-pruned.safetensors").write_bytes(b"x")
    server.repos[REPO] = tmp_path / "repo"
    with pytest.raises(ModelError, match=r"no model_index\.json"):
        find_model(entry, False, nobody, hub)
